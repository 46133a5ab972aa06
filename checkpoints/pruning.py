"""Pruning: what a graph has kept of the steps of a case that has long ended is removed.

The log, the reviews, the ledger and the case's row hold all that explaining, replaying, exporting and rolling
back read; a rollback begins a thread of its own. So nothing of the ended thread is kept but its head's name.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg.rows import DictRow, dict_row

from checkpoints.audit import Event, tell
from checkpoints.cases import ENDED, thread_of
from checkpoints.database import Database, Transaction

AT_ONCE = 100
"""How many cases one transaction holds."""
MOST_A_ROUND = 1000

_AT_REST = """
NOT EXISTS (SELECT 1 FROM commands o WHERE o.case_id = c.id AND o.done_at IS NULL)
AND NOT EXISTS (SELECT 1 FROM reviews r WHERE r.case_id = c.id AND r.status = 'open')
"""
_LONG_ENDED = f"""
SELECT c.id, c.head, coalesce((c.rollback ->> 'number')::int, 0) AS rollbacks FROM cases c
WHERE c.pruned_at IS NULL AND c.status IN ({", ".join(f"'{status}'" for status in ENDED)})
  AND c.created_at < %(before)s AND c.updated_at < %(before)s
  AND {_AT_REST}
ORDER BY c.created_at LIMIT %(limit)s FOR UPDATE OF c SKIP LOCKED
"""  # noqa: S608 - texts of our own
# Asked again once the rows are locked: whoever gives a case work locks its row, if only by a foreign key.
_STILL = f"SELECT c.id FROM cases c WHERE c.id = ANY(%s) AND {_AT_REST}"  # noqa: S608 - texts of our own
_COUNTED = """
SELECT thread_id, count(*) AS checkpoints FROM checkpoints WHERE thread_id = ANY(%s) GROUP BY thread_id
"""
_PRUNED = "UPDATE cases SET pruned_at = %s WHERE id = ANY(%s)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Pruner:
    """Prunes the threads of cases that ended longer than `after` ago; every worker runs one."""

    database: Database
    clock: Callable[[], datetime]
    after: timedelta

    async def prune(self) -> int:
        """Prune what is due, up to `MOST_A_ROUND` cases; returns how many cases that were."""
        done = 0
        while done < MOST_A_ROUND:
            async with self.database.transaction() as tx:
                cases = await self._long_ended(tx)
                await self._pruned(tx, cases)
            done += len(cases)
            if len(cases) < AT_ONCE:
                break
        return done

    async def _long_ended(self, tx: Transaction) -> list[DictRow]:
        """Cases that have ended, with nothing to be done or decided; they are locked."""
        values = {"before": self.clock() - self.after, "limit": AT_ONCE}
        async with tx.driver.cursor(row_factory=dict_row) as cursor:
            found = await (await cursor.execute(_LONG_ENDED.encode(), values)).fetchall()
            await cursor.execute(_STILL.encode(), ([case["id"] for case in found],))
            still = {row["id"] for row in await cursor.fetchall()}
        return [case for case in found if case["id"] in still]

    async def _pruned(self, tx: Transaction, cases: Sequence[DictRow]) -> None:
        now = self.clock()
        threads = {case["id"]: _threads(case) for case in cases}
        every = [thread for named in threads.values() for thread in named]
        async with tx.driver.cursor(row_factory=dict_row) as cursor:
            rows = await (await cursor.execute(_COUNTED, (every,))).fetchall()
        counted = {row["thread_id"]: row["checkpoints"] for row in rows}
        await AsyncPostgresSaver(tx.driver).aprune(every, strategy="delete")
        await tx.driver.execute(_PRUNED, (now, list(threads)))
        found = {case["id"]: sum(counted.get(one, 0) for one in threads[case["id"]]) for case in cases}
        await tell(tx, *(self._event(case, found[case["id"]], now) for case in cases if found[case["id"]]))

    def _event(self, case: DictRow, checkpoints: int, at: datetime) -> Event:
        told: dict[str, Any] = {
            "checkpoints": checkpoints,
            "head": case["head"],
            "after_days": self.after.days,
        }
        return Event(
            id=str(uuid5(NAMESPACE_OID, f"pruned:{case['id']}:{case['head']}")),
            case_id=case["id"],
            kind="checkpoints.pruned",
            actor="system:pruning",
            at=at,
            data=told,
        )


def _threads(case: DictRow) -> list[str]:
    return [thread_of(case["id"], number) for number in range(case["rollbacks"] + 1)]
