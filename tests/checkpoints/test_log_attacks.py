"""Attacks on the log by somebody with all rights to its database, and what each of them runs into.

Each is carried out once, and is looked for twice: in the database, and in a file exported after it. What can
be found by the log alone is; what cannot, because the key itself is abused, is found by an anchored head.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from checkpoints.anchored import read_anchored
from checkpoints.audit import Event
from checkpoints.audit_tree import grow_tree
from checkpoints.database import Database, open_database
from checkpoints.log_check import Anchored
from checkpoints.log_file import verify_file
from checkpoints.merkle import Frontier
from checkpoints.notes import Signer
from tests.checkpoints.log import (
    KEYS,
    MALLORY,
    NOW,
    SIGNER,
    anchored_in,
    append,
    event,
    exported,
    rows,
    tamper,
    verified,
)
from tests.databases import as_owner

WHAT_HAPPENED = [event(number, case_id=f"c-{number % 2}") for number in range(9)]
HALF = 5


@dataclass(frozen=True, slots=True)
class Scene:
    """An honest log of nine events under heads of five and nine, the last of them anchored outside."""

    database: Database
    folder: Path
    anchored: list[Anchored]

    async def found(self, *, with_anchor: bool = False) -> tuple[str, ...]:
        """The faults that the database shows; at least as many must be in a file that is exported now."""
        anchored = self.anchored if with_anchor else []
        faults = (await verified(self.database, anchored)).faults
        file = await exported(self.database, self.folder / "log.jsonl")
        assert bool(verify_file(file, KEYS, anchored).faults) is bool(faults)
        return faults

    async def grow(self, signer: Signer = SIGNER) -> None:
        async with self.database.connection() as connection:
            await grow_tree(connection, lambda: NOW, signer)

    async def begin_anew(self, events: list[Event], signer: Signer = SIGNER) -> None:
        """Another log in the place of this one, in which nothing contradicts anything."""
        tables = "audit_anchors, audit_nodes, audit_heads, audit_leaves, audit_pending, outbox, deliveries"
        await self.do(f"TRUNCATE {tables}, audit_events RESTART IDENTITY")
        for batch in (events[:HALF], events[HALF:]):
            await append(self.database, *batch)
            await self.grow(signer)

    async def tree_of(self, leaves: list[bytes], signer: Signer = SIGNER) -> None:
        """Put other leaves into the tree, and heads over them that are signed."""
        frontier = Frontier()
        for index, leaf in enumerate(leaves):
            frontier = frontier.append(leaf)
            await self.do("UPDATE audit_leaves SET leaf = %s WHERE index = %s", leaf, index)
            if frontier.size in {HALF, len(leaves)}:
                note = signer.sign(size=frontier.size, root=frontier.root, at=NOW)
                values = (frontier.root, b"".join(frontier.peaks), note, frontier.size)
                await self.do(
                    "UPDATE audit_heads SET root = %s, peaks = %s, note = %s WHERE size = %s", *values
                )

    async def do(self, statement: str, *values: object) -> None:
        async with self.database.connection() as connection, connection.transaction():
            await connection.execute("SET LOCAL session_replication_role = replica")
            await connection.execute(statement.encode(), values)


@pytest.fixture
async def scene(database_url: str, tmp_path: Path) -> AsyncIterator[Scene]:
    async with open_database(as_owner(database_url)) as database:  # whoever attacks has all rights
        scene = Scene(database, tmp_path, [])
        await scene.begin_anew(WHAT_HAPPENED)
        anchored, _ = read_anchored([await anchored_in(database, tmp_path / "9.note")], KEYS)
        scene.anchored.extend(anchored)
        assert await scene.found(with_anchor=True) == ()
        yield scene


def some(faults: tuple[str, ...], said: str) -> bool:
    return any(said in fault for fault in faults)


# --- found by the log alone -------------------------------------------------------------------------------


async def test_a_flipped_byte_is_found(scene: Scene) -> None:
    await tamper(
        scene.database,
        "UPDATE audit_events SET data = jsonb_set(data, '{text}', '\"as it wat\"') WHERE id = 'e-3'",
    )

    assert await scene.found() == ("event 4 (test.told) was altered: leaf 3 does not match it",)


async def test_an_altered_event_whose_leaves_were_forged_to_match_is_found(scene: Scene) -> None:
    forged = replace(WHAT_HAPPENED[3], actor="person:max")
    await scene.do("UPDATE audit_events SET actor = 'person:max', leaf = %s WHERE id = 'e-3'", forged.leaf)
    await scene.do("UPDATE audit_leaves SET leaf = %s WHERE index = 3", forged.leaf)

    assert some(await scene.found(), "the head of size 5 is not the root of its leaves")


async def test_an_event_slipped_in_is_found(scene: Scene) -> None:
    slipped = event(99)
    await scene.do(
        """INSERT INTO audit_events (id, case_id, kind, actor, at, data, leaf)
           VALUES ('e-99', 'c-1', 'test.told', 'person:lee', %s,
                   '{"number": 99, "text": "as it was"}', %s)""",
        slipped.at,
        slipped.leaf,
    )
    assert (await verified(scene.database)).faults == ("1 events are neither in the tree nor waiting for it",)

    await tamper(
        scene.database,
        "UPDATE audit_leaves SET index = -index WHERE index >= 4",
        "UPDATE audit_leaves SET index = 1 - index WHERE index < 0",
        "INSERT INTO audit_leaves SELECT 4, seq, leaf FROM audit_events WHERE id = 'e-99'",
    )
    assert some(await scene.found(), "the head of size 5 is not the root of its leaves")


async def test_a_deleted_event_is_found(scene: Scene) -> None:
    await tamper(scene.database, "DELETE FROM audit_events WHERE id = 'e-3'")

    assert await scene.found() == ("the event of leaf 3 is gone",)


async def test_an_event_deleted_with_its_leaf_and_the_rest_moved_up_is_found(scene: Scene) -> None:
    await tamper(
        scene.database,
        "DELETE FROM audit_leaves WHERE index = 3",
        "DELETE FROM audit_events WHERE id = 'e-3'",
        "UPDATE audit_leaves SET index = -index WHERE index > 3",
        "UPDATE audit_leaves SET index = -index - 1 WHERE index < 0",
    )

    faults = await scene.found()
    assert some(faults, "the head of size 5 is not the root of its leaves")
    assert some(faults, "the log ends at 8, but a head says 9")


async def test_events_in_another_order_are_found(scene: Scene) -> None:
    await tamper(
        scene.database,
        "UPDATE audit_leaves SET index = -1 WHERE index = 6",
        "UPDATE audit_leaves SET index = 6 WHERE index = 7",
        "UPDATE audit_leaves SET index = 7 WHERE index = -1",
    )

    assert await scene.found() == ("the head of size 9 is not the root of its leaves; that of size 5 is",)


async def test_two_cases_events_swapped_are_found(scene: Scene) -> None:
    await tamper(
        scene.database,
        """UPDATE audit_events e SET case_id = o.case_id FROM audit_events o
           WHERE (e.id, o.id) IN (('e-2', 'e-3'), ('e-3', 'e-2'))""",
    )

    faults = await scene.found()
    assert some(faults, "leaf 2 does not match it")
    assert some(faults, "leaf 3 does not match it")


async def test_a_log_cut_off_under_its_head_is_found(scene: Scene) -> None:
    await tamper(
        scene.database,
        "DELETE FROM audit_leaves WHERE index >= 7",
        "DELETE FROM audit_events WHERE id IN ('e-7', 'e-8')",
    )

    assert await scene.found() == ("the log ends at 7, but a head says 9",)


async def test_a_log_cut_off_between_its_heads_is_found(scene: Scene) -> None:
    await tamper(
        scene.database,
        "DELETE FROM audit_leaves WHERE index >= 7",
        "DELETE FROM audit_events WHERE id IN ('e-7', 'e-8')",
        "DELETE FROM audit_heads WHERE size = 9",
    )

    assert await scene.found() == ("the tree has 7 leaves, but its newest head says 5",)


async def test_a_back_dated_head_is_found(scene: Scene) -> None:
    await tamper(scene.database, "UPDATE audit_heads SET at = at - interval '1 day' WHERE size = 9")

    assert await scene.found() == (
        "the head of size 9 is dated before the one before it",
        "the head of size 9 is not what its note says",
    )


async def test_a_head_back_dated_with_the_real_key_is_found_unless_all_before_it_are_too(
    scene: Scene,
) -> None:
    (row,) = await rows(scene.database, "SELECT root FROM audit_heads WHERE size = 9")
    at = NOW - timedelta(days=1)
    note = SIGNER.sign(size=9, root=bytes(row["root"]), at=at)
    await scene.do("UPDATE audit_heads SET at = %s, note = %s WHERE size = 9", at, note)

    assert await scene.found() == ("the head of size 9 is dated before the one before it",)


async def test_a_forged_signature_is_found(scene: Scene) -> None:
    forged = [replace(one, actor="person:max") for one in WHAT_HAPPENED]
    await scene.do("UPDATE audit_events SET actor = 'person:max'")
    for one in forged:
        await scene.do("UPDATE audit_events SET leaf = %s WHERE id = %s", one.leaf, one.id)
    heads = await rows(scene.database, "SELECT note FROM audit_heads ORDER BY size")
    await scene.tree_of([one.leaf for one in forged])
    for head in heads:  # new heads under the signatures of the old ones
        signature = head["note"].rpartition("\n\n")[2]
        await scene.do(
            "UPDATE audit_heads SET note = split_part(note, E'\\n\\n', 1) || E'\\n\\n' || %s WHERE size = %s",
            signature,
            int(head["note"].split("\n")[1]),
        )

    assert await scene.found() == tuple(
        f"the head of size {size} has a note that cannot be trusted: its signature is forged"
        for size in (HALF, 9)
    )


async def test_a_log_signed_with_another_key_is_found(scene: Scene) -> None:
    await scene.begin_anew([replace(one, actor="person:max") for one in WHAT_HAPPENED], MALLORY)

    unknown = "has a note that cannot be trusted: it is not signed with a key that is known"
    assert await scene.found() == tuple(f"the head of size {size} {unknown}" for size in (HALF, 9))


async def test_a_log_whose_signatures_were_taken_away_is_found(scene: Scene) -> None:
    await scene.begin_anew([replace(one, actor="person:max") for one in WHAT_HAPPENED])
    await tamper(scene.database, "UPDATE audit_heads SET note = NULL")
    assert await scene.found() == ("the newest head, of size 9, is not signed",)

    await scene.begin_anew(WHAT_HAPPENED)
    await tamper(scene.database, "UPDATE audit_heads SET note = NULL WHERE size = 9")
    assert some(await scene.found(), "the head of size 9 is not signed, though an earlier one is")

    await scene.begin_anew(WHAT_HAPPENED)
    await tamper(scene.database, "UPDATE audit_heads SET note = NULL WHERE size = 5")
    assert await scene.found() == ("the head of size 5 is not signed, and nothing says that it never was",)


async def test_a_note_from_another_head_is_found(scene: Scene) -> None:
    await tamper(
        scene.database,
        "UPDATE audit_heads SET note = (SELECT note FROM audit_heads WHERE size = 5) WHERE size = 9",
    )

    assert await scene.found() == ("the head of size 9 is not what its note says",)


async def test_a_record_of_anchoring_that_was_altered_is_found(scene: Scene) -> None:
    (row,) = await rows(scene.database, "SELECT note FROM audit_heads WHERE size = 9")
    record = "INSERT INTO audit_anchors (anchor, size, note, at) VALUES ('file:///x', 9, %s, now())"
    await scene.do(record, row["note"])
    assert (await verified(scene.database)).faults == ()

    await tamper(scene.database, "UPDATE audit_anchors SET size = 8")
    assert (await verified(scene.database)).faults == ("what was anchored at file:///x for size 8 is for 9",)
    await tamper(scene.database, "UPDATE audit_anchors SET note = replace(note, 'at ', 'at 1')")
    assert some((await verified(scene.database)).faults, "cannot be trusted: its signature is forged")


# --- found by the anchor alone ----------------------------------------------------------------------------

Deed = Callable[[Scene], Awaitable[None]]


async def cut_off(scene: Scene) -> None:
    """The last events, with every head, and what was left is grown anew with the real key."""
    await scene.begin_anew(WHAT_HAPPENED[:7])


async def cut_off_and_gone_on(scene: Scene) -> None:
    """The same, and enough happened since to make up for the length."""
    await scene.begin_anew([*WHAT_HAPPENED[:7], *(event(number) for number in range(20, 30))])


async def replaced(scene: Scene) -> None:
    """Another story from the first event on, signed with the real key."""
    await scene.begin_anew([replace(one, actor="person:max") for one in WHAT_HAPPENED])


async def emptied(scene: Scene) -> None:
    """As if nothing had ever happened."""
    await scene.begin_anew([])


ONLY_BY_THE_ANCHOR: list[tuple[Deed, str]] = [
    (cut_off, "the log ends at 7, but the anchored head in 9.note says 9"),
    (cut_off_and_gone_on, "the anchored head in 9.note says another root of the first 9 leaves"),
    (replaced, "the anchored head in 9.note says another root of the first 9 leaves"),
    (emptied, "the log ends at 0, but the anchored head in 9.note says 9"),
]


@pytest.mark.parametrize(("deed", "fault"), ONLY_BY_THE_ANCHOR, ids=lambda one: getattr(one, "__name__", ""))
async def test_a_log_rewritten_with_its_own_key_is_found_by_the_anchored_head_alone(
    scene: Scene, deed: Deed, fault: str
) -> None:
    await deed(scene)

    assert await scene.found() == ()
    assert await scene.found(with_anchor=True) == (fault,)


async def test_an_honest_log_that_grew_on_still_has_what_was_anchored(scene: Scene) -> None:
    await append(scene.database, event(20), event(21))
    await scene.grow()

    assert await scene.found(with_anchor=True) == ()
