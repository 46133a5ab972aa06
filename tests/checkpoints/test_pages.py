"""Pages: newest first, nothing lost and nothing doubled while rows are added, and no cursor but our own."""

import base64
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from checkpoints import schema
from checkpoints.cases import Case, Status, add_case, list_cases
from checkpoints.database import Database
from checkpoints.errors import UnknownCursor
from checkpoints.pages import Page, keyset
from graphs.wiring import Parts

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine is shared
ON_ONE_DATABASE = settings(
    deadline=None,
    max_examples=20,
    # examples share the table on purpose; each has a workflow of its own and sees nothing else
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
NEXT_NUMBER = count()


def case_of(workflow: str, second: int) -> Case:
    """A case of a workflow, created in some second; its id sorts at random among those of that second."""
    number = next(NEXT_NUMBER)
    at = NOW + timedelta(seconds=second)
    return Case(
        id=f"{number * 7919 % 1000:03}-{number}",
        workflow=workflow,
        workflow_version="1",
        event_source="/test",
        event_id=f"e-{number}",
        rules={},
        event={},
        title="",
        sealing_key="5e" * 32,
        opened_by="service:test",
        status=Status.CLOSED,
        created_at=at,
        updated_at=at,
    )


async def add(database: Database, workflow: str, seconds: list[int]) -> list[Case]:
    cases = [case_of(workflow, second) for second in seconds]
    async with database.transaction() as tx:
        for case in cases:
            assert await add_case(tx, case)
    return cases


async def page(database: Database, workflow: str, limit: int, after: str | None) -> Page[Case]:
    async with database.transaction() as tx:
        return await list_cases(tx, limit=limit, after=after, workflow=workflow)


def newest_first(cases: list[Case]) -> list[str]:
    return [case.id for case in sorted(cases, key=lambda case: (case.created_at, case.id), reverse=True)]


SECONDS = st.lists(st.integers(0, 4), max_size=12)


@ON_ONE_DATABASE
@given(SECONDS, st.integers(1, 5))
@example([0, 0, 0, 0], 2)
@example([], 1)
async def test_going_on_from_page_to_page_shows_every_row_once(
    parts: Parts, seconds: list[int], limit: int
) -> None:
    workflow = f"w-{next(NEXT_NUMBER)}"
    cases = await add(parts.database, workflow, seconds)

    seen, cursor, pages = [], None, 0
    while pages == 0 or cursor is not None:
        part = await page(parts.database, workflow, limit, cursor)
        assert len(part.items) == limit or part.next is None
        seen += [case.id for case in part.items]
        cursor, pages = part.next, pages + 1

    assert seen == newest_first(cases)
    assert pages == max(1, -(-len(cases) // limit)), "no page is empty but the only one"


@ON_ONE_DATABASE
@given(
    st.lists(st.integers(0, 4), min_size=3, max_size=10),
    st.integers(1, 3),
    st.lists(st.integers(0, 9), max_size=6),
)
async def test_rows_that_are_added_meanwhile_lose_and_double_nothing(
    parts: Parts, seconds: list[int], limit: int, later: list[int]
) -> None:
    workflow = f"w-{next(NEXT_NUMBER)}"
    before = await add(parts.database, workflow, seconds)

    first = await page(parts.database, workflow, limit, None)
    seen, cursor = [case.id for case in first.items], first.next
    while cursor is not None:
        await add(parts.database, workflow, later)
        part = await page(parts.database, workflow, 50, cursor)
        seen, cursor = seen + [case.id for case in part.items], part.next

    assert len(seen) == len(set(seen))
    assert [one for one in seen if one in {case.id for case in before}] == newest_first(before)


async def test_what_is_newer_than_a_cursor_is_not_shown_after_it(parts: Parts) -> None:
    await add(parts.database, "w", [1, 2])
    first = await page(parts.database, "w", 1, None)
    newer = await add(parts.database, "w", [3])

    rest = await page(parts.database, "w", 10, first.next)

    assert not {case.id for case in rest.items} & {case.id for case in [*first.items, *newer]}


def decoded(cursor: str) -> str:
    return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@UNHURRIED
@given(st.datetimes(datetime(1970, 1, 1), timezones=st.just(UTC)), st.text(st.characters(codec="utf-8")))  # noqa: DTZ001 - it takes a naive end
def test_a_cursor_fits_into_an_address(at: datetime, tie: str) -> None:
    cursor = Page.of([1, 2], 1, lambda _: (at, tie)).next

    assert cursor is not None
    assert cursor.isascii()
    assert not set(cursor) & set("+/=&?#% ")
    assert decoded(cursor) == f"{at.isoformat()}|{tie}"


def test_the_last_page_has_no_cursor() -> None:
    assert Page.of([1, 2], 2, lambda _: (NOW, "")).next is None
    assert Page.of([], 2, lambda _: (NOW, "")).next is None


def refused(cursor: str) -> None:
    """The cursor is refused before the database hears of it."""
    c = schema.cases.c
    with pytest.raises(UnknownCursor):
        keyset(select(c.id), c.created_at, c.id, cursor, 10)


@UNHURRIED
@given(st.text())
@example("")
@example("=")
@example("\ud800")
@example("\x00")
@example("é")
@example("null")
@example("' OR 1=1 --")
def test_garbage_is_no_cursor(cursor: str) -> None:
    refused(cursor)


@UNHURRIED
@given(st.text(st.characters(codec="utf-8")))
@example("")
@example("|")
@example("2026-11-20T12:00:00|c-1")
@example("2026-11-20|c-1")
@example("2026-13-20T12:00:00+00:00|c-1")
@example("now|c-1")
@example("infinity|c-1")
@example("2026-11-20T12:00:00+00:00|c-\x00")
def test_garbage_that_is_well_encoded_is_no_cursor(text: str) -> None:
    refused(encoded(text))


async def test_the_ends_of_time_are_cursors_like_any(parts: Parts) -> None:
    (only,) = await add(parts.database, "w", [0])
    for text, expected in {
        "2026-11-20T12:00:01-23:59|c-1": [only.id],
        "2026-11-20T12:00:00+23:59|c-1": [],
        "0001-01-01T00:00:00+23:59|c-1": [],
        "9999-12-31T23:59:59.999999-23:59|c-1": [only.id],
    }.items():
        part = await page(parts.database, "w", 1, encoded(text))
        assert [case.id for case in part.items] == expected, text
