"""Clearances: what legal, finance and procurement have said to a vendor's dossier, each for itself."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field

from tools.contract import Arguments, Call, Effect, Record, Tool, ToolRefused, Undo
from tools.sandbox.database import Connection, Sandbox, exists, many
from tools.sandbox.deeds import of_result, written
from tools.sandbox.vendors.entries import Entries
from tools.sandbox.vendors.register import GetVendor, VendorId

ClearanceId = Annotated[str, Field(pattern=r"^L-[0-9]{5,12}$", max_length=14)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", max_length=64)]
Department = Literal["legal", "finance", "procurement"]
WITHDRAWABLE = timedelta(days=90)


class Clearance(Record):
    """A department's word on a vendor.

    Attributes:
        dossier: the digest of the documents that it is about.
    """

    clearance_id: str
    vendor_id: str
    department: Department
    dossier: str
    status: Literal["cleared", "withdrawn"]
    created_at: datetime


class VendorClearances(Record):
    """The clearances of a vendor that stand."""

    vendor_id: str
    clearances: list[Clearance]


class RecordClearance(Arguments):
    """Which department clears whom, on which documents."""

    vendor_id: VendorId
    department: Department
    dossier: Digest


class WithdrawClearance(Arguments):
    """Which clearance to take back."""

    clearance_id: ClearanceId


_STANDING = """
    SELECT {columns} FROM vendor_clearances WHERE vendor_id = %s AND status = 'cleared'
    ORDER BY created_at, clearance_id
"""
_KNOWN = "SELECT FROM vendors WHERE vendor_id = %s"
_INSERT = """
    INSERT INTO vendor_clearances (vendor_id, department, dossier, status, created_at, idempotency_key)
    VALUES (%s, %s, %s, 'cleared', %s, %s) RETURNING {columns}
"""


def clearances_tools(sandbox: Sandbox) -> tuple[Tool, ...]:
    """Reading, recording and withdrawing clearances."""
    clearances = _Clearances(sandbox)
    return (
        Tool(
            name="vendors.clearances",
            version="1",
            purpose="List what the departments have said to a vendor.",
            effect=Effect.READ,
            arguments=GetVendor,
            result=VendorClearances,
            perform=clearances.standing,
            idempotent=True,
        ),
        Tool(
            name="vendors.record_clearance",
            version="1",
            purpose="Record that a department clears a vendor on the documents it has seen.",
            effect=Effect.WRITE,
            arguments=RecordClearance,
            result=Clearance,
            perform=clearances.recording.perform,
            idempotent=True,
            find=clearances.recording.find,
            undo=Undo(
                tool="vendors.withdraw_clearance",
                arguments=of_result("clearance_id"),
                window=WITHDRAWABLE,
                proven_for="1",
            ),
            authority=frozenset({"vendor_id", "department", "dossier"}),
        ),
        Tool(
            name="vendors.withdraw_clearance",
            version="1",
            purpose="Take back a department's clearance of a vendor.",
            effect=Effect.WRITE,
            arguments=WithdrawClearance,
            result=Clearance,
            perform=clearances.withdrawing.perform,
            idempotent=True,
            find=clearances.withdrawing.find,
            undone_outside="The department clears the vendor again.",
            authority=frozenset({"clearance_id"}),
        ),
    )


class _Clearances:
    """The deeds themselves, each one transaction that holds its key."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        entries = Entries(
            sandbox=sandbox,
            table="vendor_clearances",
            id="clearance_id",
            record=Clearance,
            stands="cleared",
            undone="withdrawn",
            window=WITHDRAWABLE,
        )
        self.recording = entries.making("vendors.record_clearance", self._record)
        self.withdrawing = entries.taking_back("vendors.withdraw_clearance")

    async def standing(self, arguments: GetVendor, _call: Call) -> VendorClearances:
        async with self._sandbox.reading() as connection:
            found = await many(connection, Clearance, _STANDING, arguments.vendor_id)
        return VendorClearances(vendor_id=arguments.vendor_id, clearances=found)

    async def _record(self, connection: Connection, wanted: RecordClearance, key: str) -> Clearance:
        """Write a department's word down."""
        if not await exists(connection, _KNOWN, wanted.vendor_id):
            raise ToolRefused(f"there is no vendor {wanted.vendor_id}")
        values = (wanted.vendor_id, wanted.department, wanted.dossier)
        return await written(connection, Clearance, _INSERT, *values, self._sandbox.now(), key)
