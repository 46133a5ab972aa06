"""The truths that hold whatever was killed, frozen, doubled or cut off; in words where one does not.

    broken = await broken_truths(ours, sandbox, signer=parts.signer, at=parts.clock())
    assert broken == []

`ours` and `sandbox` are the addresses of our database and of the sandbox company's; any role will do, ours is
looked at as its owner. It may be asked at any time: a case that has a live job is as it should be, so whoever
expects rest asks when work is done. `at` is the time it is, not before anything that was told. What waits for
the log's tree is put into it, as every worker does, and nothing else is changed.

Each sentence begins with what it is about:

- `hidden`, `doubled`, `lost`: every deed in the company's books is in the ledger, once, and not as one that
  failed; what the ledger calls done was done there, and a grant that is used up was used for a deed.
- `without its grant`: every deed has used a grant of its own, for this very action, given by rules or by
  people, and the company's books say what was signed.
- `in doubt`: a deed of which nobody knows is one of a case that has an owner, or that somebody works on.
- `stuck`: no case is, and none stands still without a reason and an owner.
- `log`: it verifies, tells every deed as it ended, every review once, and nothing that is not.
- `asked twice`: nobody was, about the same action, nor counted twice.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import combinations
from typing import Any, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from checkpoints.audit_tree import grow_tree
from checkpoints.audit_verify import verify_log
from checkpoints.cases import EXCEPTIONAL, UNDER_WAY, Status
from checkpoints.doctor import ORPHANED_AFTER, examine
from checkpoints.notes import Signer
from tests.databases import as_owner
from tests.engine.books import Deed, Row, deeds_at

_PATIENCE = 2 * ORPHANED_AFTER
_WITH_OUTCOME = {"done": "effect.done", "undone": "effect.done", "failed": "effect.failed"}
_OWNED = {*EXCEPTIONAL, Status.WAITING_REVIEW, Status.WAITING_INFO}
_ONCE = ("effect.intended", "effect.done", "effect.failed", "effect.undone")

_EFFECTS = """
SELECT e.key, e.case_id, e.tool, e.state, e.arguments, e.digest, c.status AS case_status, c.owner,
       g.digest AS grant_digest, g.case_id AS grant_case, g.used_at, g.revoked_at, g.review_id,
       r.status AS review_status, i.data #>> '{verdict,outcome}' AS asked
FROM effects e JOIN cases c ON c.id = e.case_id JOIN grants g ON g.id = e.grant_id
LEFT JOIN reviews r ON r.id = g.review_id
LEFT JOIN LATERAL (SELECT data FROM audit_events a WHERE a.case_id = e.case_id
                   AND a.kind = 'effect.intended' AND a.data ->> 'key' = e.key LIMIT 1) i ON true
ORDER BY e.intended_at, e.key
"""
_UNUSED = """
SELECT g.id, g.case_id FROM grants g
WHERE g.used_at IS NOT NULL AND NOT EXISTS (SELECT FROM effects e WHERE e.grant_id = g.id)
"""
_TOLD = """
SELECT kind, data ->> 'key' AS key, data ->> 'end' AS ended FROM audit_events
WHERE (kind LIKE 'effect.%' OR kind = 'action.executed') AND data ->> 'key' IS NOT NULL ORDER BY seq
"""
_CASES = "SELECT id, status, reason, owner FROM cases ORDER BY id"
_AT_WORK = """
SELECT c.id FROM cases c WHERE EXISTS (
    SELECT FROM procrastinate_jobs j JOIN commands o ON o.id = j.args ->> 'command_id'
    WHERE o.case_id = c.id AND o.done_at IS NULL AND j.status IN ('todo', 'doing'))
"""
_REVIEWS = """
SELECT r.id, r.case_id, r.tool, r.digest, (SELECT count(*) FROM audit_events a
    WHERE a.kind = 'review.opened' AND a.data ->> 'review' = r.id) AS opened
FROM reviews r WHERE r.kind = 'gate' ORDER BY r.opened_at, r.id
"""
_OPENED_ONLY = """
SELECT data ->> 'review' AS id FROM audit_events a
WHERE kind = 'review.opened' AND NOT EXISTS (SELECT FROM reviews r WHERE r.id = a.data ->> 'review')
"""
_COUNTED_TWICE = """
SELECT v.review_id, v.person FROM votes v
WHERE v.kind IN ('approve', 'override', 'break_glass', 'reject')
  AND NOT EXISTS (SELECT FROM withdrawals w WHERE w.vote_id = v.id)
