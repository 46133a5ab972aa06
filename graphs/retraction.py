"""What the rules for taking back a reply may read, in every workflow that answers tickets."""

from datetime import datetime
from typing import Any

from graphs.kit import Judged
from nodes.action import Proposal
from nodes.facts import Fact, Facts
from nodes.records import Records
from nodes.shapes import Json
from nodes.undoing import DEED, Deed
from tools.contract import Trust
from tools.sandbox.replies import ReplyStatus
from tools.sandbox.tickets import Ticket


class RetractionFacts(Facts):
    """What the rules for taking back a reply may read."""

    within_window: bool
    stands: bool


def retraction_facts(
    records: Records, _proposal: Proposal, arguments: Json, now: datetime
) -> dict[str, Fact]:
    """Whether the reply is still held, and whether there is time; of the case's record `ticket`."""
    ticket = records["ticket"]
    assert isinstance(ticket, Ticket)
    held = {reply.reply_id for reply in ticket.replies if reply.status is ReplyStatus.QUEUED}
    return {
        "within_window": within_window(records, now),
        "stands": on_record(arguments["reply_id"] in held, "ticket.replies", now),
    }


RETRACTION = Judged(
    tool="tickets.retract_reply",
    file="retraction.yaml",
    facts=RetractionFacts,
    gather=retraction_facts,
    own={"reply_id": "undo.reply_id"},
)
"""Taking back a reply, by the table of this name beside each such workflow."""


def within_window(records: Records, now: datetime) -> Fact:
    """Whether the deed can still be taken back; of what is no deed of ours nothing is known."""
    deed = records.get(DEED)
    within = now < deed.until if isinstance(deed, Deed) else None
    return on_record(within, f"{DEED}.until", now)


def on_record(value: Any, source: str, now: datetime) -> Fact:
    """A fact that a record says."""
    return Fact(value=value, source=source, trust=Trust.RECORD, at=now)
