"""Watched tables: each row is one case, however late it was committed and whoever was killed in between."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import psycopg
import pytest

from checkpoints.cases import Status
from checkpoints.embedded import EmbeddedPostgres
from graphs import watched_tables
from graphs.people import read_people, write_people
from graphs.settings import Settings
from graphs.trigger_words import STANDING
from graphs.watched_tables import OVERLAP, Mark
from graphs.wiring import Parts
from tests.api.outage import closed
from tests.graphs.triggering import (
    CLAIMS,
    SCENES,
    TABLE,
    Office,
    entrust,
    rounds_of,
    triggered,
)
from tests.house import House, ManualClock
from tests.kills import killed_at
from tools.contract import Arguments, Call, Record, ToolUnavailable
from tools.registry import Registry
from tools.sandbox.cast import CAST
from tools.triggers.table import Place
from tools.triggers.trouble import TriggerTrouble

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def office(parts: Parts, settings: Settings) -> Office:
    return await office_of(parts, settings)


async def office_of(parts: Parts, settings: Settings, **changes: Any) -> Office:
    """An office with the claims as its table, something about the entry changed."""
    assert settings.sandbox_url is not None
    house = House(triggered(parts, settings, tables=[TABLE | changes]))
    office = Office(house, settings.sandbox_url, "/triggers/claims")
    await office.sql(CLAIMS)
    return office


# --- a row is one case ------------------------------------------------------------------------------------


async def test_each_row_is_one_case_on_behalf_of_the_service(office: Office, clock: ManualClock) -> None:
    keys = [await office.claim(number, clock.now, by=scene) for number, scene in enumerate(SCENES)]
    await office.look(times=3)

    assert await office.opened() == keys
    rows = await office.house.rows("SELECT id, opened_by FROM cases")
    assert {row["opened_by"] for row in rows} == {"service:tills"}
    await office.house.work()
    assert {(await office.house.case(row["id"])).status for row in rows} == {Status.CLOSED}


async def test_rows_that_do_not_fit_the_condition_are_none(office: Office, clock: ManualClock) -> None:
    await office.claim(1, clock.now)
    await office.sql("UPDATE tickets SET subject = 'Thanks' WHERE ticket_id = 'T-700001'")
    await office.look()

    assert await office.opened() == []


async def test_new_rows_are_found_round_after_round_over_one_connection(
    office: Office, clock: ManualClock
) -> None:
    async with rounds_of(office.house.parts) as one:
        connections = []
        for number in range(3):
            await office.claim(number, clock.now)
            await one.run()
            connections.append(one.reader._connection.info.backend_pid)
            clock.advance(MINUTE)

    assert len(set(connections)) == 1
    assert len(await office.opened()) == 3


async def test_a_row_that_is_seen_again_later_in_order_is_the_same_case(
    office: Office, clock: ManualClock
) -> None:
    key = await office.claim(1, clock.now)
    await office.look()
    clock.advance(MINUTE)
    await office.sql("UPDATE tickets SET created_at = %s WHERE ticket_id = %s", clock.now, key)
    await office.look()

    assert await office.opened() == [key]


async def test_more_rows_than_a_page_holds_are_read_page_by_page(
    office: Office, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched_tables, "PAGE", 2)
    keys = [await office.claim(number, clock.now) for number in range(5)]  # all at the same time
    await office.look()

    assert await office.opened() == keys
    assert (await office.state())["mark"]["mark"][1] == keys[-1]


# --- what is committed late -------------------------------------------------------------------------------


async def test_a_row_with_an_earlier_order_value_that_commits_late_is_not_lost(
    office: Office, clock: ManualClock
) -> None:
    async with await psycopg.AsyncConnection.connect(office.url) as slow:
        late = await office.claim_within(slow, 1, clock.now)
        clock.advance(MINUTE)
        early = await office.claim(2, clock.now, by=SCENES[1])
        for _ in range(4):
            await office.look(times=2)
            clock.advance(OVERLAP / 5)
        assert await office.opened() == [early]
        await slow.commit()
    await office.look()

    assert await office.opened() == [late, early]


async def test_what_can_come_late_no_more_is_not_read_again(office: Office, clock: ManualClock) -> None:
    await office.claim(1, clock.now)
    await office.look()
    clock.advance(OVERLAP)
    await office.look()
    assert (await office.state())["mark"]["since"][1] == "T-700001"

    async with rounds_of(office.house.parts) as one:
        since = Place(*(await office.state())["mark"]["since"])
        assert await one.reader.page(since, 10, clock.now) == []


def test_the_mark_moves_on_with_a_sweep_that_began_an_overlap_after_it_was_set(clock: ManualClock) -> None:
    first, second = Place("1", "a"), Place("2", "b")
    mark = replace(Mark(watch="x").began(clock.now), reached=first).ended(clock.now)
    assert (mark.since, mark.mark) == (None, first)

    clock.advance(OVERLAP - MINUTE)
    early = replace(mark.began(clock.now), reached=second)
    clock.advance(2 * MINUTE)
    assert early.ended(clock.now).since is None, "it began too early, however long it took"
    mark = replace(mark.began(clock.now), reached=second).ended(clock.now)
    assert (mark.since, mark.mark, mark.marked_at) == (first, second, clock.now)
    assert Mark.read(mark.to_json(), "x") == mark
    assert Mark.read(mark.to_json(), "another table") == Mark(watch="another table")


async def test_a_time_in_the_far_future_hides_nothing_that_comes_after(
    office: Office, clock: ManualClock
) -> None:
    await office.claim(1, clock.now + timedelta(days=36500))
    await office.sql("UPDATE tickets SET created_at = 'infinity' WHERE ticket_id = 'T-700001'")
    for number in range(2, 5):
        await office.claim(number, clock.now)
        await office.look()
        clock.advance(2 * OVERLAP)

    assert await office.opened() == ["T-700002", "T-700003", "T-700004"]


# --- refused ----------------------------------------------------------------------------------------------


async def test_a_row_that_is_refused_is_on_the_record_once_and_holds_up_no_other(
    office: Office, clock: ManualClock
) -> None:
    await office.claim(1, clock.now, by=SCENES[0], of=SCENES[1])
    good = await office.claim(2, clock.now)
    await office.look(times=3)

    (refused,) = await office.told("event.refused")
    assert (refused["reason"], refused["id"], refused["by"]) == ("out_of_scope", "T-700001", "service:tills")
    assert await office.opened() == [good]


async def test_a_row_that_was_put_right_and_moved_up_is_taken_in(office: Office, clock: ManualClock) -> None:
    key = await office.claim(1, clock.now, by=SCENES[0], of=SCENES[1])
    await office.look()
    clock.advance(MINUTE)
    right = CAST[SCENES[0]].order_id
    await office.sql(
        "UPDATE tickets SET order_id = %s, created_at = %s WHERE ticket_id = %s", right, clock.now, key
    )
    await office.look()

    assert await office.opened() == [key]


HOSTILE = {
    "a value that does not fit": ("'not an order'", "data_unfit"),
    "no value": ("NULL", "data_unfit"),
    "more than is read": ("repeat('x', 2000000)", "row_unfit"),
    "a JSON value nested deeply": ("(repeat('[', 5000) || repeat(']', 5000))::json", "row_unfit"),
    "a NUL in JSON": ("""'"a\\u0000b"'::json""", "row_unfit"),
    "a lone surrogate in JSON": ("""'["\\ud800"]'::json""", "row_unfit"),
    "a number with many digits": ("('1' || repeat('0', 9000))::json", "data_unfit"),
    "a number that is none": ("'NaN'::float8", "data_unfit"),
    "bytes": (r"'\xff00'::bytea", "data_unfit"),
    "a date that is none": ("'-infinity'::timestamptz", "data_unfit"),
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_a_hostile_value_is_refused_once_and_holds_up_no_other(
    parts: Parts, settings: Settings, clock: ManualClock, what: str
) -> None:
    value, reason = HOSTILE[what]
    office = await office_of(parts, settings)
    await office.claim(1, clock.now)
    good = await office.claim(2, clock.now)
    view = "CREATE VIEW odd_claims AS SELECT *, {} AS odd FROM claims WHERE ticket_id = 'T-700001'"
    await office.sql(view.format(value))
    odd = TABLE | {"table": "odd_claims", "data": TABLE["data"] | {"reason_code": "odd"}, "name": "odd"}  # type: ignore[operator]
    office.house.parts = triggered(parts, settings, tables=[odd, TABLE | {"where": {"ticket_id": good}}])
    await office.look(times=2)

    assert await office.reasons("event.refused") == [reason]
    assert await office.opened() == [good]


@pytest.mark.parametrize("key", ["''", "repeat('k', 600)"])
async def test_a_key_that_names_nothing_is_refused_once(
    parts: Parts, settings: Settings, clock: ManualClock, key: str
) -> None:
    office = await office_of(parts, settings, key="odd", table="odd_claims")
    await office.claim(1, clock.now)
    view = "CREATE VIEW odd_claims AS SELECT *, {} AS odd FROM claims"
    await office.sql(view.format(key))
    await office.look(times=2)

    assert await office.reasons("event.refused") == ["key_unfit"]


async def test_a_workflow_that_breaks_on_a_row_holds_up_no_other(office: Office, clock: ManualClock) -> None:
    await office.claim(1, clock.now, by=SCENES[0])
    good = await office.claim(2, clock.now, by=SCENES[1])
    refund = office.house.parts.workflows["refund"]

    def title(event: Any) -> str:
        if event.ticket_id == "T-700001":
            raise ValueError("a mistake in a workflow")
        return refund.title(event)

    office.house.parts = replace(office.house.parts, workflows={"refund": replace(refund, title=title)})
    await office.look(times=2)

    assert await office.reasons("event.refused") == ["unforeseen"]
    assert await office.opened() == [good]


async def test_rows_without_an_order_value_are_named_and_left_out_until_there_are_none(
    parts: Parts, settings: Settings, clock: ManualClock
) -> None:
    office = await office_of(parts, settings, table="odd_claims")
    await office.sql(
        "CREATE VIEW odd_claims AS SELECT ticket_id, order_id, customer_id, reason_code, subject,"
        " CASE status WHEN 'open' THEN created_at END AS created_at FROM claims"
    )
    await office.claim(1, clock.now)
    await office.sql("UPDATE tickets SET status = 'pending' WHERE ticket_id = 'T-700001'")
    good = await office.claim(2, clock.now)
    await office.look(times=3)
    assert await office.opened() == [good]
    assert (await office.state())["reason"] == "order_missing"
    assert await office.reasons("trigger.leaves_out") == ["order_missing"]

    await office.sql("UPDATE tickets SET status = 'open' WHERE ticket_id = 'T-700001'")
    await office.look(times=2)
    assert len(await office.opened()) == 2
    assert await office.reasons("trigger.goes_on") == ["order_missing"]


# --- several at once, and killed --------------------------------------------------------------------------


async def test_a_worker_killed_anywhere_leaves_the_same_cases_and_no_refusal_twice(
    office: Office, clock: ManualClock
) -> None:
    keys = [await office.claim(number, clock.now, by=scene) for number, scene in enumerate(SCENES[:2])]
    await office.claim(9, clock.now, by=SCENES[0], of=SCENES[1])
    kills = 0
    for suspension in count(step=7):
        if not await killed_at(suspension, office.look()):
            break
        kills += 1
    await office.look()

    assert kills > 5
    assert await office.opened() == keys
    assert await office.reasons("event.refused") == ["out_of_scope"]
    rows = await office.house.rows("SELECT count(*) AS n FROM commands")
    assert rows[0]["n"] == len(keys)


async def test_a_crash_between_receiving_and_the_mark_finds_the_same_cases(
    office: Office, clock: ManualClock
) -> None:
    keys = [await office.claim(number, clock.now, by=scene) for number, scene in enumerate(SCENES)]
    await office.look()
    await office.house.rows("DELETE FROM triggers")
    await office.look()

    assert await office.opened() == keys


async def test_two_looks_at_once_are_one(office: Office, clock: ManualClock) -> None:
    keys = [await office.claim(number, clock.now, by=scene) for number, scene in enumerate(SCENES)]
    async with AsyncExitStack() as stack:
        rounds = [await stack.enter_async_context(rounds_of(office.house.parts)) for _ in range(4)]
        await asyncio.gather(*(one.run() for one in rounds))
        reading = [one for one in rounds if one.reader._connection is not None]
    assert len(reading) == 1, "the others found it taken"
    assert await office.opened() == keys


# --- standing still and going on --------------------------------------------------------------------------


@pytest.mark.parametrize("scopes", [("cases:read",), None])
async def test_a_service_that_lost_its_right_stops_the_trigger_until_it_has_it_again(
    office: Office, settings: Settings, clock: ManualClock, scopes: tuple[str, ...] | None
) -> None:
    if scopes is None:
        kept = read_people(settings.people_file)
        write_people(settings.people_file, kept.model_copy(update={"services": []}))
    else:
        entrust(settings, *scopes, now=clock.now)
    key = await office.claim(1, clock.now)
    await office.look(times=3)
    reason = "no_such_service" if scopes is None else "not_permitted"
    assert await office.opened() == []
    assert await office.reasons("trigger.stands_still") == [reason]

    entrust(settings, "cases:start", now=clock.now)
    await office.look(times=2)
    assert await office.opened() == [key]
    assert await office.reasons("trigger.goes_on") == [reason]
    assert (await office.state())["reason"] is None


async def test_an_unreadable_people_file_opens_nothing(
    office: Office, settings: Settings, clock: ManualClock
) -> None:
    await office.claim(1, clock.now)
    settings.people_file.write_text("people: [")
    await office.look(times=2)

    assert await office.opened() == []
    assert await office.reasons("trigger.stands_still") == ["people_unknown"]


async def test_a_database_that_is_away_is_said_once_tried_again_later_and_read_when_it_is_back(
    office: Office, settings: Settings, clock: ManualClock, postgres: EmbeddedPostgres
) -> None:
    key = await office.claim(1, clock.now)
    away = replace(settings, database_url=settings.sandbox_url)
    async with rounds_of(office.house.parts) as one:
        await one.run()
        second = await office.claim(2, clock.now, by=SCENES[1])
        async with closed(postgres, away):
            await one.run()
            assert (await office.state())["tries"] == 1
            await one.run()
            assert (await office.state())["tries"] == 1, "not at once"
            clock.advance(5 * MINUTE)
            await one.run()
            assert (await office.state())["tries"] == 2
        clock.advance(15 * MINUTE)
        await one.run()

    assert await office.opened() == [key, second]
    assert await office.reasons("trigger.stands_still") == ["database_away"]
    assert await office.reasons("trigger.goes_on") == ["database_away"]


async def test_while_a_system_that_intake_asks_is_away_no_row_is_lost(
    office: Office, clock: ManualClock
) -> None:
    async def away(_arguments: Arguments, _call: Call) -> Record:
        raise ToolUnavailable("closed for today")

    key = await office.claim(1, clock.now)
    sound = office.house.parts
    registry = Registry(
        replace(tool, perform=away) if tool.name == "orders.get" else tool
        for tool in sound.registry._real.values()
    )
    office.house.parts = replace(sound, registry=registry, capability=registry.hand_over())
    await office.look(times=2)
    assert await office.opened() == []
    assert await office.reasons("trigger.stands_still") == ["tool_unavailable"]
    assert await office.reasons("event.refused") == []

    office.house.parts = sound
    clock.advance(5 * MINUTE)
    await office.look()
    assert await office.opened() == [key]


UNFIT: dict[str, dict[str, Any]] = {
    "no_such_table": {"table": "nothing"},
    "no_such_column": {"key": "nothing"},
    "order_unfit": {"order": "subject"},
    "table_unreadable": {"where": {"created_at": "yesterday and a bit"}},
}


@pytest.mark.parametrize("reason", UNFIT)
async def test_a_table_that_is_not_as_the_file_says_is_named(
    parts: Parts, settings: Settings, clock: ManualClock, reason: str
) -> None:
    office = await office_of(parts, settings, **UNFIT[reason])
    await office.claim(1, clock.now)
    await office.look(times=2)

    assert await office.reasons("trigger.stands_still") == [reason]
    assert reason in STANDING
    assert await office.opened() == []


async def test_names_are_quoted_and_never_run(parts: Parts, settings: Settings, clock: ManualClock) -> None:
    office = await office_of(parts, settings, table='odd "; DROP TABLE tickets CASCADE; --', order="or der")
    await office.claim(1, clock.now)
    await office.sql(
        'CREATE VIEW "odd ""; DROP TABLE tickets CASCADE; --" AS SELECT *, created_at AS "or der" FROM claims'
    )
    await office.look(times=2)

    assert await office.opened() == ["T-700001"]


async def test_the_table_cannot_be_written_through(office: Office) -> None:
    async with rounds_of(office.house.parts) as one:
        with pytest.raises(TriggerTrouble) as trouble:
            async with one.reader._transaction() as (connection, _):
                await connection.execute("DELETE FROM ticket_replies")
    assert isinstance(trouble.value.__cause__, psycopg.errors.ReadOnlySqlTransaction)


async def test_whole_numbers_order_rows_too(parts: Parts, settings: Settings, clock: ManualClock) -> None:
    office = await office_of(parts, settings, table="numbered", order="number")
    await office.sql("CREATE VIEW numbered AS SELECT *, substr(ticket_id, 3)::bigint AS number FROM claims")
    keys = [await office.claim(number, clock.now, by=SCENES[number % 4]) for number in (5, 40, 300)]
    await office.look(times=2)

    assert await office.opened() == keys
    assert (await office.state())["mark"]["mark"] == ["700300", "T-700300"]
