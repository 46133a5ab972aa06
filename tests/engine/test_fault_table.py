"""What every fault leads to is what docs/reliability.md says; `uv run poe faults` writes it there."""

import asyncio
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from checkpoints.embedded import embedded_postgres
from graphs.settings import Settings
from graphs.wiring import Parts, open_parts
from tests.conftest import AS_OF
from tests.databases import OURS, SANDBOX, clone, make_templates
from tests.engine.faults import AGENTS, FAULTS, READS, WRITES, Fault, Laboratory, Result, as_table, from_table
from tests.house import ManualClock, at_once, require_honest_record

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"


def written() -> Mapping[Fault, Result]:
    """What the document says."""
    return from_table(DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0])


def test_the_document_says_something_of_every_fault() -> None:
    assert set(written()) == set(FAULTS)


@pytest.mark.parametrize("tool", [*READS, *WRITES, *AGENTS])
async def test_every_fault_leads_where_the_document_says(
    parts: Parts, clock: ManualClock, settings: Settings, tool: str
) -> None:
    assert settings.sandbox_url is not None
    laboratory = Laboratory(parts, clock, settings.sandbox_url)
    faults = [fault for fault in FAULTS if fault.tool == tool]

    found = {fault: await laboratory.result(fault) for fault in faults}

    assert found == {fault: result for fault, result in written().items() if fault.tool == tool}


async def measured(folder: Path) -> dict[Fault, Result]:
    """Every fault, on a database server of its own in this folder."""
    clock = ManualClock(AS_OF)
    async with embedded_postgres(folder, durable=False) as server:
        await make_templates(server, AS_OF)
        async with clone(server, OURS) as ours, clone(server, SANDBOX) as sandbox:
            settings = Settings(
                database_url=ours, sandbox_url=sandbox, home=folder, people_file=folder / "people.yaml"
            )
            async with open_parts(settings, clock=clock, sleep=at_once) as parts:
                laboratory = Laboratory(parts, clock, sandbox)
                found = {fault: await laboratory.result(fault) for fault in FAULTS}
                await require_honest_record(parts)
    return found


def main() -> None:
    """Print the table, or with --write put it into the document."""
    with tempfile.TemporaryDirectory(prefix="countersign-faults-") as folder:
        Path(folder).chmod(0o755)  # the server's own user must be able to enter it
        table = as_table(asyncio.run(measured(Path(folder))))
    if "--write" not in sys.argv:
        print(table)
        return
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    DOCUMENT.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
