"""Logs by reference: what is looked at is chosen by fixed code, bounded, and says what it was chosen from."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools.shop import Shop
from tools.contract import RecordNotFound
from tools.sandbox.operations.cast import CAST, FAR_FROM_THE_ALERT, INJECTED
from tools.sandbox.operations.excerpts import AROUND, MOST_CHARACTERS, MOST_LINES, errors_in, excerpt
from tools.sandbox.operations.logs import LogExcerpt

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


def line(seconds: int, level: str = "ERROR", text: str = "it broke") -> str:
    return f"{AT + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ} {level} {text}"


async def around(shop: Shop, scene: str) -> LogExcerpt:
    found = await shop.do("logs.around", alert_id=CAST[scene].alert_id)
    assert isinstance(found, LogExcerpt)
    return found


def test_warnings_and_errors_are_shown_and_nothing_else() -> None:
    lines = [line(0, level) for level in ("DEBUG", "INFO", "WARN", "ERROR", "FATAL", "error")]
    assert excerpt(lines, AT) == tuple(lines[2:5])


@pytest.mark.parametrize(
    ("seconds", "shown"), [(-900, True), (-901, False), (900, True), (901, False), (0, True)]
)
def test_a_quarter_of_an_hour_on_either_side_is_looked_at(seconds: int, *, shown: bool) -> None:
    assert timedelta(seconds=900) == AROUND
    assert bool(excerpt([line(seconds)], AT)) is shown


def test_of_too_many_lines_those_nearest_to_the_alert_are_shown_in_their_order() -> None:
    lines = [line(seconds) for seconds in range(-300, 1)]
    assert excerpt(lines, AT) == tuple(lines[-MOST_LINES:])


def test_a_long_line_is_cut_and_says_so() -> None:
    (short,) = excerpt([line(0, text="x" * 10_000)], AT)
    assert len(short) == MOST_CHARACTERS
    assert short.endswith(" […]")
    exactly = line(0, text="x" * (MOST_CHARACTERS - len(line(0, text=""))))
    assert excerpt([exactly], AT) == (exactly,)


@given(st.lists(st.text(max_size=400), max_size=80))
def test_whatever_is_in_a_log_the_excerpt_is_bounded(texts: list[str]) -> None:
    lines = [line(at % 60, text=text) for at, text in enumerate(texts)] + texts
    shown = excerpt(lines, AT)
    assert len(shown) <= MOST_LINES
    assert all(len(one) <= MOST_CHARACTERS for one in shown)
    assert errors_in(lines) >= len(shown)


@pytest.mark.parametrize(
    "odd", ["", "ERROR without a time", "2026-13-45T99:99:99Z ERROR no such day", "\x00"]
)
def test_a_line_without_a_time_belongs_to_none(odd: str) -> None:
    assert excerpt([odd], AT) == ()


async def test_a_large_log_is_a_reference_a_size_and_a_digest(shop: Shop, sandbox_url: str) -> None:
    found = await around(shop, "large_log")

    async with await psycopg.AsyncConnection.connect(sandbox_url) as connection:
        cursor = await connection.execute("SELECT body FROM log_chunks WHERE log_id = %s", (found.reference,))
        ((body,),) = await cursor.fetchall()
    assert (found.size_bytes, found.sha256) == (len(body.encode()), sha256(body.encode()).hexdigest())
    assert (found.line_count, found.errors) == (6061, 61)
    assert len(found.excerpt) == MOST_LINES
    assert FAR_FROM_THE_ALERT in body
    assert not any("far from the alert" in shown for shown in found.excerpt)
    assert len(found.model_dump_json()) < found.size_bytes / 50


async def test_what_somebody_wrote_into_a_log_is_shown_as_it_is(shop: Shop) -> None:
    found = await around(shop, "injection")
    assert any(INJECTED[:150] in shown for shown in found.excerpt)


async def test_where_there_is_no_log_there_is_no_reference(shop: Shop) -> None:
    found = await shop.do("logs.around", alert_id="AL-100001")
    assert (found.reference, found.sha256, found.size_bytes, found.excerpt) == ("", "", 0, ())


async def test_of_an_unknown_alert_there_is_no_log(shop: Shop) -> None:
    with pytest.raises(RecordNotFound):
        await shop.do("logs.around", alert_id="AL-999999")


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("UPDATE log_chunks SET body = body || 'x' WHERE log_id = 'LG-900001'", "log_chunks_.*_is_true"),
        ("UPDATE log_chunks SET sha256 = repeat('0', 64) WHERE log_id = 'LG-900001'", "digest_is_true"),
        ("UPDATE log_chunks SET size_bytes = 1 WHERE log_id = 'LG-900001'", "size_is_true"),
    ],
)
async def test_a_reference_always_means_the_same_text(
    sandbox_url: str, statement: str, constraint: str
) -> None:
    async with await psycopg.AsyncConnection.connect(sandbox_url) as connection:
        with pytest.raises(psycopg.errors.CheckViolation, match=constraint):
            await connection.execute(statement.encode())
