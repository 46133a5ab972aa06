"""Deeds of operations: once a key, on what is open, and never to somebody else's."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from nodes.reversing import needs_people, undo_text
from tests.house import ManualClock
from tests.tools.operations import (
    GRADING,
    JOINING,
    OPEN,
    OPENING,
    PAGING,
    RESOLVING,
    RESTARTING,
    ROLLING_BACK,
    TASK,
)
from tests.tools.shop import AS_OF, Shop
from tools.contract import RecordNotFound, Reversibility, Tool, ToolRefused
from tools.sandbox.operations.cast import CAST
from tools.sandbox.operations.past import operations

DEEDS: Mapping[str, dict[str, Any]] = {
    "incidents.open": OPENING,
    "incidents.join": JOINING,
    "incidents.grade": GRADING,
    "incidents.resolve": RESOLVING,
    "incidents.page": PAGING,
    "services.restart": RESTARTING,
    "deployments.rollback": ROLLING_BACK,
    "tasks.create": TASK,
}


@pytest.mark.parametrize("name", DEEDS)
async def test_the_same_key_twice_is_one_deed_and_is_found(shop: Shop, name: str) -> None:
    assert await shop.find(name, "key") is None
    done = await shop.do(name, **DEEDS[name])

    assert await shop.do(name, **DEEDS[name]) == done
    assert await shop.find(name, "key") == done


@pytest.mark.parametrize("name", DEEDS)
async def test_a_key_is_for_these_arguments_alone(shop: Shop, name: str) -> None:
    await shop.do(name, **DEEDS[name])
    other = {
        "incidents.open": {"title": "Another"},
        "incidents.grade": {"severity": "SEV1"},
        "incidents.resolve": {"cause": "capacity"},
        "incidents.page": {"urgency": "push"},
        "tasks.create": {"kind": "tune_alert"},
    }.get(name, {"incident_id": "INC-999999"})

    with pytest.raises(ToolRefused, match="other arguments"):
        await shop.do(name, **DEEDS[name] | other)


async def test_a_service_has_one_open_incident(shop: Shop) -> None:
    other = OPENING | {"service_id": OPEN.service_id, "alert_id": OPEN.alert_id}
    with pytest.raises(ToolRefused, match="open already"):
        await shop.do("incidents.open", **other)


async def test_the_database_itself_has_room_for_one_open_incident(sandbox_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(sandbox_url) as connection:
        with pytest.raises(psycopg.errors.UniqueViolation, match="incidents_one_is_open"):
            await connection.execute(
                "INSERT INTO incidents (service_id, severity, status, title, opened_at, idempotency_key)"
                " VALUES (%s, 'SEV1', 'open', 'x', now(), 'x')",
                (OPEN.service_id,),
            )


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("incidents.open", {"alert_id": OPEN.alert_id}),
        ("incidents.join", {"service_id": "docs-site"}),
        ("incidents.page", {"service_id": "docs-site"}),
        ("incidents.page", {"target": "rota-payments"}),
        ("services.restart", {"service_id": "payments-core"}),
        ("deployments.rollback", {"deployment_id": CAST["tier1_outage"].deployment_id}),
        ("deployments.rollback", {"service_id": "payments-core"}),
        ("tasks.create", {"team": "team_payments"}),
    ],
)
async def test_what_is_somebody_elses_is_refused(shop: Shop, name: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ToolRefused):
        await shop.do(name, **DEEDS[name] | changes)


@pytest.mark.parametrize("name", [name for name in DEEDS if name != "incidents.open"])
async def test_what_is_over_is_left_alone(shop: Shop, name: str) -> None:
    await shop.do("incidents.resolve", key="over", **RESOLVING)

    with pytest.raises(ToolRefused):
        await shop.do(name, **DEEDS[name])


async def test_what_is_graded_before_cannot_be_ungraded_past_a_later_grade(shop: Shop) -> None:
    first = await shop.do("incidents.grade", key="first", **GRADING)
    await shop.do("incidents.grade", key="second", incident_id=OPEN.incident_id, severity="SEV1")

    with pytest.raises(ToolRefused, match="by now"):
        await shop.undo("incidents.grade", first)


async def test_a_task_that_is_done_is_not_withdrawn(shop: Shop) -> None:
    task = await shop.do("tasks.create", **TASK)
    done = await shop.do("tasks.complete", task_id=task.task_id)

    assert (done.status, done.done_at) == ("done", AS_OF)
    with pytest.raises(ToolRefused, match="is done"):
        await shop.undo("tasks.create", task)


async def test_what_was_deployed_since_is_not_overwritten_by_an_undo(shop: Shop, sandbox_url: str) -> None:
    rolled = await shop.do("deployments.rollback", **ROLLING_BACK)
    async with await psycopg.AsyncConnection.connect(sandbox_url, autocommit=True) as connection:
        await connection.execute(
            "INSERT INTO deployments VALUES ('D-999999', %s, '3.0.0', '2.0.0', 'x', 'live', now(), 'x')",
            (OPEN.service_id,),
        )

    with pytest.raises(ToolRefused, match="one_is_live"):
        await shop.undo("deployments.rollback", rolled)


async def test_the_log_of_actions_goes_back_a_day(shop: Shop, clock: ManualClock) -> None:
    await shop.do("services.restart", **RESTARTING)
    clock.advance(timedelta(hours=24) - timedelta(seconds=1))
    assert len((await shop.do("services.actions", service_id=OPEN.service_id)).actions) == 1

    clock.advance(timedelta(seconds=1))

    assert (await shop.do("services.actions", service_id=OPEN.service_id)).actions == ()


async def test_an_alert_is_cleared_once(shop: Shop) -> None:
    cleared = await shop.do("alerts.clear", alert_id=CAST["minor"].alert_id)
    assert (cleared.status, cleared.resolved_at) == ("resolved", AS_OF)

    with pytest.raises(ToolRefused, match="resolved already"):
        await shop.do("alerts.clear", key="again", alert_id=CAST["minor"].alert_id)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("services.get", {"service_id": "no-such-service"}),
        ("alerts.get", {"alert_id": "AL-999999"}),
        ("incidents.withdraw", {"incident_id": "INC-999999"}),
        ("tasks.complete", {"task_id": "FT-999999"}),
    ],
)
async def test_what_is_not_there_is_not_found(shop: Shop, name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(RecordNotFound):
        await shop.do(name, **arguments)


def test_each_write_says_how_it_is_taken_back(tools: Mapping[str, Tool]) -> None:
    assert needs_people(tools["services.restart"])
    assert undo_text(tools["services.restart"]) == "Cannot be undone."
    assert tools["incidents.page"].reversibility is Reversibility.EXTERNALLY_REVERSIBLE
    assert "cannot be taken back" in undo_text(tools["incidents.page"])
    for name in DEEDS.keys() - {"services.restart", "incidents.page"}:
        assert tools[name].reversibility is Reversibility.REVERSIBLE


def test_the_same_seed_is_the_same_past_and_another_one_is_not() -> None:
    one, again, other = (list(operations(seed, AS_OF, 600)) for seed in (1, 1, 2))
    assert one == again
    assert one != other
    sizes = {table.name: len(table.rows) for table in one}
    assert sizes["services"] > 60
    assert all(150 < sizes[name] < 400 for name in ("alerts", "deployments", "incidents"))
    chunks = next(table for table in one if table.name == "log_chunks")
    assert 5000 < sum(row[4] for row in chunks.rows) < 20000


def test_the_cast_has_its_own_numbers_and_services() -> None:
    assert len({scene.number for scene in CAST.values()}) == len(CAST)
    assert len({scene.service_id for scene in CAST.values()}) == len(CAST)
