"""What the rules for giving a field back its earlier value may read."""

from datetime import datetime
from typing import Any, Literal

from nodes.action import Proposal
from nodes.facts import Fact, Facts
from nodes.records import Records
from nodes.shapes import Json
from nodes.undoing import DEED, Deed
from tools.contract import Trust
from tools.sandbox.accounts.records import Account


class RestoringFacts(Facts):
    """What the rules for giving a field back its earlier value may read.

    Attributes:
        standing: whether the field still says what we set, or somebody has set it since.
    """

    within_window: bool
    standing: Literal["as_set", "set_since"]


def restoring_facts(records: Records, _proposal: Proposal, arguments: Json, now: datetime) -> dict[str, Fact]:
    """Whether there is time, and whether nobody has set the field since."""
    account, deed = records["account"], records.get(DEED)
    assert isinstance(account, Account)
    version = next(one.version for one in account.fields if one.field == arguments["field"])
    standing = "as_set" if version == arguments["version"] else "set_since"
    within = now < deed.until if isinstance(deed, Deed) else None

    def fact(value: Any, source: str) -> Fact:
        return Fact(value=value, source=source, trust=Trust.RECORD, at=now)

    return {
        "within_window": fact(within, f"{DEED}.until"),
        "standing": fact(standing, "account.fields"),
    }
