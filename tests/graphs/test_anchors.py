"""Anchoring: the newest head goes out when there is something new in it, and what came of it is told once."""

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from checkpoints.anchored import read_anchored
from checkpoints.audit_tree import grow_tree
from checkpoints.audit_verify import verify_log
from graphs.anchor_places import read_anchors
from graphs.anchors import Anchoring
from graphs.wiring import Parts
from tests.fakes.receiver import Answer, receiver
from tests.house import House


@dataclass(frozen=True, slots=True)
class Log:
    """A house whose log is grown and anchored by hand."""

    house: House

    async def grow(self) -> None:
        parts = self.house.parts
        async with parts.database.connection() as connection:
            while await grow_tree(connection, parts.clock, parts.signer):
                pass

    async def round(self) -> int:
        """One turn of a worker: the tree is grown, and its head anchored."""
        await self.grow()
        return await Anchoring(self.house.parts).run()

    async def told(self) -> list[tuple[str, str, int]]:
        rows = await self.house.rows(
            "SELECT kind, data FROM audit_events WHERE kind LIKE 'audit.%%' ORDER BY seq"
        )
        return [(row["kind"], row["data"]["anchor"], row["data"]["size"]) for row in rows]

    async def size(self) -> int:
        (row,) = await self.house.rows("SELECT max(size) AS size FROM audit_heads")
        return int(row["size"])


def log_with(parts: Parts, places: str) -> Log:
    return Log(House(replace(parts, anchors=read_anchors(places, ("127.0.0.1",)))))


async def test_the_newest_head_is_anchored_recorded_and_told(parts: Parts, tmp_path: Path) -> None:
    place = f"file://{tmp_path}/heads"
    log = log_with(parts, place)
    await log.house.after("clean_29_90_1")

    assert await log.round() == 1

    size = await log.size()
    keys = [parts.signer.key]
    (kept,), faults = read_anchored([tmp_path / "heads"], keys)
    assert (kept.head.size, faults) == (size, [])
    assert await log.told() == [("audit.anchored", place, size)]
    await log.grow()
    async with parts.database.connection() as connection:
        found = await verify_log(connection, keys, [kept])
    assert (found.holds, found.anchored) == (True, 2)


async def test_anchoring_is_no_reason_to_anchor_again(parts: Parts, tmp_path: Path) -> None:
    log = log_with(parts, f"file://{tmp_path}/one,file://{tmp_path}/other")
    await log.house.after("clean_29_90_1")

    assert [await log.round() for _ in range(4)] == [2, 0, 0, 0]
    await log.house.after("clean_29_90_2")
    assert [await log.round() for _ in range(3)] == [2, 0, 0]
    assert len((tmp_path / "one").read_text().splitlines()) == 2


async def test_an_empty_log_is_not_anchored(parts: Parts, tmp_path: Path) -> None:
    log = log_with(parts, f"file://{tmp_path}/heads")
    await log.grow()
    (row,) = await log.house.rows("SELECT count(*) AS events FROM audit_events")

    assert await log.round() == (1 if row["events"] else 0)
    assert await log.round() == 0


async def test_an_anchor_that_fails_holds_up_no_other_and_is_told_of_once_a_streak(
    parts: Parts, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with receiver() as running:
        log = log_with(parts, f"{running.url},file://{tmp_path}/heads")
        running.answer = Answer(status=503)
        await log.house.after("clean_29_90_1")
        size = await log.round() and await log.size()
        for _ in range(3):
            assert await log.round() == 0
        assert await log.told() == [
            ("audit.anchor_failed", running.url, size),
            ("audit.anchored", f"file://{tmp_path}/heads", size),
        ]
        assert caplog.text.count("the log's head is not anchored: the receiver answered 503") == 4

        running.answer = Answer()
        assert await log.round() == 1
        running.answer = Answer(status=500)
        await log.house.after("clean_29_90_2")
        await log.round()
        await log.round()

    failures = [told for told in await log.told() if told[:2] == ("audit.anchor_failed", running.url)]
    assert len(failures) == 2


async def test_two_workers_at_once_anchor_one_head_once(parts: Parts, tmp_path: Path) -> None:
    one, other = (log_with(parts, f"file://{tmp_path}/heads") for _ in range(2))
    await one.house.after("clean_29_90_1")
    await one.grow()

    await asyncio.gather(Anchoring(one.house.parts).run(), Anchoring(other.house.parts).run())

    assert len(await one.told()) == 1
    assert len(await one.house.rows("SELECT size FROM audit_anchors")) == 1
