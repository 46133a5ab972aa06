"""The ledger: deeds, each from its intent to how it ended, under the grant that it used up."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from psycopg import AsyncCursor, Rollback
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Jsonb
from sqlalchemy import select

from checkpoints import schema
from checkpoints.audit import Event, append_events
from checkpoints.columns import one_of
from checkpoints.database import Transaction
from checkpoints.grants import Grant, Use, require_used, standing_grant, use_grant
from checkpoints.halts import SessionHalts, Subject, require_none, share_halts
from checkpoints.session import Session
from checkpoints.usage import Spending, require_within, spend


class EffectState(StrEnum):
    """What is known of a deed."""

    INTENDED = "intended"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    UNDONE = "undone"


@dataclass(frozen=True, kw_only=True, slots=True)
class EffectRow:
    """A deed in the ledger, under its idempotency key; `undoes` is the key of the one that it takes back."""

    key: str
    case_id: str
    grant_id: str
    proposer: str
    tool: str
    tool_version: str
    arguments: dict[str, Any]
    digest: str
    state: EffectState
    attempts: int = 0
    receipt: dict[str, Any] | None = None
    error: str | None = None
    intended_at: datetime
    ended_at: datetime | None = None
    undoes: str | None = None


_INTEND = """
INSERT INTO effects (key, case_id, grant_id, proposer, tool, tool_version, arguments, digest, state,
                     intended_at, undoes)
VALUES (%(key)s, %(case_id)s, %(grant_id)s, %(proposer)s, %(tool)s, %(tool_version)s, %(arguments)s,
        %(digest)s, 'intended', %(intended_at)s, %(undoes)s)
