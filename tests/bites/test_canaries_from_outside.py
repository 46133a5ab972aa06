"""What tools, tables and folders outside say, and how they are configured, is nowhere in clear."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from checkpoints.cases import Status
from graphs.settings import Settings
from graphs.wiring import Parts
from tests.api.command import countersign
from tests.bites.planted import BODY, COMMENT, CONFIGURED, FAILURE, FILE, NAME
from tests.bites.sown import approve_all
from tests.bites.test_canaries_of_workflows import leaks
from tests.fakes.mcp_server import ANSWERS, RESERVE, STOCK, Warehouse, over_http
from tests.graphs.triggering import TABLE, Office, folder_entry, triggered
from tests.house import PEOPLE, House, ManualClock, refund_event
from tests.stories.reviewing import now_working
from tests.stories.test_tools_from_outside import KEEPER, SAM, TOOLS, admit, send

REMARK = {"structured": ANSWERS["getStock"]["structured"] | {"remark": NAME}}


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path)


@pytest.fixture
async def stock_url(warehouse: Warehouse) -> AsyncIterator[str]:
    stop, begun = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def serve() -> None:
        async with over_http(warehouse.folder) as url:
            begun.set_result(url)
            await stop.wait()

    serving = asyncio.create_task(serve())
    yield await begun
    stop.set()
    await serving


@pytest.fixture
def settings(settings: Settings, stock_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("CANARY_TOKEN", CONFIGURED)
    now_working(settings, *PEOPLE, SAM, KEEPER)
    server = {"url": stock_url, "allow_private": True, "seconds": 60, "token_env": "CANARY_TOKEN"}
    file = tmp_path / f"{FILE}-tools.yaml"
    file.write_text(yaml.safe_dump({"servers": {"stock": server}}))
    return replace(settings, tools_file=file, workflows=("tests.fakes.shelf_kit",))


@pytest.fixture
async def stocked(house: House, warehouse: Warehouse) -> House:
    """The house whose articles carry a remark that is personal."""
    warehouse.offer(STOCK, RESERVE, getStock=REMARK)
    await admit(house, *TOOLS)
    return house


async def doctor(settings: Settings) -> str:
    """What the doctor prints, in both forms."""
    env = {"DATABASE_URL": str(settings.database_url), "COUNTERSIGN_HOME": str(settings.home)}
    told = [await countersign("doctor", *more, env=env) for more in ((), ("--json",))]
    return "".join(one.out + one.err for one in told)


async def test_what_a_tool_outside_answers_and_how_it_fails_is_nowhere(
    stocked: House,
    settings: Settings,
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
    warehouse: Warehouse,
) -> None:
    case = await send(stocked)
    await stocked.work()
    warehouse.offer(STOCK, RESERVE, getStock=REMARK, reserve_stock={"error": True, "text": FAILURE})
    assert await approve_all(stocked, (SAM,), COMMENT) == 1

    assert (await stocked.case(case.id)).status is Status.UNCERTAIN
    assert len(warehouse.called("reserve_stock")) == 1
    secrets = (NAME, FAILURE, CONFIGURED, FILE, COMMENT)
    assert await leaks(stocked, settings, clock, caplog, case.id, *secrets) == {}
    assert [one for one in secrets if one in await doctor(settings)] == []


async def test_what_a_source_outside_says_that_fails_is_nowhere(
    stocked: House,
    settings: Settings,
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
    warehouse: Warehouse,
) -> None:
    case = await send(stocked)
    warehouse.offer(STOCK, RESERVE, getStock={"error": True, "text": FAILURE})
    await stocked.work()

    assert (await stocked.case(case.id)).status is Status.BLOCKED
    assert await leaks(stocked, settings, clock, caplog, case.id, FAILURE, CONFIGURED, FILE) == {}
    assert FAILURE not in await doctor(settings)


async def test_files_of_an_inbox_their_names_and_their_words_are_nowhere(
    parts: Parts, settings: Settings, clock: ManualClock, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    office = Office(House(triggered(parts, settings, folders=[folder_entry(inbox)])), "", "/triggers/inbox")
    data: dict[str, Any] = dict(refund_event("clean_120_00_1").data)
    for name, content in (("good", data), ("unfit", data | {"note": BODY}), ("odd", [NAME])):
        (inbox / f"{FILE}-{name}.json").write_text(json.dumps(content))
    (inbox / f"{FILE}-broken.json").write_text(f'{{"note": "{BODY}", ')
    await office.look(times=2)
    await office.house.work()

    (case,) = await office.house.rows("SELECT id FROM cases")
    assert len(list((inbox / "refused").glob("*.json"))) == 3
    assert await leaks(office.house, settings, clock, caplog, case["id"], FILE, NAME, BODY) == {}
    assert FILE not in await doctor(settings)


async def test_the_address_of_a_watched_table_is_nowhere_though_it_leads_nowhere(
    parts: Parts,
    settings: Settings,
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    away = f"postgresql://till:{CONFIGURED}@127.0.0.1:9/{FILE}"
    held = triggered(parts, replace(settings, sandbox_url=away), tables=[TABLE])
    office = Office(House(held), "", "/triggers/claims")
    case = await office.house.send("clean_120_00_1")
    await office.look(times=2)

    assert await office.told("trigger.stands_still")
    assert await leaks(office.house, settings, clock, caplog, case.id, CONFIGURED, FILE) == {}
