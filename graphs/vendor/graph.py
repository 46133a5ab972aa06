"""The vendor graph, top to bottom."""

from graphs.flow import Builder, Flow, signed_lane
from graphs.vendor.proposals import (
    activation,
    endorsement,
    finance_clearance,
    legal_clearance,
    procurement_clearance,
)
from graphs.vendor.steps import ask_vendor, await_answer, check, compare_account, open_lanes
from nodes.ask import ask
from nodes.lane import meet
from nodes.propose import propose
from nodes.retrieve import retrieve

_LANES = {
    "legal": legal_clearance,
    "finance": finance_clearance,
    "procurement": procurement_clearance,
}
_AFTER_LANES = {
    "done": "propose_activation",
    "rejected": "rejected",
    "expired": "rejected",
    "refuse": "rejected",
    "blocked": "blocked",
    "failed": "failed",
    "unknown": "uncertain",
}


def build() -> Builder:
    """The uncompiled graph; whoever runs it compiles it with a checkpointer."""
    flow = Flow()

    # What do the papers say, and is it really written there?
    flow.step("retrieve", retrieve, {"ready": "extract", "rejected": "rejected"})
    flow.step("extract", ask("extractor"), {"ready": "check", "blocked": "blocked"}, otherwise="uncertain")
    to = {"complete": "screen", "missing": "ask_vendor", "blocked": "blocked"}
    flow.step("check", check, to, otherwise="uncertain", again="retrieve")

    # What is missing goes back to the vendor, in our own words; then the case waits for an answer.
    to = {"ready": "judge_request", "blocked": "blocked"}
    flow.step("ask_vendor", ask_vendor, to, otherwise="uncertain")
    flow.deed(
        "request",
        "vendors.request_information",
        refused="escalated",
        declined="escalated",
        then="await_answer",
    )
    to = {"informed": "retrieve", "waiting": "waiting_info", "silent": "escalated"}
    flow.step("await_answer", await_answer, to)

    # Who is it, and is the account one that people have endorsed?
    flow.step("screen", ask("screener"), {"ready": "compare", "blocked": "blocked"}, otherwise="uncertain")
    to = {"known": "clear", "new": "propose_account", "blocked": "blocked"}
    flow.step("compare", compare_account, to, otherwise="uncertain")
    flow.step("propose_account", propose(endorsement), {"ready": "judge_endorse"}, otherwise="uncertain")
    flow.deed("endorse", "vendors.endorse_account", then="clear")

    # Legal, finance and procurement look at the same dossier side by side; each for itself says yes or no.
    flow.step("clear", open_lanes, "legal")
    for name, proposal in _LANES.items():
        flow.step(name, signed_lane(name, propose(proposal), "vendors.record_clearance"), "meet")
    for name in ("finance", "procurement"):
        flow.graph.add_edge("clear", name)
    flow.step("meet", meet(*_LANES), _AFTER_LANES, otherwise="escalated")

    # Once all three are on record, the rules alone activate the vendor, with the account that was endorsed.
    flow.step("propose_activation", propose(activation), {"ready": "judge_activate"}, otherwise="uncertain")
    flow.deed("activate", "vendors.activate", gate_=None, then="closed")

    return flow.built()
