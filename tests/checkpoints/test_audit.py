"""The audit log: what is told stays told, an honest log verifies, and whatever is done to it is found."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from itertools import count
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from checkpoints.audit import Event, tell, timeline
from checkpoints.canonical import NotCanonical
from checkpoints.database import Database, open_database
from checkpoints.log_check import Verification
from checkpoints.merkle import EMPTY_ROOT, Frontier, leaf_hash
from tests.checkpoints.log import KEYS, NOW, append, event, grow, rows, tamper, verified

ON_ONE_DATABASE = settings(
    deadline=None,
    max_examples=25,
    # examples share the log on purpose: it only grows, and has to hold after each of them
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


async def stored(database: Database) -> list[Event]:
    """The events as they are in the table, in the order of their sequence numbers."""
    found = await rows(database, "SELECT id, case_id, kind, actor, at, data FROM audit_events ORDER BY seq")
    return [Event(**row) for row in found]


@pytest.fixture
async def empty(database_url: str) -> AsyncIterator[Database]:
    """A database in which nothing has happened yet."""
    async with open_database(database_url) as database:
        yield database


# --- telling ----------------------------------------------------------------------------------------------


async def test_what_is_told_is_kept_as_it_is_and_in_its_order(empty: Database) -> None:
    events = [event(number) for number in (3, 1, 2)]

    await append(empty, *events)
    await append(empty, event(0))

    assert await stored(empty) == [*events, event(0)]


async def test_what_is_told_twice_is_told_once(empty: Database) -> None:
    await append(empty, event(1), event(1))
    await append(empty, event(1), event(2))

    assert await stored(empty) == [event(1), event(2)]


async def test_telling_it_again_otherwise_changes_nothing(empty: Database) -> None:
    await append(empty, event(1))
    await append(empty, event(1, actor="person:mallory", data={}))

    assert await stored(empty) == [event(1)]


async def test_telling_nothing_adds_nothing(empty: Database) -> None:
    await append(empty)

    assert await stored(empty) == []


async def test_a_repeated_event_is_one_leaf(empty: Database) -> None:
    await append(empty, event(1))
    assert await grow(empty) == 1
    await append(empty, event(1))

    assert await grow(empty) == 0


async def test_what_is_undone_was_never_told(empty: Database) -> None:
    with suppress(LookupError):
        async with empty.transaction() as tx:
            await tell(tx, event(1))
            raise LookupError

    assert await stored(empty) == []
    assert await grow(empty) == 0


async def test_a_timeline_is_one_cases_events_oldest_first(empty: Database) -> None:
    await append(empty, event(1), event(2, case_id="c-2"), event(3), event(4, case_id=None), event(5))

    async with empty.transaction() as tx:
        first = await timeline(tx, "c-1", limit=2)
        rest = await timeline(tx, "c-1", limit=2, after=first[-1]["seq"])

    assert [row["id"] for row in first] == ["e-1", "e-3"]
    assert [row["id"] for row in rest] == ["e-5"]


UNKEEPABLE_TEXT = ["a\x00b", "a\ud800b"]
UNKEEPABLE: list[dict[str, Any]] = [
    *({field: text} for field in ("id", "case_id", "kind", "actor") for text in UNKEEPABLE_TEXT),
    *({"data": {"text": text}} for text in UNKEEPABLE_TEXT),
    *({"data": {text: "text"}} for text in UNKEEPABLE_TEXT),
    {"data": {"list": [{"deep": "\x00"}]}},
    {"data": {"number": float("nan")}},
    {"data": {"number": float("inf")}},
    {"data": {"number": 2**53}},
    {"data": {1: "a key that is no text"}},
    {"data": {"bytes": b"bytes"}},
    {"data": {"at": NOW}},
]


async def test_what_cannot_be_kept_as_it_is_is_refused_and_not_mangled(empty: Database) -> None:
    for changes in UNKEEPABLE:
        with pytest.raises((psycopg.DataError, NotCanonical)):
            await append(empty, event(1), event(2, **changes))
        assert await stored(empty) == [], changes


# --- the tree behind it -----------------------------------------------------------------------------------


async def test_the_tree_grows_behind_the_events(empty: Database) -> None:
    events = [event(number) for number in range(7)]
    await append(empty, *events[:4])
    assert (await verified(empty)).size == 0

    assert await grow(empty) == 4
    await append(empty, *events[4:])
    assert await grow(empty) == 3
    assert await grow(empty) == 0

    root = Frontier().extend(leaf_hash(told.entry) for told in events).root.hex()
    assert await verified(empty) == Verification(
        events=7, size=7, root=root, faults=(), heads=2, keys=tuple(map(str, KEYS))
    )


async def test_an_empty_log_verifies(empty: Database) -> None:
    assert await verified(empty) == Verification(
        events=0, size=0, root=EMPTY_ROOT.hex(), faults=(), keys=tuple(map(str, KEYS))
    )


async def test_a_tree_grown_in_small_steps_is_the_same_tree(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("checkpoints.audit_tree._BATCH", 3)
    events = [event(number) for number in range(11)]
    await append(empty, *events)

    steps = [await grow(empty) for _ in range(5)]

    assert steps == [3, 3, 3, 2, 0]
    assert (await verified(empty)).root == Frontier().extend(
        leaf_hash(told.entry) for told in events
    ).root.hex()


async def test_an_event_that_commits_late_comes_into_the_tree_late(empty: Database) -> None:
    async with empty.transaction() as tx:
        await tell(tx, event(1))
        await append(empty, event(2))
        assert await grow(empty) == 1

    assert await grow(empty) == 1
    assert (await verified(empty)).holds
    in_the_tree = await rows(
        empty, "SELECT e.id FROM audit_leaves l JOIN audit_events e USING (seq) ORDER BY l.index"
    )
    assert [row["id"] for row in in_the_tree] == ["e-2", "e-1"]


async def test_a_second_sequencer_leaves_the_work_to_the_first(empty: Database) -> None:
    await append(empty, event(1))
    async with empty.connection() as first, first.transaction():
        await first.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('countersign audit sequencer', 0))"
        )
        assert await grow(empty) == 0

    assert await grow(empty) == 1


async def test_many_sequencers_at_once_do_no_harm(empty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("checkpoints.audit_tree._BATCH", 3)
    events = [event(number) for number in range(40)]

    async def sequence() -> int:
        added = 0
        while await rows(empty, "SELECT FROM audit_pending LIMIT 1"):
            added += await grow(empty)
        return added

    async def tell_in_pieces() -> None:
        for at in range(20, 40, 4):
            await append(empty, *events[at : at + 4])

    await append(empty, *events[:20])
    added, _ = await asyncio.gather(asyncio.gather(*(sequence() for _ in range(8))), tell_in_pieces())

    assert sum(added) + await sequence() == 40
    assert await stored(empty) == events
    assert (await verified(empty)).holds


# --- an honest log verifies -------------------------------------------------------------------------------

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"))
NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-(2.0**49), 2.0**49)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
EVENTS: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    case_id=st.none() | TEXT,
    kind=TEXT,
    actor=TEXT,
    at=st.datetimes(datetime(1970, 1, 1), datetime(2199, 1, 1), timezones=ZONES),  # noqa: DTZ001 - it takes naive ends
    data=st.dictionaries(TEXT, JSON, max_size=4),
)
ODD = "\x01\x1b[31m\u202e\u200b\ufeff\uffff\U0001f468\u200d\U0001f469 e\u0301 \xe9 \"'\\ \r\n\u2028"
NEXT_NUMBER = count()


@ON_ONE_DATABASE
@given(st.lists(EVENTS, min_size=1, max_size=4))
@example([{"case_id": ODD, "kind": ODD, "actor": ODD, "at": NOW, "data": {ODD: [ODD, {"\ud7ff": "\ue000"}]}}])
@example(
    [{"case_id": None, "kind": "", "actor": "", "at": NOW, "data": {"": [-0.0, 1.0, 5e-324, 1e-7, 0.1]}}]
)
@example(
    [
        {
            "case_id": "",
            "kind": "k",
            "actor": "a",
            "at": NOW,
            "data": {"b": 1, "a": 2, "\U0001f600": 3, "\ufb33": 4},
        }
    ]
)
async def test_an_honest_log_always_verifies(empty: Database, told: list[dict[str, Any]]) -> None:
    events = [Event(id=f"e-{next(NEXT_NUMBER)}", **one) for one in told]
    await append(empty, *events)
    await grow(empty)

    verification = await verified(empty)

    assert verification.faults == ()
    assert (await stored(empty))[-len(events) :] == events


@pytest.mark.parametrize("number", [1e16, -1e16, 1e300])
async def test_a_large_float_is_refused_or_verifies(database_url: str, number: float) -> None:
    async with open_database(database_url) as database:
        with suppress(NotCanonical):
            await append(database, event(1, data={"number": number}))
        await grow(database)

        assert (await verified(database)).holds


# --- whatever is done to it is found ----------------------------------------------------------------------


@pytest.fixture
async def log(database_url: str) -> AsyncIterator[Database]:
    """An honest log of seven events, with a head at four and one at seven."""
    async with open_database(database_url) as database:
        for batch in (range(4), range(4, 7)):
            await append(database, *(event(number) for number in batch))
            await grow(database)
        assert (await verified(database)).holds
        yield database


ALTERED = {
    "data": "data = jsonb_set(data, '{number}', '99')",
    "a letter of the data": "data = jsonb_set(data, '{text}', '\"as It was\"')",
    "more data": """data = data || '{"more": null}'""",
    "less data": "data = data - 'text'",
    "no data": "data = '{}'",
    "kind": "kind = 'test.unsaid'",
    "actor": "actor = 'person:mallory'",
    "a microsecond": "at = at + interval '1 microsecond'",
    "case": "case_id = 'c-2'",
    "no case": "case_id = NULL",
    "id": "id = 'e-99'",
    "leaf": "leaf = sha256('forged')",
    "data and leaf": "data = '{}', leaf = sha256('forged')",
}


@pytest.mark.parametrize("change", ALTERED)
async def test_an_altered_event_is_found(log: Database, change: str) -> None:
    await tamper(log, f"UPDATE audit_events SET {ALTERED[change]} WHERE id = 'e-3'")  # noqa: S608 - fixed texts

    (fault,) = (await verified(log)).faults
    assert "was altered: leaf 3 does not match it" in fault


TAMPERED: dict[str, tuple[list[str], str]] = {
    "an event is deleted": (
        ["DELETE FROM audit_events WHERE id = 'e-3'"],
        "the event of leaf 3 is gone",
    ),
    "an event and its leaf are deleted": (
        [
            "DELETE FROM audit_leaves WHERE index = 3",
            "DELETE FROM audit_events WHERE id = 'e-3'",
        ],
        "leaf 3 is missing",
    ),
    "a leaf is deleted": (["DELETE FROM audit_leaves WHERE index = 3"], "leaf 3 is missing"),
    "the first leaf is deleted": (["DELETE FROM audit_leaves WHERE index = 0"], "leaf 0 is missing"),
    "the last leaf is deleted": (
        ["DELETE FROM audit_leaves WHERE index = 6"],
        "the log ends at 6, but a head says 7",
    ),
    "the last event and its leaf are deleted": (
        [
            "DELETE FROM audit_leaves WHERE index = 6",
            "DELETE FROM audit_events WHERE id = 'e-6'",
        ],
        "the log ends at 6, but a head says 7",
    ),
    "everything but the heads is deleted": (
        ["DELETE FROM audit_leaves", "DELETE FROM audit_events"],
        "the log ends at 0, but a head says 7",
    ),
    "two leaves are swapped": (
        [
            "UPDATE audit_leaves SET index = -1 WHERE index = 4",
            "UPDATE audit_leaves SET index = 4 WHERE index = 5",
            "UPDATE audit_leaves SET index = 5 WHERE index = -1",
        ],
        "the head of size 7 is not the root of its leaves",
    ),
    "what two events say is swapped": (
        [
            """UPDATE audit_events e SET data = o.data FROM audit_events o
               WHERE (e.id, o.id) IN (('e-2', 'e-3'), ('e-3', 'e-2'))""",
        ],
        "was altered: leaf 2 does not match it",
    ),
    "an event and its leaves are forged alike": (
        [
            "UPDATE audit_events SET data = '{}', leaf = sha256('forged') WHERE id = 'e-3'",
            "UPDATE audit_leaves SET leaf = sha256('forged') WHERE index = 3",
        ],
        "the head of size 4 is not the root of its leaves",
    ),
    "a leaf is forged": (
        ["UPDATE audit_leaves SET leaf = sha256('forged') WHERE index = 3"],
        "was altered: leaf 3 does not match it",
    ),
    "a head is forged": (
        ["UPDATE audit_heads SET root = sha256('forged') WHERE size = 4"],
        "the head of size 4 is not the root of its leaves",
    ),
    "the newest head is forged": (
        ["UPDATE audit_heads SET root = sha256('forged') WHERE size = 7"],
        "the head of size 7 is not the root of its leaves",
    ),
    "a head says another size": (
        ["UPDATE audit_heads SET size = 9 WHERE size = 7"],
        "the log ends at 7, but a head says 9",
    ),
    "an event is slipped in": (
        [
            """INSERT INTO audit_events (id, kind, actor, at, data, leaf)
               VALUES ('e-99', 'k', 'a', now(), '{}', sha256(''))""",
        ],
        "1 events are neither in the tree nor waiting for it",
    ),
}


@pytest.mark.parametrize("deed", TAMPERED)
async def test_what_was_done_to_the_log_is_found(log: Database, deed: str) -> None:
    statements, fault = TAMPERED[deed]
    await tamper(log, *statements)

    verification = await verified(log)

    assert not verification.holds
    assert any(fault in found for found in verification.faults), verification.faults


async def test_an_event_that_is_kept_out_of_the_tree_is_found(log: Database) -> None:
    await append(log, event(8))
    await tamper(log, "DELETE FROM audit_pending")

    assert (await verified(log)).faults == ("1 events are neither in the tree nor waiting for it",)


async def test_an_event_that_is_altered_while_it_waits_is_found_in_the_tree(log: Database) -> None:
    await append(log, event(8))
    await tamper(log, "UPDATE audit_events SET data = '{}' WHERE id = 'e-8'")
    await grow(log)

    (fault,) = (await verified(log)).faults
    assert "was altered: leaf 7 does not match it" in fault


UNDER_THE_TREE: dict[str, str] = {
    "all heads are deleted": "DELETE FROM audit_heads",
    "the newest head is deleted": "DELETE FROM audit_heads WHERE size = 7",
    "the peaks of the newest head are forged": (
        "UPDATE audit_heads SET peaks = sha256('a') || sha256('b') || sha256('c') WHERE size = 7"
    ),
    "an event is made unreadable": """UPDATE audit_events SET data = '{"number": 1e30}' WHERE id = 'e-3'""",
}


@pytest.mark.parametrize("deed", UNDER_THE_TREE)
async def test_what_was_done_under_the_tree_is_found(log: Database, deed: str) -> None:
    await tamper(log, UNDER_THE_TREE[deed])

    assert not (await verified(log)).holds
