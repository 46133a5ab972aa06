"""The stored tree: nodes come with their leaves, proofs are few rows, heads are signed as they come."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import combinations_with_replacement

import pytest

from checkpoints.audit import tell
from checkpoints.audit_proofs import newest_head, prove_consistency, prove_inclusion, prove_inclusions
from checkpoints.audit_tree import grow_tree
from checkpoints.database import Database, open_database
from checkpoints.errors import EventNotFound, NotInTheTree, SizeUnfit, TreeDamaged
from checkpoints.merkle import Frontier, leaf_hash
from checkpoints.notes import read_note
from checkpoints.proofs import proves_consistency, proves_inclusion
from tests.checkpoints.log import KEYS, NOW, SIGNER, append, event, grow, rows, tamper, verified

LEAVES = 70_000
"""Enough for one node of the second level."""
FILL = """
INSERT INTO audit_events (id, case_id, kind, actor, at, data, leaf)
SELECT 'e-' || n, NULL, 'test.told', 'person:lee', now(), '{}', sha256(n::text::bytea)
FROM generate_series(0, 69999) n;
INSERT INTO audit_leaves (index, seq, leaf) SELECT seq - 1, seq, leaf FROM audit_events;
"""
"""Leaves as a tree of before has them: with nothing but its heads beside them."""


@pytest.fixture
async def empty(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


@pytest.fixture
async def large(empty: Database) -> tuple[Database, list[bytes]]:
    """A tree of 70,000 leaves that was grown before nodes and signatures were."""
    async with empty.connection() as connection:
        await connection.execute(FILL.encode())
    leaves = [bytes(row["leaf"]) for row in await rows(empty, "SELECT leaf FROM audit_leaves ORDER BY index")]
    frontier = Frontier().extend(leaves)
    async with empty.connection() as connection:
        await connection.execute(
            "INSERT INTO audit_heads (size, root, peaks, at) VALUES (%s, %s, %s, %s)",
            (frontier.size, frontier.root, b"".join(frontier.peaks), NOW),
        )
    return empty, leaves


# --- nodes ------------------------------------------------------------------------------------------------


async def test_nodes_come_with_the_leaves_that_complete_them(empty: Database) -> None:
    events = [event(number) for number in range(600)]
    for at in range(0, 600, 100):
        await append(empty, *events[at : at + 100])
        await grow(empty)

    stored = await rows(empty, "SELECT level, index, hash FROM audit_nodes ORDER BY level, index")
    assert [(row["level"], row["index"], bytes(row["hash"])) for row in stored] == [
        (1, place, Frontier().extend(one.leaf for one in events[place * 256 : place * 256 + 256]).root)
        for place in (0, 1)
    ]
    assert (await verified(empty)).faults == ()


async def test_a_tree_that_grew_before_has_its_nodes_filled_in_once(
    large: tuple[Database, list[bytes]],
) -> None:
    database, leaves = large

    for _ in range(2):
        await grow(database)
        levels = await rows(
            database, "SELECT level, count(*) AS nodes FROM audit_nodes GROUP BY 1 ORDER BY 1"
        )
        assert [(row["level"], row["nodes"]) for row in levels] == [(1, LEAVES // 256), (2, 1)]
    (top,) = await rows(database, "SELECT hash FROM audit_nodes WHERE level = 2")
    assert bytes(top["hash"]) == Frontier().extend(leaves[:65_536]).root


@pytest.mark.parametrize(
    ("deed", "fault"),
    [
        ("UPDATE audit_nodes SET hash = sha256('x') WHERE index = 1", "node 1 of level 1 is not the root"),
        ("DELETE FROM audit_nodes WHERE index = 0", "node 0 of level 1 is missing"),
        ("INSERT INTO audit_nodes VALUES (1, 2, sha256('x'))", "node 2 of level 1 has no leaves"),
        ("INSERT INTO audit_nodes VALUES (2, 0, sha256('x'))", "node 0 of level 2 has no leaves"),
    ],
)
async def test_a_node_that_somebody_touched_is_found(empty: Database, deed: str, fault: str) -> None:
    await append(empty, *(event(number) for number in range(600)))
    await grow(empty)
    await tamper(empty, deed)

    assert [found for found in (await verified(empty)).faults if fault in found]


async def test_leaves_that_were_taken_away_stop_no_sequencer(empty: Database) -> None:
    await append(empty, *(event(number) for number in range(255)))
    await grow(empty)
    await tamper(empty, "DELETE FROM audit_leaves WHERE index = 7")
    await append(empty, event(255), event(256))

    assert await grow(empty) == 2
    assert not (await verified(empty)).holds


# --- proofs -----------------------------------------------------------------------------------------------


async def test_proofs_of_a_large_tree_hold(large: tuple[Database, list[bytes]]) -> None:
    database, leaves = large
    await grow(database)
    roots = {size: Frontier().extend(leaves[:size]).root for size in (1, 256, 300, 65_536, 69_999, LEAVES)}

    async with database.transaction() as tx:
        for index in (0, 1, 255, 256, 299, 65_535, 65_536, 69_998):
            for size in (size for size in roots if size > index):
                proof = await prove_inclusion(tx, f"e-{index}", size)
                assert proof.root == roots[size]
                assert proves_inclusion(
                    leaf=leaves[index], index=index, size=size, path=proof.path, root=roots[size]
                )
        for first, second in combinations_with_replacement(sorted(roots), 2):
            found = await prove_consistency(tx, first, second)
            assert (found.first_root, found.second_root) == (roots[first], roots[second])
            assert proves_consistency(
                first=first,
                first_root=roots[first],
                second=second,
                second_root=roots[second],
                path=found.path,
            )


async def test_a_proof_of_a_large_tree_reads_few_rows(large: tuple[Database, list[bytes]]) -> None:
    database, _ = large
    await grow(database)

    async with database.transaction() as tx:

        async def touched() -> int:
            cursor = await tx.driver.execute(
                """SELECT coalesce(sum(coalesce(idx_tup_fetch, 0) + seq_tup_read), 0)
                   FROM pg_stat_xact_user_tables WHERE relname IN ('audit_leaves', 'audit_nodes')"""
            )
            ((rows_read,),) = await cursor.fetchall()
            return int(rows_read)

        before = await touched()
        await prove_inclusion(tx, "e-33333")

        assert 0 < await touched() - before <= 3 * 256


async def test_several_events_are_proved_together_as_each_is_alone(
    large: tuple[Database, list[bytes]],
) -> None:
    database, _ = large
    await grow(database)
    told = [f"e-{index}" for index in (65_536, 3, 69_999, 3, 255, 256)]

    async with database.transaction() as tx:
        for size in (None, 70_000):
            alone = [await prove_inclusion(tx, one, size) for one in told]
            assert await prove_inclusions(tx, told, size) == alone
        with pytest.raises(SizeUnfit, match="leaf 65536: a tree of 300 leaves does not have it"):
            await prove_inclusions(tx, ["e-3", "e-65536"], 300)
        with pytest.raises(EventNotFound):
            await prove_inclusions(tx, ["e-3", "e-nowhere"])


async def test_an_event_has_its_proof_in_every_tree_since_it_came(empty: Database) -> None:
    events = [event(number) for number in range(7)]
    await append(empty, *events)
    await grow(empty)

    async with empty.transaction() as tx:
        for place, one in enumerate(events):
            proof = await prove_inclusion(tx, one.id)
            assert (proof.index, proof.size, proof.leaf) == (place, 7, leaf_hash(one.entry))
            with pytest.raises(SizeUnfit, match=f"leaf {place}: a tree of {place} leaves does not have it"):
                await prove_inclusion(tx, one.id, place)


async def test_what_has_no_proof_says_why(empty: Database) -> None:
    await append(empty, event(0))
    async with empty.transaction() as tx:
        with pytest.raises(NotInTheTree, match="under a signed head"):
            await newest_head(tx)
        with pytest.raises(NotInTheTree, match="not in the tree yet"):
            await prove_inclusion(tx, "e-0")
        with pytest.raises(EventNotFound):
            await prove_inclusion(tx, "e-1")
    await grow(empty)
    async with empty.transaction() as tx:
        with pytest.raises(SizeUnfit, match="has 1 leaves, not 2"):
            await prove_inclusion(tx, "e-0", 2)
        with pytest.raises(SizeUnfit, match="has 1 leaves, not 2"):
            await prove_consistency(tx, 1, 2)
        with pytest.raises(SizeUnfit, match="does not begin with"):
            await prove_consistency(tx, 2)


async def test_a_proof_from_a_damaged_tree_is_not_made_up(empty: Database) -> None:
    await append(empty, event(0), event(1))
    await grow(empty)
    await tamper(empty, "DELETE FROM audit_leaves WHERE index = 1")

    async with empty.transaction() as tx:
        with pytest.raises(TreeDamaged):
            await prove_inclusion(tx, "e-0")


# --- signatures -------------------------------------------------------------------------------------------


async def test_each_head_is_signed_as_it_comes(empty: Database) -> None:
    for number in range(3):
        await append(empty, event(number))
        await grow(empty)

    heads = await rows(empty, "SELECT size, root, at, note FROM audit_heads ORDER BY size")
    signed = [read_note(row["note"], KEYS) for row in heads]
    assert [(one.size, one.root, one.at) for one in signed] == [
        (row["size"], bytes(row["root"]), row["at"]) for row in heads
    ]
    async with empty.transaction() as tx:
        assert (await newest_head(tx)).note == heads[-1]["note"]


async def test_a_head_is_never_dated_before_the_one_before_it(empty: Database) -> None:
    """A sequencer whose clock is behind takes over."""
    await append(empty, event(0))
    await grow(empty)
    await append(empty, event(1))
    async with empty.connection() as connection:
        await grow_tree(connection, lambda: NOW - timedelta(hours=1), SIGNER)

    assert [row["at"] for row in await rows(empty, "SELECT at FROM audit_heads")] == [NOW, NOW]
    assert (await verified(empty)).holds


async def test_heads_from_before_they_were_signed_are_named_and_signing_begins_at_once(
    empty: Database,
) -> None:
    await append(empty, event(0), event(1))
    await grow(empty)
    await tamper(empty, "UPDATE audit_heads SET note = NULL")

    assert (await verified(empty)).faults == ("the newest head, of size 2, is not signed",)
    assert [await grow(empty) for _ in range(2)] == [1, 0]
    found = await verified(empty)

    assert (found.holds, found.heads, found.unsigned, found.size) == (True, 2, 1, 3)
    (told,) = await rows(empty, "SELECT data FROM audit_events WHERE kind = 'audit.signing_began'")
    assert told["data"] == {"unsigned_size": 2, "key": str(SIGNER.key)}


async def test_what_waited_when_signing_began_comes_under_the_first_signed_head(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("checkpoints.audit_tree._BATCH", 3)
    await append(empty, event(0))
    await grow(empty)
    await tamper(empty, "UPDATE audit_heads SET note = NULL")
    await append(empty, *(event(number) for number in range(1, 9)))

    assert await grow(empty) == 9
    assert (await verified(empty)).holds


# --- writers are not held up ------------------------------------------------------------------------------


async def test_nobody_who_tells_waits_for_the_tree_or_for_another_teller(empty: Database) -> None:
    await append(empty, event(0))
    async with asyncio.timeout(30), empty.connection() as sequencer, sequencer.transaction():
        assert await grow_tree(sequencer, lambda: NOW, SIGNER) == 1
        async with empty.transaction() as one, empty.transaction() as other:
            await tell(one, event(1))
            await tell(other, event(2))
        await append(empty, event(3))

    assert await grow(empty) == 3
    assert (await verified(empty)).holds