ON CONFLICT DO NOTHING RETURNING key
"""
_KNOWN = "SELECT key FROM effects WHERE key = %s"
_DEEDS_BY = "proposer = %s AND tool = %s AND intended_at > %s AND state <> 'failed'"
_SETTLE = """
UPDATE effects SET state = %(state)s, receipt = %(receipt)s, error = %(error)s, ended_at = %(at)s
WHERE key = %(key)s AND state IN ('intended', 'unknown') RETURNING key
"""
_ATTEMPT = "UPDATE effects SET attempts = attempts + 1 WHERE key = %s"
_UNDO = """
UPDATE effects SET state = 'undone'
WHERE state = 'done' AND key = (SELECT undoes FROM effects WHERE key = %(key)s AND state = 'done')
RETURNING key
"""


async def effects_of(tx: Transaction, case_id: str) -> list[EffectRow]:
    """All deeds of a case, in the order they were intended."""
    e = schema.effects.c
    columns = [e[name] for name in EffectRow.__dataclass_fields__]
    query = select(*columns).where(e.case_id == case_id).order_by(e.intended_at, e.key)
    return [_effect(row._asdict()) for row in (await tx.sql.execute(query)).all()]


async def deeds_in_doubt(tx: Transaction, case_ids: Collection[str]) -> list[EffectRow]:
    """The deeds of these cases that were begun, and of which nobody knows whether they were done."""
    e = schema.effects.c
    columns = [e[name] for name in EffectRow.__dataclass_fields__]
    doubtful = e.state.in_([EffectState.INTENDED, EffectState.UNKNOWN])
    query = select(*columns).where(one_of(e.case_id, case_ids), doubtful).order_by(e.intended_at, e.key)
    return [_effect(row._asdict()) for row in (await tx.sql.execute(query)).all()]


async def settle_by_hand(
    tx: Transaction, key: str, state: EffectState, event: Event, receipt: dict[str, Any] | None
) -> bool:
    """Write what a person says became of a deed in doubt; returns False if it is in doubt no more."""
    row = {
        "key": key,
        "state": state,
        "receipt": None if receipt is None else Jsonb(receipt),
        "error": None if state is EffectState.DONE else "not_done_says_a_person",
        "at": event.at,
    }
    async with tx.driver.cursor(row_factory=dict_row) as cursor:
        settled = await _written(cursor, _SETTLE, row)
        if settled:
            await append_events(cursor, [event])
        return settled


@dataclass(frozen=True, slots=True)
class SessionLedger:
    """The ledger as the gateway writes it: on the segment's own session, around the checkpoints."""

    session: Session

    async def effect(self, key: str) -> EffectRow | None:
        """The deed under this idempotency key."""
        return next(iter(await self._effects("key = %s", key)), None)

    async def effects(self, case_id: str) -> list[EffectRow]:
        """All deeds of a case."""
        return await self._effects("case_id = %s", case_id)

    async def deeds_by(self, proposer: str, tool: str, since: datetime) -> list[EffectRow]:
        """What this proposer has done with a tool since then, or may have done: all but what failed."""
        return await self._effects(_DEEDS_BY, proposer, tool, since)

    async def grant_for(self, case_id: str, review_id: str) -> Grant | None:
        """The grant that the approval of this review gave, used or not."""
        async with self.session.asking() as cursor:
            return await standing_grant(cursor, case_id, review_id)

    @asynccontextmanager
    async def alone(self, what: str) -> AsyncIterator[None]:
        """Hold a lock of this name; whoever else asks for it waits. A session that breaks lets go of it."""
        async with self.session.lock(f"alone:{what}"):
            yield

    async def halted(self, workflow: str, effect: EffectRow) -> bool:
        """Whether a deed must stand still."""
        return bool(await SessionHalts(self.session).in_force(_subject(workflow, effect)))

    async def intend(
        self,
        grant: Grant,
        effect: EffectRow,
        event: Event,
        *,
        workflow: str,
        spending: Spending | None = None,
    ) -> bool:
        """Use up the grant and write the intent, before the call.

        A grant without a review is the gateway's own, given by the rules, and is stored here.

        Returns:
            False if the key already has a deed: nothing was written, and the deed must not be started again.

        Raises:
            GrantUnusable: the grant is used, expired, or for another action, or people have ended the case.
            Halted: the deed must stand still.
            LimitReached: more money than its caps allow.
                Nothing was written in any of these cases.
        """
        async with self.session.trial() as trial:
            halts = await share_halts(trial, _subject(workflow, effect))
            use = Use(case_id=effect.case_id, digest=effect.digest, at=effect.intended_at)
            used = await use_grant(trial, grant, use)
            intended = await trial.execute(_INTEND, _row(effect))
            known = await trial.execute(_KNOWN, (effect.key,))
            spent = spending and await spend(trial, effect.key, spending, effect.intended_at)
            await append_events(trial.cursor(), [event])

            await require_none(halts)
            if await intended.fetchone() is None and await known.fetchone() is not None:
                raise Rollback
            await require_used(used)
            if spending and spent:
                await require_within(spent, spending)
            return True
        return False

    async def attempt(self, key: str) -> None:
        """Count one more call of the tool for this deed, which nobody makes from anywhere but the head."""
        await self.session.catch_up()
        async with self.session.turn:
            await self.session.connection.execute(_ATTEMPT, (key,))

    async def settle(
        self,
        key: str,
        state: EffectState,
        event: Event,
        *,
        receipt: dict[str, Any] | None = None,
        error: str | None = None,
    ) -> None:
        """Write how a deed ended, with its event; what is already settled stays as it is.

        One that took another back makes that one `undone` in the same transaction.
        """
        row = {
            "key": key,
            "state": state,
            "receipt": None if receipt is None else Jsonb(receipt),
            "error": error,
            "at": event.at,
        }
        async with self.session.trial() as trial:
            settled = await trial.execute(_SETTLE, row)
            undone = await trial.execute(_UNDO, {"key": key})
            await append_events(trial.cursor(), [event])
            if await settled.fetchone() is None:
                raise Rollback
            told = [_undone(event, by=key, key=row[0]) for row in await undone.fetchall()]
            await append_events(trial.cursor(), told)

    async def _effects(self, where: str, *values: Any) -> list[EffectRow]:
        query = f"SELECT * FROM effects WHERE {where} ORDER BY intended_at, key"  # noqa: S608 - fixed texts
        async with self.session.asking() as cursor:
            rows = await (await cursor.execute(query, values)).fetchall()
        return [_effect(row) for row in rows]


def _undone(event: Event, *, by: str, key: str) -> Event:
    """What is to be told of the deed under `key`, which the one `by` has taken back with its own event."""
    return replace(
        event,
        id=str(uuid5(NAMESPACE_OID, f"undone/{key}")),
        kind="effect.undone",
        data={"key": key, "by": by},
    )


def _subject(workflow: str, effect: EffectRow) -> Subject:
    return Subject(workflow=workflow, agent=effect.proposer, tool=effect.tool)


async def _written(cursor: AsyncCursor[DictRow], query: str, values: dict[str, Any]) -> bool:
    await cursor.execute(query, values)
    return await cursor.fetchone() is not None


def _row(effect: EffectRow) -> dict[str, Any]:
    return asdict(effect) | {"arguments": Jsonb(effect.arguments)}


def _effect(values: dict[str, Any]) -> EffectRow:
    return EffectRow(**values | {"state": EffectState(values["state"])})
