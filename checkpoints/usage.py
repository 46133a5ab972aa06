"""Usage: what cases, agents and workflows have spent, counted where it is spent, and held against caps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import DictRow, dict_row

from checkpoints.errors import LimitReached
from checkpoints.session import Session


class Kind(StrEnum):
    """What is counted."""

    MODEL_CALLS = "model_calls"
    TOKENS = "tokens"
    MONEY = "money"


class Per(StrEnum):
    """Over what it is counted."""

    CASE = "case"
    WORKFLOW = "workflow"
    AGENT = "agent"


@dataclass(frozen=True, kw_only=True, slots=True)
class Spender:
    """Who spends: an agent, or a rule, as the record names it, in a case of a workflow."""

    case_id: str
    workflow: str
    agent: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Cap:
    """The most that may be counted, over a case or since a moment."""

    per: Per
    most: int
    since: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Spending:
    """Money that a deed moves, in minor units, and what caps it."""

    spender: Spender
    amount_minor: int
    currency: str
    caps: tuple[Cap, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Effort:
    """How far a case has come: steps, runs after something broke, seconds without those it waited."""

    steps: int
    retries: int
    seconds: int


_OF = """
SELECT coalesce(sum(amount) FILTER (WHERE case_id = %(case_id)s), 0)::bigint AS "case",
       coalesce(sum(amount) FILTER (WHERE workflow = %(workflow)s
                                    AND at > %(workflow_since)s), 0)::bigint AS workflow,
       coalesce(sum(amount) FILTER (WHERE workflow = %(workflow)s AND agent = %(agent)s
                                    AND at > %(agent_since)s), 0)::bigint AS agent
FROM ({entries}) spent
"""
_WHO = """
(case_id = %(case_id)s
 OR (workflow = %(workflow)s AND {at} > least(%(workflow_since)s::timestamptz, %(agent_since)s::timestamptz)))
"""
_USED = f"""
SELECT u.case_id, u.workflow, u.agent, u.at, u.amount FROM usage u
WHERE u.kind = wanted.kind AND u.currency IS NOT DISTINCT FROM %(currency)s AND {_WHO.format(at="at")}
  AND NOT EXISTS (SELECT 1 FROM effects e WHERE e.key = u.id AND e.state = 'failed')
"""  # noqa: S608 - fixed texts
_SPENT = f"""
SELECT wanted.kind, spent.*
FROM unnest(%(kinds)s::text[]) wanted (kind) CROSS JOIN LATERAL ({_OF.format(entries=_USED)}) spent
"""  # noqa: S608 - fixed texts
_ASKED = _OF.format(
    entries=f"""
    SELECT case_id, workflow, action ->> 'proposer' AS agent, opened_at AS at, 1 AS amount FROM reviews
    WHERE kind = 'gate' AND {_WHO.format(at="opened_at")}"""  # noqa: S608 - fixed texts
)
_COUNT = """
INSERT INTO usage (id, case_id, workflow, agent, kind, amount, currency, at)
VALUES (%(id)s, %(case_id)s, %(workflow)s, %(agent)s, %(kind)s, %(amount)s, %(currency)s, %(at)s)
ON CONFLICT (id) DO NOTHING
"""
_ONE_BY_ONE = "SELECT pg_advisory_xact_lock(hashtextextended('countersign spends: ' || %s, 0))"
# What a case waits for may overlap, hence one range over all. A rollback is a run of its own.
_EFFORT = """
SELECT (SELECT count(*) FROM checkpoints WHERE thread_id = c.thread_id AND checkpoint_ns = '')::int AS steps,
       (SELECT coalesce(sum(crashes + CASE WHEN kind = 'retry' THEN 1 ELSE 0 END), 0)
        FROM commands WHERE case_id = c.id)::int AS retries,
       extract(epoch FROM %(now)s - began - coalesce((
           SELECT sum(upper(one) - lower(one)) FROM unnest((
               SELECT range_agg(tstzrange(greatest(a, began), greatest(a, b, began))) FROM (
                   SELECT opened_at, coalesce(decided_at, %(now)s) FROM reviews
                   WHERE case_id = c.id AND kind = 'gate'
                   UNION ALL SELECT since, coalesce(woken_at, %(now)s) FROM halt_waits WHERE case_id = c.id
                   UNION ALL SELECT opened_at, coalesce(closed_at, %(now)s) FROM exceptions
                   WHERE case_id = c.id
               ) AS waited (a, b))) AS one), interval '0'))::bigint AS seconds
