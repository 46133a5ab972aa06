"""The rollback graph, top to bottom: the deeds of a case are taken back, the last one first."""

from langgraph.graph import END, START, StateGraph

from nodes.context import Context
from nodes.execute import execute, settle
from nodes.gate import gate
from nodes.held import held
from nodes.rollback import end, next_undo, plan
from nodes.state import CaseState, route
from nodes.weigh import weigh

Builder = StateGraph[CaseState, Context, CaseState, CaseState]


def build() -> Builder:
    """The uncompiled graph; it runs on a thread of its own, and everything it tells is the case's."""
    graph: Builder = StateGraph(CaseState, context_schema=Context)

    # Is the ledger still what whoever asked was shown?
    graph.add_node("plan", held(plan))
    graph.add_edge(START, "plan")
    graph.add_conditional_edges("plan", *route({"ready": "next"}, otherwise="end"))

    # Take the last deed that can still be taken back; one that is in the way is named, and left.
    graph.add_node("next", held(next_undo))
    graph.add_conditional_edges(
        "next", *route({"proposed": "judge", "pending": "settle", "over": "end"}, otherwise="end")
    )

    # May it be, and who must sign? The workflow's own rules for the undoing tool say so.
    graph.add_node("judge", held(weigh))
    graph.add_node("gate", held(gate))
    graph.add_conditional_edges("judge", *route({"allow": "undo", "review": "gate"}, otherwise="next"))
    graph.add_conditional_edges("gate", *route({"approved": "undo", "superseded": "judge"}, otherwise="next"))

    # Undo it like any deed, through the gateway; then the one before it.
    graph.add_node("undo", held(execute))
    graph.add_conditional_edges("undo", *route({"changed": "judge"}, otherwise="next"))

    # One that was begun before is looked up, and nothing is begun by that.
    graph.add_node("settle", held(settle))
    graph.add_conditional_edges("settle", *route({"changed": "judge"}, otherwise="next"))

    graph.add_node("end", held(end))
    graph.add_edge("end", END)
    return graph
