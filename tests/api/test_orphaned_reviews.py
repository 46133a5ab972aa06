"""A review whose workflow a deploy has taken away: it can be seen, and whatever cannot be done says why."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest

from api.serve import serving
from graphs.wiring import Parts
from nodes.workflow import Workflow
from tests.api.door import Door, Json, problem

LEADS = "clean_120_00_1"
PATCH = [{"op": "replace", "path": "/amount_minor", "value": 8000}]


def nothing_installed(_parts: Parts) -> dict[str, Workflow]:
    return {}


def without_refunds(parts: Parts) -> dict[str, Workflow]:
    workflow = parts.workflows["refund"]
    left = {name: ruling for name, ruling in workflow.rulings.items() if name != "payments.refund"}
    return {"refund": replace(workflow, rulings=left)}


@asynccontextmanager
async def at_another_door(door: Door, parts: Parts) -> AsyncIterator[Door]:
    """The door of another process, which came with another version."""
    async with (
        serving(parts, host="127.0.0.1", port=0) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as http,
    ):
        yield replace(door, http=http)


async def orphaned(door: Door) -> Json:
    """A review of before, due within working hours."""
    review = await door.waiting(LEADS)
    await door.house.rows("UPDATE reviews SET due_working = true")
    return review


@pytest.fixture(params=[nothing_installed, without_refunds])
async def later(door: Door, request: pytest.FixtureRequest) -> AsyncIterator[Door]:
    async with at_another_door(
        door, replace(door.house.parts, workflows=request.param(door.house.parts))
    ) as it:
        yield it


@pytest.fixture
async def orphan(door: Door) -> Json:
    return await orphaned(door)


async def test_it_is_shown_and_listed(later: Door, orphan: Json) -> None:
    assert (await later.get("lee", f"/reviews/{orphan['id']}"))["digest"] == orphan["digest"]
    assert [one["id"] for one in (await later.get("lee", "/reviews"))["items"]] == [orphan["id"]]


async def test_an_edit_of_it_is_neither_previewed_nor_made(later: Door, orphan: Json) -> None:
    path, before = f"/reviews/{orphan['id']}", await later.standing()
    preview = await later.ask("lee", "POST", f"{path}/preview", json={"patch": PATCH})
    problem(preview, 409, "workflow-not-installed")

    body = {"kind": "edit", "comment": "Less.", "patch": PATCH, "digest": orphan["digest"]}
    problem(await later.ask("lee", "POST", f"{path}/votes", json=body), 409, "workflow-not-installed")
    assert await later.standing() == before


async def test_it_is_not_handed_up_where_nobody_knows_the_hours_of_those_above(door: Door) -> None:
    review = await orphaned(door)
    parts = replace(door.house.parts, workflows={})
    async with at_another_door(door, parts) as later:
        body = {"kind": "escalate", "comment": "For finance.", "digest": review["digest"]}
        escalated = await later.ask("lee", "POST", f"/reviews/{review['id']}/votes", json=body)
        problem(escalated, 409, "workflow-not-installed")
