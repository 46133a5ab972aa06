"""The event of the vendor workflow, and the records that are derived from those it reads."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from nodes.records import Records
from nodes.workflow import EventData
from tools.contract import Record
from tools.sandbox.vendors.accounts import VendorAccounts
from tools.sandbox.vendors.documents import VendorDocuments
from tools.sandbox.vendors.messages import VendorMessages
from tools.sandbox.vendors.register import Requirements, VendorId


class VendorApplication(EventData):
    """A vendor has applied."""

    vendor_id: VendorId


class Departments(Record):
    """Who has to clear a vendor, each by its name."""

    legal: Literal["legal"] = "legal"
    finance: Literal["finance"] = "finance"
    procurement: Literal["procurement"] = "procurement"


class Request(Record):
    """How a vendor is asked for what is missing: by which template, for the how-manieth time.

    Attributes:
        items: what the company's own records show to be missing: documents that are not there, or cannot be
            read. What is missing within a document only a reader can say.
    """

    template: Literal["missing_information"] = "missing_information"
    turn: int
    items: list[str]


class PaidTo(Record):
    """The account that a vendor is paid to: the one that was endorsed last."""

    account_id: str


def derive(records: Records, _now: datetime) -> Mapping[str, BaseModel]:
    """What follows from the company's own records alone."""
    messages, accounts, documents, required = (
        records[name] for name in ("messages", "accounts", "documents", "requirements")
    )
    assert isinstance(messages, VendorMessages)
    assert isinstance(accounts, VendorAccounts)
    assert isinstance(documents, VendorDocuments)
    assert isinstance(required, Requirements)
    readable = {f"document:{one.kind}" for one in documents.documents if one.trouble is None}
    lacking = [item for item in required.items if item.startswith("document:") and item not in readable]
    derived: dict[str, BaseModel] = {
        "departments": Departments(),
        "request": Request(turn=len(messages.messages) + 1, items=lacking),
    }
    if accounts.account_ids:
        derived["account"] = PaidTo(account_id=accounts.account_ids[0])
    return derived
