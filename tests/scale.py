"""`poe scale`: what a case costs when there are few cases, and when there are many, side by side."""

import argparse
import asyncio
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

import psycopg
from rich.console import Console
from rich.table import Table

from checkpoints.embedded import EmbeddedPostgres, embedded_postgres
from tests.conftest import AS_OF
from tests.databases import make_templates
from tests.growth.filled import WAITING, Filled, filled
from tests.growth.measures import TIMES, measured

CASES = (1_000, 100_000, 1_000_000)
MOST = 1.5
"""The most that anything may cost more at the largest size than at the smallest."""
_TUNED = (
    "max_wal_size = '8GB'",
    "checkpoint_timeout = '30min'",
    "autovacuum = off",
    "full_page_writes = off",
)


async def main(sizes: list[int]) -> bool:
    """Fill, measure and print; returns whether nothing grows by more than it may."""
    console = Console(width=110)
    with tempfile.TemporaryDirectory(prefix="countersign-scale-") as folder:
        Path(folder).chmod(0o755)  # noqa: ASYNC240 - before anything else runs
        async with embedded_postgres(Path(folder), durable=False) as postgres:
            await _tune(postgres)
            await make_templates(postgres, AS_OF)
            found = await _found(postgres, Path(folder), sizes, console)
    _show(console, found)
    first, last = found[sizes[0]], found[sizes[-1]]
    return all(last[name] <= MOST * first[name] for name in first)


async def _found(
    postgres: EmbeddedPostgres, folder: Path, sizes: list[int], console: Console
) -> dict[int, dict[str, float]]:
    """What is measured at each size, all sizes side by side."""
    async with AsyncExitStack() as stack:
        houses = []
        for size in sizes:
            began = time.monotonic()
            houses.append(await stack.enter_async_context(filled(postgres, folder, size)))
            took = time.monotonic() - began
            console.print(f"{size:,} cases, {houses[-1].leaves:,} events, filled in {took:.0f} s")
        times = await measured(houses)
        return {one.cases: mine | _bytes(one) for one, mine in zip(houses, times, strict=True)}


def _bytes(filled: Filled) -> dict[str, float]:
    each = filled.bytes_each
    return {"bytes a case": sum(each.values())} | {
        f"bytes a case: {kind}": each[kind] for kind in sorted(each)
    }


async def _tune(postgres: EmbeddedPostgres) -> None:
    """So that filling takes minutes; what is measured afterwards is the same with or without."""
    async with await psycopg.AsyncConnection.connect(postgres.url("postgres"), autocommit=True) as connection:
        for setting in _TUNED:
            await connection.execute(f"ALTER SYSTEM SET {setting}".encode())
        await connection.execute("SELECT pg_reload_conf()")


def _show(console: Console, found: dict[int, dict[str, float]]) -> None:
    sizes = list(found)
    console.print(f"Medians of {TIMES} in milliseconds, {WAITING} reviews open; against {sizes[0]:,} cases:")
    table = Table()
    for name in ("what", *(f"{size:,}" for size in sizes), *(f"x at {size:,}" for size in sizes[1:])):
        table.add_column(name, justify="left" if name == "what" else "right")
    for name, first in found[sizes[0]].items():
        values = [found[size][name] for size in sizes]
        ratios = [f"{value / first:.2f}" if first else "-" for value in values[1:]]
        shown = [f"{value:,.0f}" if "bytes" in name else f"{value:.1f}" for value in values]
        table.add_row(name, *shown, *ratios)
    console.print(table)


def _sizes(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What a case costs, few and many cases side by side.")
    parser.add_argument("--cases", type=_sizes, default=list(CASES), help="sizes, such as 1000,100000")
    raise SystemExit(0 if asyncio.run(main(parser.parse_args().cases)) else 1)
