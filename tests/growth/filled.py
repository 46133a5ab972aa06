"""A house with so many finished cases behind it, a backlog of fixed size, and new business to be done."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from checkpoints.audit_tree import grow_tree
from checkpoints.embedded import EmbeddedPostgres
from checkpoints.votes import VoteKind
from graphs.settings import Settings
from graphs.wiring import Parts, open_parts
from tests import bench, bench_reviews
from tests.conftest import AS_OF
from tests.databases import OURS, SANDBOX, as_owner, clone
from tests.growth import tree
from tests.growth.copies import Copies
from tests.house import MAX, House, ManualClock

WAITING = 300
"""How many reviews are open: what people leave lying does not grow with what they have done."""
_QUICK = """
SET maintenance_work_mem = '512MB';
SET work_mem = '256MB'
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Filled:
    """A house with so many finished cases, and how many bytes each takes, by kind of table."""

    house: House
    cases: int
    leaves: int
    bytes_each: dict[str, float]


@asynccontextmanager
async def filled(postgres: EmbeddedPostgres, folder: Path, cases: int) -> AsyncIterator[Filled]:
    """A house that is filled; its databases are dropped afterwards."""
    people = folder / "people.yaml"
    bench_reviews.known_people(people)
    async with clone(postgres, OURS) as ours, clone(postgres, SANDBOX) as sandbox:
        await bench.fill(sandbox, range(bench.REVIEWED[-1] + 1), bench.REVIEWED)
        settings = Settings(database_url=ours, sandbox_url=sandbox, home=folder, people_file=people)
        async with open_parts(settings, clock=ManualClock(AS_OF)) as parts:
            house = House(parts)
            finished, waiting = await _patterns(house)
            before = await sizes(house)
            async with _owner(parts) as connection:
                await Copies(connection, waiting, parts.prune_after).fill(
                    cases + 1, cases + WAITING, apart=timedelta(seconds=30), threads=True
                )
            async with _owner(parts) as connection:
                await Copies(connection, finished, parts.prune_after).fill(1, cases)
                leaves = await tree.grow(connection, parts.signer, AS_OF)
                await connection.execute("ANALYZE")
            after = await sizes(house)
            each = {kind: (after[kind] - before[kind]) / cases for kind in after}
            yield Filled(house=house, cases=cases, leaves=leaves, bytes_each=each)


async def _patterns(house: House) -> tuple[list[str], list[str]]:
    """Real cases: eight that have ended, as often as each kind of end is to be, and two that wait."""
    small = [(await house.after(f"clean_29_90_{number}")).id for number in range(1, 6)]
    signed = await _ended(house, "clean_120_00_1"), await _ended(house, "clean_120_00_2")
    refused = await _ended(house, "clean_120_00_3", VoteKind.REJECT)
    waiting = [(await house.after("clean_120_00_4")).id, (await house.after("clean_180_00")).id]
    async with house.parts.database.connection() as connection:
        await grow_tree(connection, house.parts.clock, house.parts.signer)
    return [*small, *signed, refused], waiting


async def _ended(house: House, scene: str, kind: VoteKind = VoteKind.APPROVE) -> str:
    case = await house.after(scene)
    review = await house.review(case.id)
    return (await house.decided(review, MAX, kind)).id


@asynccontextmanager
async def _owner(parts: Parts) -> AsyncIterator[AsyncConnection[dict[str, object]]]:
    async with await AsyncConnection.connect(
        as_owner(parts.database.conninfo), autocommit=True, row_factory=dict_row
    ) as connection:
        await connection.execute(_QUICK)
        yield connection


_SIZES = """
SELECT CASE WHEN relname LIKE 'audit%%' THEN 'log' WHEN relname LIKE 'checkpoint%%' THEN 'checkpoints'
            ELSE 'other rows' END AS kind, sum(pg_total_relation_size(oid))::float AS bytes
FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace GROUP BY 1
"""


async def sizes(house: House) -> dict[str, float]:
    """Bytes by kind of table, indexes included."""
    return {row["kind"]: row["bytes"] for row in await house.rows(_SIZES)}
