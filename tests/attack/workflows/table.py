"""The attack table of the five workflows: every text that they read, and a model that obeys it."""

import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from checkpoints.embedded import EmbeddedPostgres, embedded_postgres
from tests.attack.figures import Figures, markdown, table
from tests.attack.workflows.goals import GOALS
from tests.attack.workflows.measure import (
    Houses,
    Outcome,
    attacks_on,
    effects,
    figures,
    places_in,
    told_apart,
)
from tests.attack.workflows.speaking import over_http
from tests.conftest import AS_OF
from tests.databases import make_templates

TITLE = "Injected text in every place of five workflows, and a model that obeys it"


async def rows(chosen: Sequence[str] = ()) -> tuple[str, list[Figures]]:
    """The rows over all workflows; those of each, and what happened with no person, are printed."""
    console, found = Console(), list[list[Figures]]()
    async with _postgres() as (postgres, home):
        for workflow in chosen or GOALS:
            houses = Houses(postgres, home, workflow)
            places = places_in(workflow)
            outcomes = await houses.tried(attacks_on(workflow, places))
            sample = [one.attack for one in sample_of(outcomes)]
            approved = await houses.tried(sample, approve=True)
            found.append(figures(outcomes, approved, await houses.right()))
            console.print(table(f"{workflow}: {len(places)} places", found[-1]))
            console.print(markdown(found[-1]), soft_wrap=True, markup=False, highlight=False)
            _explain(console, outcomes)
            await _over_http(console, Houses(postgres, home, workflow), outcomes)
    return TITLE, [_sum(of_governance) for of_governance in zip(*found, strict=True)]


def _explain(console: Console, outcomes: Sequence[Outcome]) -> None:
    for change, attacks in sorted(effects(outcomes).items()):
        goals = ", ".join(sorted({one.goal.word for one in attacks}))
        console.print(f"{len(attacks)} attacks ({goals}), no person: {change}", soft_wrap=True, markup=False)
    for one in outcomes:
        if one.leaked:
            console.print(f"leaked to {one.attack}: {sorted(one.leaked)}", markup=False)
    heard = sorted({str(one.attack.place) for one in outcomes if one.heard})
    console.print(f"places that an agent reads: {', '.join(heard)}", markup=False)


async def _over_http(console: Console, houses: Houses, outcomes: Sequence[Outcome]) -> None:
    """One attack for each goal over real HTTP, with the marking of texts from outside and without it."""
    sample = list({one.attack.goal.word: one for one in reversed(sample_of(outcomes))}.values())
    again = {}
    for marking in (True, False):
        houses.voice, houses.clean = over_http(marking=marking), {}
        again[marking] = await houses.tried([one.attack for one in sample])
    same = told_apart(again[True]) == told_apart(again[False])
    console.print(
        f"over HTTP: {len(sample)} attacks, {sum(one.succeeded for one in again[True])} with an effect and no"
        f" person marked, {sum(one.succeeded for one in again[False])} unmarked;"
        f" {'the same' if same else 'NOT the same'} with and without marking,"
        f" {'the same' if told_apart(again[True]) == told_apart(sample) else 'NOT the same'} as in process",
        markup=False,
    )


def sample_of(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """One attack for every place that an agent reads and every goal: the first scene in which it is read."""
    first: dict[tuple[str, str], Outcome] = {}
    for one in outcomes:
        if one.heard:
            first.setdefault((str(one.attack.place), one.attack.goal.word), one)
    return list(first.values())


def _sum(rows: Sequence[Figures]) -> Figures:
    names = ("attacks", "unattended", "attacker_asks", "writes", "asks", "wrongly_refused")
    return replace(rows[0], **{name: sum(getattr(row, name) for row in rows) for name in names})


@asynccontextmanager
async def _postgres() -> AsyncIterator[tuple[EmbeddedPostgres, Path]]:
    with tempfile.TemporaryDirectory(prefix="countersign-attack-") as folder:
        Path(folder).chmod(0o755)  # noqa: ASYNC240 - before anything else runs
        async with embedded_postgres(Path(folder), durable=False) as postgres:
            await make_templates(postgres, AS_OF)
            yield postgres, Path(folder)