GROUP BY v.review_id, v.person HAVING count(*) > 1
"""


async def broken_truths(ours: str, sandbox: str, *, signer: Signer, at: datetime) -> list[str]:
    """What is not as it must be, a sentence each; nothing if all is."""
    company = await deeds_at(sandbox)
    async with await AsyncConnection.connect(as_owner(ours), autocommit=True) as connection:
        while await grow_tree(connection, lambda: at, signer):
            pass
        verification = await verify_log(connection, [signer.key])
        effects = await _rows(connection, _EFFECTS)
        at_work = {row["id"] for row in await _rows(connection, _AT_WORK)}
        return [
            *(f"log: it does not verify: {fault}" for fault in verification.faults),
            *_of_the_company(company, effects),
            *_of_grants(effects, await _rows(connection, _UNUSED)),
            *_of_the_log(effects, await _rows(connection, _TOLD)),
            *_of_deeds_in_doubt(effects, at_work),
            *_of_cases(await _rows(connection, _CASES)),
            *await _of_the_doctor(connection, at),
            *_of_people(await _rows(connection, _REVIEWS)),
            *(
                f"log: it tells of a review that there is not: {row['id']}"
                for row in await _rows(connection, _OPENED_ONLY)
            ),
            *(
                f"asked twice: {row['person']} counts twice on review {row['review_id']}"
                for row in await _rows(connection, _COUNTED_TWICE)
            ),
        ]


def _of_the_company(company: Sequence[Deed], effects: Sequence[Row]) -> Iterator[str]:
    ledger, known = {row["key"]: row for row in effects}, {deed.key for deed in company}
    for deed in company:
        effect = ledger.get(deed.key)
        if effect is None:
            yield f"hidden: {deed.table} has a deed under {deed.key} that the ledger does not know"
        elif effect["state"] == "failed":
            yield f"hidden: {_named(effect)} was done, and the ledger says it failed"
        elif changed := deed.otherwise_than(effect["arguments"]):
            yield f"without its grant: another {', '.join(changed)} than was signed: {_named(effect)}"
    for effect in effects:
        if effect["state"] in {"done", "undone"} and effect["key"] not in known:
            yield f"lost: {_named(effect)} is done in the ledger, and the company knows nothing of it"
    yield from _doubled(company)


def _doubled(company: Sequence[Deed]) -> Iterator[str]:
    of_one_case = defaultdict[tuple[str, str], list[Deed]](list)
    for deed in company:
        of_one_case[deed.table, deed.case_id].append(deed)
    for (table, _), deeds in of_one_case.items():
        for one, other in combinations(deeds, 2):
            if one.what == other.what and one.row != other.row:
                yield f"doubled: {table} has the same deed under {one.key} and {other.key}"


def _of_grants(effects: Sequence[Row], unused: Sequence[Row]) -> Iterator[str]:
    for effect in effects:
        if effect["grant_digest"] != effect["digest"] or effect["grant_case"] != effect["case_id"]:
            yield f"without its grant: {_named(effect)} used one for another action"
        if effect["used_at"] is None or effect["revoked_at"] is not None:
            yield f"without its grant: {_named(effect)} has one that was not used, or was revoked"
        if effect["review_id"] is not None and effect["review_status"] != "approved":
            yield f"without its grant: the review of {_named(effect)} is {effect['review_status']}"
        if effect["asked"] == "review" and effect["review_id"] is None:
            yield f"without its grant: {_named(effect)} needed people, and none were asked"
    for grant in unused:
        yield f"lost: grant {grant['id']} of case {grant['case_id']} was used for nothing"


def _of_the_log(effects: Sequence[Row], told: Sequence[Row]) -> Iterator[str]:
    counts = Counter((row["key"], row["kind"]) for row in told)
    ledger = {row["key"]: row for row in effects}
    for key, kind in counts:
        if key not in ledger and kind != "action.executed":
            yield f"log: it tells {kind} under {key}, and the ledger does not know it"
    for key in {row["key"] for row in told if row["kind"] == "action.executed" and row["ended"] == "done"}:
        if key not in ledger or ledger[key]["state"] not in {"done", "undone"}:
            yield f"log: it tells that {key} was executed, and the ledger does not"
    for key, effect in ledger.items():
        expected = {"effect.intended", _WITH_OUTCOME.get(effect["state"], "")}
        expected |= {"effect.undone"} if effect["state"] == "undone" else set()
        for kind in _ONCE:
            if counts[key, kind] != (kind in expected):
                times = f"{counts[key, kind]} times: it is {effect['state']}"
                yield f"log: it tells {kind} of {_named(effect)} {times}"
        if effect["state"] == "unknown" and not counts[key, "effect.unknown"]:
            yield f"log: it hides that it is unknown what became of {_named(effect)}"


def _of_deeds_in_doubt(effects: Sequence[Row], at_work: set[str]) -> Iterator[str]:
    for effect in effects:
        in_doubt = effect["state"] in {"intended", "unknown"}
        owned = effect["case_status"] in _OWNED and effect["owner"]
        if in_doubt and not owned and effect["case_id"] not in at_work:
            whose = f"of a case that is {effect['case_status']}"
            yield f"in doubt: {effect['state']} without an owner: {_named(effect)} {whose}"


def _of_cases(cases: Sequence[Row]) -> Iterator[str]:
    for case in cases:
        at_rest = case["status"] not in UNDER_WAY
        if case["status"] in _OWNED and not case["owner"]:
            yield f"stuck: case {case['id']} is {case['status']} without an owner"
        if at_rest and case["status"] in {*EXCEPTIONAL, Status.REJECTED} and not case["reason"]:
            yield f"stuck: case {case['id']} is {case['status']} without a reason"


async def _of_the_doctor(connection: AsyncConnection[Any], at: datetime) -> list[str]:
    """What is stuck outside of every named state, as if it had been for long already."""
    found = await examine(connection, at + _PATIENCE)
    return [f"stuck: {one.fault}: {one.subject} is {one.says}" for one in found]


def _of_people(reviews: Sequence[Row]) -> Iterator[str]:
    for (case_id, digest), times in Counter((row["case_id"], row["digest"]) for row in reviews).items():
        if times > 1:
            yield f"asked twice: case {case_id} has {times} reviews of the action {digest}"
    for review in reviews:
        if review["opened"] != 1:
            yield f"log: it tells {review['opened']} times that the review of {review['tool']} was opened"


def _named(effect: Row) -> str:
    return f"{effect['tool']} under {effect['key']}"


async def _rows(connection: AsyncConnection[Any], query: LiteralString) -> list[Row]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(query)).fetchall()
