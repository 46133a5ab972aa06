"""Activation: a vendor that may be bought from and paid, to one endorsed account, and the end of that."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field

from tools.contract import Arguments, Effect, Record, Tool, ToolRefused, Undo
from tools.sandbox.database import Connection, Sandbox, exists
from tools.sandbox.deeds import of_result, written
from tools.sandbox.vendors.accounts import AccountId
from tools.sandbox.vendors.entries import Entries
from tools.sandbox.vendors.register import VendorId

ActivationId = Annotated[str, Field(pattern=r"^N-[0-9]{5,12}$", max_length=14)]
ENDABLE = timedelta(days=90)


class Activation(Record):
    """That a vendor is active, and to which account it is paid."""

    activation_id: str
    vendor_id: str
    account_id: str
    status: Literal["active", "ended"]
    created_at: datetime


class ActivateVendor(Arguments):
    """Which vendor to activate, and to which of its endorsed accounts it is paid."""

    vendor_id: VendorId
    account_id: AccountId


class DeactivateVendor(Arguments):
    """Which activation to end."""

    activation_id: ActivationId


_HOLD_APPLIED = "SELECT FROM vendors WHERE vendor_id = %s AND status = 'applied' FOR UPDATE"
_ENDORSED = """
    SELECT FROM vendor_accounts WHERE account_id = %s AND vendor_id = %s AND status = 'endorsed' FOR UPDATE
"""
_SET = "UPDATE vendors SET status = %s WHERE vendor_id = %s"
_INSERT = """
    INSERT INTO vendor_activations (vendor_id, account_id, status, created_at, idempotency_key)
    VALUES (%s, %s, 'active', %s, %s) RETURNING {columns}
"""


def activation_tools(sandbox: Sandbox) -> tuple[Tool, ...]:
    """Activating a vendor, and ending that."""
    activations = _Activations(sandbox)
    return (
        Tool(
            name="vendors.activate",
            version="1",
            purpose="Activate a vendor that has applied, to be paid to one of its endorsed accounts.",
            effect=Effect.WRITE,
            arguments=ActivateVendor,
            result=Activation,
            perform=activations.activating.perform,
            idempotent=True,
            find=activations.activating.find,
            undo=Undo(
                tool="vendors.deactivate",
                arguments=of_result("activation_id"),
                window=ENDABLE,
                proven_for="1",
            ),
            authority=frozenset({"vendor_id", "account_id"}),
        ),
        Tool(
            name="vendors.deactivate",
            version="1",
            purpose="End a vendor's activation: it has applied, as before.",
            effect=Effect.WRITE,
            arguments=DeactivateVendor,
            result=Activation,
            perform=activations.ending.perform,
            idempotent=True,
            find=activations.ending.find,
            undone_outside="The vendor is activated again in a new case.",
            authority=frozenset({"activation_id"}),
        ),
    )


class _Activations:
    """The deeds themselves, each one transaction that holds its key."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        entries = Entries(
            sandbox=sandbox,
            table="vendor_activations",
            id="activation_id",
            record=Activation,
            stands="active",
            undone="ended",
            window=ENDABLE,
        )
        self.activating = entries.making("vendors.activate", self._activate)
        self.ending = entries.taking_back("vendors.deactivate", _as_before)

    async def _activate(self, connection: Connection, wanted: ActivateVendor, key: str) -> Activation:
        """Activate a vendor that has applied, with an account that stands endorsed for it."""
        if not await exists(connection, _HOLD_APPLIED, wanted.vendor_id):
            raise ToolRefused(f"there is no application of {wanted.vendor_id}")
        if not await exists(connection, _ENDORSED, wanted.account_id, wanted.vendor_id):
            raise ToolRefused(f"{wanted.account_id} is not endorsed for {wanted.vendor_id}")
        await connection.execute(_SET, ("active", wanted.vendor_id))
        values = (wanted.vendor_id, wanted.account_id, self._sandbox.now(), key)
        return await written(connection, Activation, _INSERT, *values)


async def _as_before(connection: Connection, activation: Activation) -> None:
    await connection.execute(_SET, ("applied", activation.vendor_id))