FROM cases c CROSS JOIN LATERAL (
    SELECT coalesce((c.rollback ->> 'at')::timestamptz, c.created_at) AS began) AS run
WHERE c.id = %(case_id)s
"""


async def spend(
    trial: AsyncConnection[Any], key: str, spending: Spending, at: datetime
) -> AsyncCursor[DictRow]:
    """Count the money of a deed in the transaction of its intent, and ask how much it comes to with it.

    The intents of a workflow that are about money come one by one: a cap holds for all of them together.
    """
    await trial.execute(_ONE_BY_ONE, (spending.spender.workflow,))
    row = _row(spending.spender, key, Kind.MONEY, spending.amount_minor, at)
    row["currency"] = spending.currency
    await trial.execute(_COUNT, row)
    what = _values(spending.spender, spending.caps, at)
    what |= {"kinds": [Kind.MONEY], "currency": spending.currency}
    return await trial.cursor(row_factory=dict_row).execute(_SPENT.encode(), what)


async def require_within(spent: AsyncCursor[DictRow], spending: Spending) -> None:
    """Raise LimitReached if what was spent is more than its caps allow."""
    (row,) = await spent.fetchall()
    if (over := over_caps("limit_money", row, spending.caps)) is not None:
        raise over


def over_caps(
    reason: str, counted: dict[str, Any], caps: Sequence[Cap], more: int = 0
) -> LimitReached | None:
    """What is exceeded by what was counted and so many more; the case's own cap first."""
    for cap in caps:
        count = int(counted[cap.per]) + more
        if count > cap.most:
            return LimitReached(reason, per=cap.per, most=cap.most, count=count)
    return None


@dataclass(frozen=True, slots=True)
class SessionUsage:
    """Usage as the steps of a segment count and ask for it: on its own session."""

    session: Session

    async def count(self, spender: Spender, key: str, spent: dict[Kind, int], at: datetime) -> None:
        """Write down at once what an agent has used; the same key again counts nothing."""
        async with self.session.pipeline() as cursor:
            for kind, amount in spent.items():
                await cursor.execute(_COUNT, _row(spender, f"{key}/{kind}", kind, amount, at))

    async def spent(
        self, spender: Spender, kinds: Sequence[Kind], caps: Sequence[Cap], now: datetime
    ) -> dict[Kind, dict[str, Any]]:
        """How much of each kind was used, by `Per`, over the times of these caps.

        What came before is stored first, so that a crash does not make anybody spend the same twice.
        """
        await self.session.catch_up()
        what = _values(spender, caps, now) | {"kinds": list(kinds), "currency": None}
        async with self.session.asking() as cursor:
            rows = await (await cursor.execute(_SPENT.encode(), what)).fetchall()
        return {Kind(row.pop("kind")): row for row in rows}

    async def asked(self, spender: Spender, caps: Sequence[Cap], now: datetime) -> dict[str, Any]:
        """How often people were asked to decide something, by `Per`; each revision is one."""
        return await self._one(_ASKED, _values(spender, caps, now))

    async def effort(self, case_id: str, now: datetime) -> Effort:
        """How far a case has come."""
        return Effort(**await self._one(_EFFORT, {"case_id": case_id, "now": now}))

    async def _one(self, query: str, values: dict[str, Any]) -> dict[str, Any]:
        async with self.session.asking() as cursor:
            row = await (await cursor.execute(query.encode(), values)).fetchone()
        assert row is not None, "a sum always comes"
        return row


def _row(spender: Spender, key: str, kind: Kind, amount: int, at: datetime) -> dict[str, Any]:
    who = {"case_id": spender.case_id, "workflow": spender.workflow, "agent": spender.agent}
    return who | {"id": key, "kind": kind, "amount": amount, "currency": None, "at": at}


def _values(spender: Spender, caps: Sequence[Cap], now: datetime) -> dict[str, Any]:
    since = {cap.per: cap.since for cap in caps}
    return {
        "case_id": spender.case_id,
        "workflow": spender.workflow,
        "agent": spender.agent,
        "workflow_since": since.get(Per.WORKFLOW) or now,
        "agent_since": since.get(Per.AGENT) or now,
    }
