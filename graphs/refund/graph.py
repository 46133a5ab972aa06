"""The refund graph, top to bottom."""

from langgraph.graph import END, START, StateGraph

from graphs.refund.steps import propose_refund, propose_reply
from nodes.ask import ask
from nodes.context import Context
from nodes.execute import execute, settle
from nodes.gate import gate
from nodes.leave import leave
from nodes.propose import propose
from nodes.retrieve import retrieve
from nodes.state import CaseState, route
from nodes.stuck import retry, stuck
from nodes.weigh import weigh

AFTER_REFUND = {"done": "tell", "changed": "judge", "failed": "failed", "unknown": "uncertain"}
AFTER_REPLY = {"done": "close", "changed": "judge_reply", "failed": "failed", "unknown": "uncertain"}
RETRIES = {
    "retrieve": "retrieve",
    "triage": "triage",
    "assess": "assess",
    "propose": "triage",
    "judge": "judge",
    "gate": "judge",
    "refund": "settle_refund",
    "settle_refund": "settle_refund",
    "judge_reply": "judge_reply",
    "send": "settle_reply",
    "settle_reply": "settle_reply",
}
"""From which step a case is tried again, by the step that could not go on."""

Builder = StateGraph[CaseState, Context, CaseState, CaseState]


def build() -> Builder:
    """The uncompiled graph; whoever runs it compiles it with a checkpointer."""
    graph: Builder = StateGraph(CaseState, context_schema=Context)

    # What is this about? Read the records, then let two agents look at what their roles may see.
    graph.add_node("retrieve", retrieve)
    graph.add_node("triage", ask("triage"))
    graph.add_node("assess", ask("policy"))
    graph.add_node("propose", propose(propose_refund))
    graph.add_edge(START, "retrieve")
    graph.add_conditional_edges(
        "retrieve", *route({"ready": "triage", "rejected": "rejected"}, otherwise="blocked")
    )
    graph.add_conditional_edges(
        "triage", *route({"ready": "assess", "blocked": "blocked"}, otherwise="uncertain")
    )
    graph.add_conditional_edges(
        "assess", *route({"ready": "propose", "blocked": "blocked"}, otherwise="uncertain")
    )
    graph.add_conditional_edges("propose", *route({"ready": "judge"}, otherwise="uncertain"))

    # May it be done, and who must sign?
    graph.add_node("judge", weigh)
    graph.add_node("gate", gate)
    graph.add_conditional_edges(
        "judge",
        *route({"allow": "refund", "review": "gate", "refuse": "rejected"}, otherwise="escalated"),
    )
    graph.add_conditional_edges(
        "gate",
        *route({"approved": "refund", "superseded": "judge", "blocked": "blocked"}, otherwise="rejected"),
    )

    # Do exactly what was signed; if the facts moved meanwhile, judge again.
    graph.add_node("refund", execute)
    graph.add_conditional_edges("refund", *route(AFTER_REFUND, otherwise="blocked"))

    # Tell the customer: an action like any other, judged and executed like any other.
    graph.add_node("tell", propose(propose_reply))
    graph.add_node("judge_reply", weigh)
    graph.add_node("send", execute)
    graph.add_edge("tell", "judge_reply")
    graph.add_conditional_edges("judge_reply", *route({"allow": "send"}, otherwise="escalated"))
    graph.add_conditional_edges("send", *route(AFTER_REPLY, otherwise="blocked"))

    # The ends.
    graph.add_node("close", leave("closed"))
    graph.add_node("rejected", leave("rejected"))
    graph.add_edge("close", END)
    graph.add_edge("rejected", END)

    # No ends: somebody finds a way out, perhaps back to the step that could not go on. What was begun is
    # looked up, and nothing is begun by that: to a deed there is no way but through its judge.
    graph.add_node("stuck", stuck(RETRIES))
    graph.add_conditional_edges("stuck", *retry(RETRIES, otherwise="escalated"))
    graph.add_node("settle_refund", settle)
    graph.add_conditional_edges("settle_refund", *route(AFTER_REFUND, otherwise="blocked"))
    graph.add_node("settle_reply", settle)
    graph.add_conditional_edges("settle_reply", *route(AFTER_REPLY, otherwise="blocked"))
    for exception in ("uncertain", "blocked", "failed", "escalated"):
        graph.add_node(exception, leave(exception))
        graph.add_edge(exception, "stuck")
    return graph
