"""Fields: set on the version that was seen, and restored to what they were and who had set them."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field, model_validator

from tools.contract import Arguments, Effect, Record, RecordNotFound, Tool, ToolRefused, Undo
from tools.sandbox.accounts.records import AccountId, FieldValue
from tools.sandbox.crm.vocabulary import FieldName, fits
from tools.sandbox.database import Connection, Sandbox, exists, one
from tools.sandbox.deeds import Deed, of_result, written

RESTORABLE = timedelta(days=30)
Version = Annotated[int, Field(ge=1, lt=2**63)]


class FieldChange(Record):
    """A value that was set, and what the field said before, since when and by whom."""

    version: int
    account_id: str
    field: FieldName
    value: str
    expected_version: int
    earlier_value: str | None
    earlier_set_by: str
    earlier_set_at: datetime
    set_at: datetime
    status: Literal["done", "restored"]


class SetField(Arguments):
    """What a field shall say, if it is still what it was at a version."""

    account_id: AccountId
    field: FieldName
    value: Annotated[str, Field(min_length=1, max_length=253)]
    expected_version: Version

    @model_validator(mode="after")
    def _value_fits(self) -> "SetField":
        if not fits(self.field, self.value):
            raise ValueError(f"{self.field} has no such value")
        return self


class RestoreField(Arguments):
    """Which change to take back: the one that gave a field this version."""

    account_id: AccountId
    field: FieldName
    version: Version


_DONE_UNDER = "SELECT {columns} FROM crm_changes WHERE idempotency_key = %s"
_RESTORED_UNDER = "SELECT {columns} FROM crm_changes WHERE restoring_key = %s"
_ACTIVE = "SELECT FROM crm_accounts WHERE account_id = %s AND status = 'active' FOR SHARE"
_HOLD_FIELD = "SELECT {columns} FROM crm_fields WHERE account_id = %s AND field = %s FOR UPDATE"
_HOLD_CHANGE = """
    SELECT {columns} FROM crm_changes WHERE account_id = %s AND field = %s AND version = %s FOR UPDATE
"""
_SET = """
    UPDATE crm_fields SET value = %s, set_by = 'countersign', set_at = %s, version = nextval('crm_versions')
    WHERE account_id = %s AND field = %s RETURNING {columns}
"""
_KEEP = """
    INSERT INTO crm_changes (version, account_id, field, value, expected_version, earlier_value,
                             earlier_set_by, earlier_set_at, set_at, status, idempotency_key)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 'done', %s) RETURNING {columns}
"""
_RESTORE = """
    UPDATE crm_fields SET value = %s, set_by = %s, set_at = %s, version = %s
    WHERE account_id = %s AND field = %s RETURNING {columns}
"""
_RESTORED = """
    UPDATE crm_changes SET status = 'restored', restoring_key = %s WHERE version = %s RETURNING {columns}
"""


def fields_tools(sandbox: Sandbox) -> tuple[Tool, ...]:
    """The two tools that change the CRM."""
    doing = _Doing(sandbox)
    setting = Deed(
        sandbox=sandbox,
        name="crm.set_field",
        result=FieldChange,
        done_under=_DONE_UNDER,
        write=doing.set,
    )
    restoring = Deed(
        sandbox=sandbox,
        name="crm.restore_field",
        result=FieldChange,
        done_under=_RESTORED_UNDER,
        write=doing.restore,
    )
    return (
        Tool(
            name="crm.set_field",
            version="1",
            purpose="Set one field of an account, unless somebody has set it since it was looked at.",
            effect=Effect.WRITE,
            arguments=SetField,
            result=FieldChange,
            perform=setting.perform,
            idempotent=True,
            find=setting.find,
            undo=Undo(
                tool="crm.restore_field",
                arguments=of_result("account_id", "field", "version"),
                window=RESTORABLE,
                proven_for="1",
            ),
            authority=frozenset({"account_id", "field", "expected_version"}),
        ),
        Tool(
            name="crm.restore_field",
            version="1",
            purpose="Give a field back what it said before we set it, unless somebody has set it since.",
            effect=Effect.WRITE,
            arguments=RestoreField,
            result=FieldChange,
            perform=restoring.perform,
            idempotent=True,
            find=restoring.find,
            undone_outside="Somebody sets the field in the CRM.",
            authority=frozenset({"account_id", "field", "version"}),
        ),
    )


class _Doing:
    """The deeds themselves, within the transaction that holds their key."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def set(self, connection: Connection, wanted: SetField, key: str) -> FieldChange:
        """Set a field, if it still is at the expected version and says something else."""
        if not await exists(connection, _ACTIVE, wanted.account_id):
            raise ToolRefused(f"there is no active account {wanted.account_id}")
        before = await self._hold(connection, wanted.account_id, wanted.field)
        _require_version(before, wanted.expected_version)
        if before.value == wanted.value:
            raise ToolRefused(f"{wanted.field} of {wanted.account_id} says so already")
        now, where = self._sandbox.now(), (before.account_id, before.field)
        after = await written(connection, FieldValue, _SET, wanted.value, now, *where)
        earlier = (before.version, before.value, before.set_by, before.set_at)
        kept = (after.version, *where, wanted.value, *earlier, now, key)
        return await written(connection, FieldChange, _KEEP, *kept)

    async def restore(self, connection: Connection, wanted: RestoreField, key: str) -> FieldChange:
        """Take a change back, in time, if nobody has set the field since."""
        change = await self._hold_change(connection, wanted)
        _require_version(await self._hold(connection, change.account_id, change.field), change.version)
        earlier = (change.earlier_value, change.earlier_set_by, change.earlier_set_at)
        where = (change.account_id, change.field)
        await written(connection, FieldValue, _RESTORE, *earlier, change.expected_version, *where)
        return await written(connection, FieldChange, _RESTORED, key, change.version)

    async def _hold(self, connection: Connection, account_id: str, field: str) -> FieldValue:
        held = await one(connection, FieldValue, _HOLD_FIELD, account_id, field)
        assert held is not None, "every account has a row for every field"
        return held

    async def _hold_change(self, connection: Connection, arguments: RestoreField) -> FieldChange:
        what = (arguments.account_id, arguments.field, arguments.version)
        change = await one(connection, FieldChange, _HOLD_CHANGE, *what)
        if change is None:
            raise RecordNotFound(f"{arguments.field} of {arguments.account_id} was never set by us like that")
        if change.status == "restored":
            raise ToolRefused(f"{arguments.field} of {arguments.account_id} has been restored already")
        if self._sandbox.now() > change.set_at + RESTORABLE:
            raise ToolRefused(f"{arguments.field} of {arguments.account_id} can no longer be restored")
        return change


def _require_version(now: FieldValue, expected: int) -> None:
    if now.version != expected:
        raise ToolRefused(f"{now.field} of {now.account_id} has been set by {now.set_by} since")
