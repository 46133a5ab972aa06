"""The second company: right actions and attacks of the τ²-bench's retail domain."""

import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from checkpoints.embedded import EmbeddedPostgres, embedded_postgres
from tests.attack.figures import Figures
from tests.attack.retail.attacks import attacks
from tests.attack.retail.company import open_company
from tests.attack.retail.data import VARIABLE, Act, acts, folder
from tests.attack.retail.doing import doing_tools
from tests.attack.retail.governance import Governance, baselines
from tests.attack.retail.governed import Countersign, countersign
from tests.attack.retail.measure import Measure
from tests.attack.retail.reading import reading_tools
from tests.attack.retail.tries import Attack, unconfirmed
from tests.databases import make_templates
from tests.house import ManualClock
from tools.contract import Tool

AS_OF = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Bench:
    """The company with everything that can govern it."""

    measure: Measure
    tools: Mapping[str, Tool]
    plain: Sequence[Governance]
    countersign: Countersign

    async def writes(self, right: Sequence[Act]) -> list[Act]:
        """Those of the right actions that do anything at all where nothing governs them."""
        await self.measure.figures(self.plain[0], right, ())
        return [act for act in right if self.measure.right[act.id]]

    async def attacks(self, right: Sequence[Act]) -> list[Attack]:
        """The attacks that these right actions can be made into, and that the tools alone let happen."""
        shelf = await self.measure.shelf()
        none = self.plain[0]
        return [one for one in attacks(right, shelf) if (await self.measure.attack(none, one))[0]]


@asynccontextmanager
async def open_bench(postgres: EmbeddedPostgres, home: Path) -> AsyncIterator[Bench]:
    """Everything opened, on a server with the templates."""
    clock = ManualClock(AS_OF)
    async with open_company(postgres, clock) as company:
        tools = (*reading_tools(company.sandbox), *doing_tools(company.sandbox))
        async with countersign(postgres, tools, home, clock) as governed:
            named = {tool.name: tool for tool in tools}
            yield Bench(Measure(company, clock), named, baselines(company, named), governed)


async def rows() -> tuple[str, list[Figures]]:
    """The whole table; without the data no row, and the title says so."""
    if folder() is None:
        return f"τ²-bench retail: the data are not here (set {VARIABLE})", []
    with tempfile.TemporaryDirectory(prefix="countersign-attack-") as place:
        Path(place).chmod(0o755)  # noqa: ASYNC240 - before anything else runs
        async with embedded_postgres(Path(place), durable=False) as postgres:
            await make_templates(postgres, AS_OF)
            async with open_bench(postgres, Path(place)) as bench:
                return await _rows(bench)


async def _rows(bench: Bench) -> tuple[str, list[Figures]]:
    right = await bench.writes(acts())
    found = await bench.attacks(right)
    figures = [
        await bench.measure.figures(governance, right, found)
        for governance in (*bench.plain, bench.countersign)
    ]
    blind = [
        await bench.measure.attack(bench.countersign, one, approving=True)
        for one in bench.measure.asked.get(bench.countersign.name, [])
    ]
    figures.append(
        replace(
            figures[-1],
            governance="Countersign, a reviewer who approves everything",
            unattended=sum(succeeded for succeeded, _ in blind),
            attacker_asks=sum(asks for _, asks in blind),
        )
    )
    alone = await bench.measure.figures(bench.countersign, right, (), unconfirmed)
    kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(one.kind for one in found).items())
    figures.append(replace(alone, governance="Countersign, where customers confirm nothing"))
    title = f"τ²-bench retail, a fully obeying model. {len(right)} of {len(acts())} right actions; {kinds}"
    return title, figures
