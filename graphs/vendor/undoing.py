"""What the rules for taking back a deed of the vendor workflow may read."""

from datetime import datetime

from nodes.action import Proposal
from nodes.facts import Fact, Facts
from nodes.records import Records
from nodes.shapes import Json
from nodes.undoing import DEED, Deed
from tools.contract import Trust
from tools.sandbox.vendors.accounts import VendorAccounts
from tools.sandbox.vendors.clearances import VendorClearances
from tools.sandbox.vendors.messages import VendorMessages
from tools.sandbox.vendors.register import Vendor, VendorStatus


class UndoFacts(Facts):
    """What the rules for taking something back may read."""

    within_window: bool
    stands: bool


def revocation_facts(
    records: Records, _proposal: Proposal, arguments: Json, now: datetime
) -> dict[str, Fact]:
    """Whether the account stands endorsed."""
    accounts = records["accounts"]
    assert isinstance(accounts, VendorAccounts)
    return _facts(records, arguments["account_id"] in accounts.account_ids, "accounts.account_ids", now)


def withdrawal_facts(
    records: Records, _proposal: Proposal, arguments: Json, now: datetime
) -> dict[str, Fact]:
    """Whether the department's word stands."""
    found = records["clearances"]
    assert isinstance(found, VendorClearances)
    standing = {clearance.clearance_id for clearance in found.clearances}
    return _facts(records, arguments["clearance_id"] in standing, "clearances.clearances", now)


def deactivation_facts(
    records: Records, _proposal: Proposal, _arguments: Json, now: datetime
) -> dict[str, Fact]:
    """Whether the vendor is active."""
    vendor = records["vendor"]
    assert isinstance(vendor, Vendor)
    return _facts(records, vendor.status is VendorStatus.ACTIVE, "vendor.status", now)


def retraction_facts(
    records: Records, _proposal: Proposal, arguments: Json, now: datetime
) -> dict[str, Fact]:
    """Whether the message is still held."""
    found = records["messages"]
    assert isinstance(found, VendorMessages)
    held = {message.message_id for message in found.messages if now < message.send_after}
    return _facts(records, arguments["message_id"] in held, "messages.messages", now)


def _facts(records: Records, stands: bool, source: str, now: datetime) -> dict[str, Fact]:  # noqa: FBT001 - a fact's value
    """Of what is no deed of ours nothing is known."""
    deed = records.get(DEED)
    within = now < deed.until if isinstance(deed, Deed) else None
    return {
        "within_window": Fact(value=within, source=f"{DEED}.until", trust=Trust.RECORD, at=now),
        "stands": Fact(value=stands, source=source, trust=Trust.RECORD, at=now),
    }
