"""Activation: a vendor that may be bought from and paid, to one endorsed account, and the end of that."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from tools.contract import Arguments, Call, Effect, Record, Tool, ToolRefused, Undo
from tools.sandbox.database import Connection, Sandbox, confirmed, exists, one
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
            perform=activations.activate,
            idempotent=True,
            find=activations.entries.find,
            undo=Undo(tool="vendors.deactivate", arguments=_activation_id, window=ENDABLE, proven_for="1"),
            authority=frozenset({"vendor_id", "account_id"}),
        ),
        Tool(
            name="vendors.deactivate",
            version="1",
            purpose="End a vendor's activation: it has applied, as before.",
            effect=Effect.WRITE,
            arguments=DeactivateVendor,
            result=Activation,
            perform=activations.deactivate,
            idempotent=True,
            find=activations.entries.find_undone,
            undone_outside="The vendor is activated again in a new case.",
            authority=frozenset({"activation_id"}),
        ),
    )


def _activation_id(_arguments: BaseModel, result: BaseModel) -> Mapping[str, Any]:
    return {"activation_id": Activation.model_validate(result).activation_id}


class _Activations:
    """The deeds themselves, each one transaction that holds its key."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.entries = Entries(
            sandbox=sandbox,
            table="vendor_activations",
            id="activation_id",
            record=Activation,
            deed="vendors.activate",
            undoing="vendors.deactivate",
            stands="active",
            undone="ended",
            window=ENDABLE,
        )

    async def activate(self, arguments: ActivateVendor, call: Call) -> Activation:
        """Activate a vendor that has applied, once a key, with an account that stands endorsed for it."""
        async with self._sandbox.writing("vendors.activate", call.key) as connection:
            done = await self.entries.made_under(connection, call.key)
            if done is not None:
                return confirmed(done, arguments)
            if not await exists(connection, _HOLD_APPLIED, arguments.vendor_id):
                raise ToolRefused(f"there is no application of {arguments.vendor_id}")
            if not await exists(connection, _ENDORSED, arguments.account_id, arguments.vendor_id):
                raise ToolRefused(f"{arguments.account_id} is not endorsed for {arguments.vendor_id}")
            await connection.execute(_SET, ("active", arguments.vendor_id))
            values = (arguments.vendor_id, arguments.account_id, self._sandbox.now(), call.key)
            activation = await one(connection, Activation, _INSERT, *values)
            assert activation is not None  # INSERT … RETURNING answers with its row
            return activation

    async def deactivate(self, arguments: DeactivateVendor, call: Call) -> Activation:
        """End an activation, once: the vendor has applied, as before."""
        return await self.entries.take_back(arguments.activation_id, call.key, _as_before)


async def _as_before(connection: Connection, activation: Activation) -> None:
    await connection.execute(_SET, ("applied", activation.vendor_id))
