"""The triage graph, top to bottom."""

from graphs.flow import Builder, Flow
from graphs.triage.steps import is_open, is_refund, is_said_by_records, propose_answer, propose_draft, sort
from graphs.triage.subject import refund_request
from nodes.ask import ask
from nodes.hand_over import hand_over
from nodes.propose import propose
from nodes.retrieve import retrieve


def build() -> Builder:
    """The uncompiled graph; whoever runs it compiles it with a checkpointer."""
    flow = Flow()

    # Read the records. What is closed stays closed.
    flow.step("retrieve", retrieve, {"ready": "screen", "rejected": "rejected"})
    flow.step("screen", sort(is_open), {"open": "classify", "closed": "rejected"})

    # What is it about? Money that is wanted back for an order of theirs is a case of its own.
    flow.step("classify", ask("classifier"), {"ready": "sort", "blocked": "blocked"}, otherwise="uncertain")
    flow.step("sort", sort(is_refund), {"refund": "hand_over", "other": "resolve"}, again="classify")
    flow.step("hand_over", hand_over("com.countersign.refund.requested", refund_request), {"done": "closed"})

    # How is it answered? By our own words with the facts on record, or by a draft for people to look at.
    flow.step("resolve", ask("resolver"), {"ready": "choose", "blocked": "blocked"}, otherwise="uncertain")
    flow.step("choose", sort(is_said_by_records), {"answer": "answer", "draft": "draft"}, again="resolve")
    flow.step("answer", propose(propose_answer), {"ready": "judge"}, otherwise="uncertain", again="resolve")
    flow.step("draft", propose(propose_draft), {"ready": "judge"}, otherwise="uncertain", again="resolve")

    # May it be sent, and who must look at it first? Then send exactly that.
    flow.deed("reply", "tickets.reply", judge="judge", gate_="gate", settle_="settle", then="closed")

    return flow.built()
