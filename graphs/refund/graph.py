"""The refund graph, top to bottom."""

from graphs.flow import Builder, Flow
from graphs.refund.steps import propose_refund, propose_reply
from nodes.ask import ask
from nodes.propose import propose
from nodes.retrieve import retrieve


def build() -> Builder:
    """The uncompiled graph; whoever runs it compiles it with a checkpointer."""
    flow = Flow()

    # What is this about? Read the records, then let three agents look at what their roles may see.
    flow.step("retrieve", retrieve, {"ready": "triage", "rejected": "rejected"})
    flow.step("triage", ask("triage"), {"ready": "suspect", "blocked": "blocked"}, otherwise="uncertain")
    flow.step(
        "suspect", ask("fraud_analyst"), {"ready": "assess", "blocked": "blocked"}, otherwise="uncertain"
    )
    flow.step("assess", ask("policy"), {"ready": "propose", "blocked": "blocked"}, otherwise="uncertain")
    flow.step("propose", propose(propose_refund), {"ready": "judge"}, otherwise="uncertain", again="triage")

    # May it be done, and who must sign? Then do exactly what was signed.
    flow.deed("refund", "payments.refund", judge="judge", gate_="gate", then="tell")

    # Tell the customer: an action like any other, judged and executed like any other.
    flow.step("tell", propose(propose_reply), {"ready": "judge_reply"}, otherwise="uncertain")
    flow.deed(
        "send",
        "tickets.reply",
        judge="judge_reply",
        gate_=None,
        settle_="settle_reply",
        refused="escalated",
        then="closed",
    )

    return flow.built()
