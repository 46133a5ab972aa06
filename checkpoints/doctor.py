"""The doctor: proves by one query that nothing is stuck outside of a named state; says what to do if so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from checkpoints.cases import ENDED, EXCEPTIONAL, UNDER_WAY
from checkpoints.queue import SEGMENT_TASK

ORPHANED_AFTER = timedelta(minutes=5)
"""The reconciler gives a job to what lost its own after one minute, looking once a minute."""
TOO_LONG = timedelta(hours=1)
LAGS_AFTER = timedelta(minutes=5)

_FAULTS = {
    "case_without_work": """
        SELECT c.id, c.status AS says FROM cases c
        WHERE c.status = ANY(%(under_way)s) AND c.updated_at < %(orphaned)s AND NOT EXISTS (
            SELECT 1 FROM commands o JOIN procrastinate_jobs j ON j.args ->> 'command_id' = o.id
            WHERE o.case_id = c.id AND o.done_at IS NULL AND j.status IN ('todo', 'doing'))""",
    "standstill_without_exception": """
        SELECT c.id, c.status AS says FROM cases c
        WHERE {stands} AND NOT EXISTS (
            SELECT 1 FROM exceptions e
            WHERE e.case_id = c.id AND e.closed_at IS NULL AND e.status = c.status)""",
    "standstill_without_owner": """
        SELECT c.id, c.status AS says FROM cases c LEFT JOIN exceptions e
          ON e.case_id = c.id AND e.closed_at IS NULL
        WHERE {stands}
          AND (coalesce(c.owner, '') = '' OR coalesce(e.owner, c.owner) <> c.owner)""",
    "exception_of_a_case_that_moved_on": """
        SELECT e.id, c.status AS says FROM exceptions e JOIN cases c ON c.id = e.case_id
        WHERE e.closed_at IS NULL AND NOT {stands}""",
    "waiting_without_review": """
        SELECT c.id, c.status AS says FROM cases c
        WHERE c.status IN ('waiting_review', 'waiting_info') AND NOT {stands} AND NOT EXISTS (
            SELECT 1 FROM reviews r WHERE r.case_id = c.id AND r.status = 'open' AND r.kind = 'gate')""",
    "review_of_an_ended_case": """
        SELECT r.id, c.status AS says FROM reviews r JOIN cases c ON c.id = r.case_id
        WHERE r.status = 'open' AND r.kind = 'gate' AND c.status = ANY(%(ended)s)""",
    "deed_in_doubt_of_an_ended_case": """
        SELECT e.key, e.state AS says FROM effects e JOIN cases c ON c.id = e.case_id
        WHERE e.state IN ('intended', 'unknown') AND c.status = ANY(%(ended)s)""",
    "command_open_too_long": """
        SELECT o.id, o.kind AS says FROM commands o
        WHERE o.done_at IS NULL AND o.created_at < %(too_long)s""",
    "job_without_command": """
        SELECT j.id::text, j.status::text AS says FROM procrastinate_jobs j
        WHERE j.task_name = %(task)s AND j.status IN ('todo', 'doing') AND NOT EXISTS (
            SELECT 1 FROM commands o WHERE o.id = j.args ->> 'command_id'
              AND (o.done_at IS NULL OR o.done_at > %(too_long)s))""",
    "event_outside_the_tree": """
        SELECT e.id, e.kind AS says FROM audit_pending p JOIN audit_events e ON e.seq = p.seq
        WHERE e.at < %(lags)s""",
    "sealed_value_of_no_case": """
        SELECT s.commitment, s.field AS says FROM sealed_values s
        WHERE NOT EXISTS (SELECT 1 FROM cases c WHERE c.id = s.case_id)""",
}
_STANDS = """(c.status = ANY(%(exceptional)s)
    OR (c.status = 'waiting_info' AND c.reason IS DISTINCT FROM 'info_requested'))"""
_ALL = " UNION ALL ".join(
    f"SELECT '{name}' AS fault, * FROM ({query.replace('{stands}', _STANDS)}) AS {name} (subject, says)"  # noqa: S608 - our own texts
    for name, query in _FAULTS.items()
)

TO_DO = {
    "case_without_work": "Is a worker running? It picks the case up within two minutes, or fails it.",
    "standstill_without_exception": "Cancel the case, or have its owner set its status again; report a bug.",
    "standstill_without_owner": "Hand the exception over: countersign hand-over.",
    "exception_of_a_case_that_moved_on": "Nothing waits for it; report a bug.",
    "waiting_without_review": "Cancel the case: countersign cancel; report a bug.",
    "review_of_an_ended_case": "Reject the review: it can set nothing going.",
    "deed_in_doubt_of_an_ended_case": "Look in the tool's own system whether it was done; report a bug.",
    "command_open_too_long": "Is a worker running, and do its log lines say why it cannot go on?",
    "job_without_command": "A worker takes it and finds nothing to do; is one running?",
    "event_outside_the_tree": "Is a worker running? It puts events into the tree every second.",
    "sealed_value_of_no_case": "Somebody has removed a case past every rule: restore it from a backup.",
}
"""For each fault what to do about it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something that is outside of every named state.

    Attributes:
        subject: the id of the case, review, exception, command, job, event, or the key of the deed.
        says: its status or kind, as its row has it.
    """

    fault: str
    subject: str
    says: str

    @property
    def to_do(self) -> str:
        """What to do about it."""
        return TO_DO[self.fault]


async def examine(connection: AsyncConnection[Any], at: datetime) -> list[Finding]:
    """Everything that is stuck outside of a named state at this time; nothing if all is well."""
    values: Mapping[str, Any] = {
        "under_way": _texts(UNDER_WAY),
        "exceptional": _texts(EXCEPTIONAL),
        "ended": _texts(ENDED),
        "orphaned": at - ORPHANED_AFTER,
        "too_long": at - TOO_LONG,
        "lags": at - LAGS_AFTER,
        "task": SEGMENT_TASK,
    }
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(f"{_ALL} ORDER BY 1, 2".encode(), values)
        return [Finding(**row) for row in await cursor.fetchall()]


def _texts(statuses: Sequence[str]) -> list[str]:
    return [str(status) for status in statuses]
