"""Past incidents are found by what they speak of: by word stems, the title first, whatever is asked."""

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.tools.operations import GRADING, OPEN
from tests.tools.shop import Shop
from tools.sandbox.operations.cast import CAST
from tools.sandbox.operations.search import MOST_FOUND, SimilarIncident

INSERT = """
INSERT INTO incidents (incident_id, service_id, severity, status, title, summary, cause,
                       opened_at, resolved_at, idempotency_key)
VALUES (%s, 'docs-site', 'SEV3', %s, %s, %s, %s,
        '2026-11-01T12:00:00Z', %s, %s)
"""


async def remember(
    url: str,
    incident_id: str,
    title: str,
    summary: str = "",
    *,
    cause: str = "unknown",
    is_open: bool = False,
) -> None:
    """An incident of the past, or with `is_open` one of now."""
    ended = None if is_open else "2026-11-02T12:00:00Z"
    values = (incident_id, "open" if is_open else "resolved", title, summary, cause, ended, incident_id)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(INSERT, values)


async def found(shop: Shop, words: str) -> list[SimilarIncident]:
    answer = await shop.do("incidents.search", words=words)
    return list(answer.incidents)


async def ids(shop: Shop, words: str) -> list[str]:
    return [one.incident_id for one in await found(shop, words)]


async def test_words_are_found_by_their_stems(shop: Shop, sandbox_url: str) -> None:
    await remember(sandbox_url, "INC-500001", "Zeppelins were deflating", "The valves of zeppelins leaked.")

    assert await ids(shop, "zeppelin deflates") == ["INC-500001"]
    assert await ids(shop, "a leaking valve of the zeppelin") == ["INC-500001"]


async def test_a_title_weighs_more_than_a_summary_and_that_more_than_a_cause(
    shop: Shop, sandbox_url: str
) -> None:
    await remember(sandbox_url, "INC-500003", "Something else", "Nothing", cause="zeppelin_deflated")
    await remember(sandbox_url, "INC-500002", "Something else", "A zeppelin deflated")
    await remember(sandbox_url, "INC-500001", "A zeppelin deflated", "Nothing")

    answers = await found(shop, "zeppelin deflated")

    assert [one.incident_id for one in answers] == ["INC-500001", "INC-500002", "INC-500003"]
    ranks = [one.rank_permille for one in answers]
    assert ranks == sorted(ranks, reverse=True)
    assert len(set(ranks)) == 3
    assert all(0 < rank < 1000 for rank in ranks)


@pytest.mark.parametrize(
    ("words", "finds"),
    [
        ("zeppelin", False),
        ("zeppelin deflated", True),
        ("zeppelin deflated quickly northern mountains sunny", True),
        ("zeppelin deflated quickly northern mountains sunny yesterday", False),
    ],
)
async def test_two_words_and_a_third_of_them_must_be_shared(
    shop: Shop, sandbox_url: str, words: str, *, finds: bool
) -> None:
    await remember(sandbox_url, "INC-500001", "The zeppelin deflated")

    assert bool(await ids(shop, words)) is finds


async def test_a_single_word_in_common_is_no_likeness(shop: Shop, sandbox_url: str) -> None:
    await remember(sandbox_url, "INC-500001", "Zeppelin")

    assert await ids(shop, "Zeppelin hangar burns") == []


async def test_what_is_still_open_teaches_nothing_yet(shop: Shop, sandbox_url: str) -> None:
    await remember(sandbox_url, "INC-500001", "A zeppelin deflated", is_open=True)

    assert await ids(shop, "zeppelin deflated") == []


async def test_there_are_no_more_than_five(shop: Shop) -> None:
    assert len(await found(shop, CAST["tier1_outage"].title)) == MOST_FOUND


async def test_the_past_that_the_cast_needs_is_there_and_where_there_is_none_there_is_none(
    shop: Shop,
) -> None:
    for scene in ("deploy_outage", "tier1_outage", "injection", "flapping", "large_log"):
        answers = await found(shop, CAST[scene].title)
        assert answers, scene
        assert all(one.shared_words >= 2 for one in answers)
    assert await found(shop, CAST["no_similar"].title) == []


async def test_what_was_resolved_can_be_found_from_then_on(shop: Shop) -> None:
    words = f"{OPEN.title} of the stock"
    assert OPEN.incident_id not in await ids(shop, words)
    await shop.do("incidents.grade", key="grade", **GRADING)
    await shop.do("incidents.resolve", incident_id=OPEN.incident_id, cause="dependency")

    assert (await ids(shop, words))[0] == OPEN.incident_id


@pytest.mark.parametrize("words", ["", "the of and", "'; DROP --", "& | ! ( ) <-> :*", "\\"])
async def test_what_says_nothing_finds_nothing(shop: Shop, words: str) -> None:
    assert await ids(shop, words) == []


@given(
    words=st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=200)
)
@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_no_words_break_the_search(shop: Shop, words: str) -> None:
    assert len(await found(shop, words)) <= MOST_FOUND
    assert len(await found(shop, f"error 'rate' & {words} http://a/b?c=1&d=2 memory")) <= MOST_FOUND


async def test_the_search_uses_its_index(sandbox_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(sandbox_url) as connection:
        await connection.execute("SET LOCAL enable_seqscan = off")
        cursor = await connection.execute(
            "EXPLAIN SELECT * FROM incidents WHERE document @@ to_tsquery('english', 'memory | exhausted')"
        )
        plan = "\n".join(row[0] for row in await cursor.fetchall())
    assert "incidents_by_words" in plan
