"""Which cases a batch of rollbacks is about, and how far it is: read from cases, deeds and commands."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import DictRow, dict_row

from checkpoints.database import Transaction

_CASES_OF = """
SELECT DISTINCT c.id FROM cases c JOIN effects e ON e.case_id = c.id JOIN grants g ON g.id = e.grant_id
WHERE c.workflow = %(workflow)s AND e.undoes IS NULL AND e.state <> 'failed'
  AND e.intended_at >= %(since)s AND e.intended_at < %(until)s
  AND (%(agent)s::text IS NULL OR e.proposer = %(agent)s)
  AND (%(rules)s::text IS NULL OR g.action #>> '{rules,digest}' = %(rules)s)
  AND (%(version)s::text IS NULL OR EXISTS (
      SELECT FROM audit_events a WHERE a.case_id = c.id AND a.kind = 'agent.found'
        AND a.actor = %(agent)s AND a.data ->> 'version' = %(version)s))
ORDER BY c.id LIMIT %(limit)s
"""
_BATCH = "SELECT actor, at, data FROM audit_events WHERE id = %s AND kind = 'rollback.requested'"
_ITEMS = """
SELECT o.case_id, o.done_at, o.outcome, o.payload ->> 'number' AS number, c.status, c.reason, c.owner,
       c.rollback ->> 'number' AS latest
FROM commands o JOIN cases c ON c.id = o.case_id WHERE o.batch = %s ORDER BY o.case_id
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """Whose deeds a batch is about: of a workflow, intended from `since` until before `until`.

    Attributes:
        agent: who proposed them, such as `agent:policy`.
        agent_version: of that agent, as its findings say.
        rules_digest: of the table by which they were judged.
    """

    workflow: str
    since: datetime
    until: datetime
    agent: str | None = None
    agent_version: str | None = None
    rules_digest: str | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON-shaped, as it is recorded."""
        return {
            "workflow": self.workflow,
            "from": self.since.isoformat(),
            "to": self.until.isoformat(),
            "agent": self.agent,
            "agent_version": self.agent_version,
            "rules_digest": self.rules_digest,
        }


async def cases_of(tx: Transaction, choice: Choice, limit: int) -> list[str]:
    """The ids of the cases with such deeds, sorted; at most so many."""
    values = {
        "workflow": choice.workflow,
        "since": choice.since,
        "until": choice.until,
        "agent": choice.agent,
        "version": choice.agent_version,
        "rules": choice.rules_digest,
        "limit": limit,
    }
    async with tx.driver.cursor(row_factory=dict_row) as cursor:
        return [row["id"] for row in await (await cursor.execute(_CASES_OF, values)).fetchall()]


async def batch_event(tx: Transaction, batch: str) -> DictRow | None:
    """What was asked for when a batch was started; None if there is no such batch."""
    async with tx.driver.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(_BATCH, (batch,))).fetchone()


async def batch_items(tx: Transaction, batch: str) -> list[DictRow]:
    """The commands of a batch, each with where its case stands."""
    async with tx.driver.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(_ITEMS, (batch,))).fetchall()
