"""The queue of reviews: searched, filtered, sorted, in pages that hold still, as the vote would have it."""

import base64
import itertools
import json
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Select

from checkpoints.database import Transaction
from checkpoints.review_queue import LOOKED_THROUGH, Filter, Sort, list_queue, list_stakes, queue_query
from checkpoints.reviews import get_review
from graphs.electorate import Electorate
from graphs.people import PERSON_PREFIX, Person, new_token, read_people, write_people
from graphs.queue_view import MOST_COUNTED, MOST_LOOKED_AT
from graphs.settings import Settings
from tests.api.door import Door, Json, problem
from tests.counting import Counting

LEADS = "clean_120_00_1"
FINANCES = "clean_640_00_1"
DERIVED = {"id", "wake_at", "amount_rank", "risk_rank", "words"}

NO_CURSORS: list[Any] = [None, 7, [], {}, ["newest"], [[], [], []], "abc"]
ORDERS: dict[str, Any] = {
    "newest": (lambda review: (datetime.fromisoformat(review["opened_at"]), review["id"]), True),
    "oldest": (lambda review: (datetime.fromisoformat(review["opened_at"]), review["id"]), False),
    "due": (lambda review: (datetime.fromisoformat(review["due_at"]), review["id"]), False),
    "amount": (lambda review: (_amount(review), review["id"]), True),
    "risk": (lambda review: (["low", "medium", "high"].index(review["risk"]), review["id"]), True),
}


async def copies(door: Door, review: Json, count: int, prefix: str = "copy", **other: str) -> list[str]:
    """More reviews like this one, as SQL says they differ; `n` is the number of the copy, from 1."""
    rows = await door.house.rows(
        "SELECT column_name AS name FROM information_schema.columns WHERE table_name = 'reviews'"
    )
    names = [row["name"] for row in rows if row["name"] not in DERIVED]
    values = ", ".join(other.get(name, name) for name in names)
    made = await door.house.rows(
        f"INSERT INTO reviews (id, {', '.join(names)})"  # noqa: S608 - fixed words of this file
        f" SELECT %s || '-' || lpad(n::text, 5, '0'), {values}"
        " FROM reviews, generate_series(1, %s) n WHERE id = %s RETURNING id",
        prefix,
        count,
        review["id"],
    )
    return sorted(row["id"] for row in made)


async def varied(door: Door) -> list[Json]:
    """Twelve open reviews and one more, with ties in everything that lists are sorted by."""
    review = await door.waiting(LEADS)
    await copies(
        door,
        review,
        12,
        opened_at="opened_at - mod(n, 3) * interval '1 hour'",
        due_at="due_at + mod(n, 4) * interval '0.000001 second'",
        amount_minor="CASE WHEN mod(n, 4) = 0 THEN NULL ELSE mod(n, 3) * 100 END",
        risk="(ARRAY['low', 'medium', 'high'])[mod(n, 3) + 1]",
    )
    return list((await door.get("lee", "/reviews", limit=200))["items"])


async def walk(door: Door, who: str = "lee", **params: Any) -> list[Json]:
    """All pages from the first to the last, put together."""
    page = await door.get(who, "/reviews", **params)
    found = list(page["items"])
    while page["next"] is not None:
        page = await door.get(who, "/reviews", **params, after=page["next"])
        found += page["items"]
    return found


async def listed(door: Door, who: str = "lee", **params: Any) -> list[str]:
    return _ids((await door.get(who, "/reviews", **params))["items"])


# --- order and pages --------------------------------------------------------------------------------------


@pytest.mark.parametrize("sort", ORDERS)
async def test_every_order_is_told_whole_in_pages_of_any_size(door: Door, sort: str) -> None:
    everything = await varied(door)
    key, falls = ORDERS[sort]
    whole = sorted(everything, key=key, reverse=falls)

    assert await listed(door, sort=sort, limit=200) == _ids(whole)
    for limit in (1, 3, len(whole)):
        assert _ids(await walk(door, sort=sort, limit=limit)) == _ids(whole)


@pytest.mark.parametrize("sort", ORDERS)
async def test_pages_hold_still_while_reviews_come_and_go(door: Door, sort: str) -> None:
    """Before each page the last review that was seen is decided, and another one like it comes."""
    await varied(door)
    whole = await listed(door, sort=sort, limit=200)
    came: set[str] = set()

    page = await door.get("lee", "/reviews", sort=sort, limit=3)
    seen = _ids(page["items"])
    for turn in itertools.count():
        if page["next"] is None:
            break
        came |= set(await copies(door, page["items"][-1], 1, prefix=f"late-{turn}"))
        await door.house.rows("UPDATE reviews SET status = 'approved' WHERE id = %s", seen[-1])
        page = await door.get("lee", "/reviews", sort=sort, limit=3, after=page["next"])
        seen += _ids(page["items"])

    assert [review for review in seen if review not in came] == whole
    assert len(seen) == len(set(seen))


async def test_a_cursor_of_another_order_or_of_nothing_is_a_bad_request(
    door: Door, subtests: pytest.Subtests
) -> None:
    await varied(door)
    cursors = {
        sort: (await door.get("lee", "/reviews", sort=sort, limit=3))["next"] for sort in ("newest", "amount")
    }
    wrong: list[tuple[str, Any]] = [
        ("risk", cursors["amount"]),
        ("oldest", cursors["newest"]),
        ("newest", cursors["amount"]),
        *(("newest", cursor) for cursor in ("", "x", "ü", "\x00", "AAAA", "A" * 400)),
        *(("newest", _cursor(item)) for item in NO_CURSORS),
        ("newest", _cursor(["newest", "2026-11-20T12:00:00", "x"])),
        ("newest", _cursor(["newest", "2026-13-20T12:00:00+00:00", "x"])),
        ("newest", _cursor(["newest", "2026-11-20T12:00:00+23:00", "x"])),
        ("newest", _cursor(["newest", "0001-01-01T00:00:00+23:59", "x"])),
        ("newest", _cursor(["newest", 5, "x"])),
        ("newest", _cursor(["newest", "2026-11-20T12:00:00+00:00", 5])),
        ("newest", _cursor(["newest", "2026-11-20T12:00:00+00:00", "\x00"])),
        ("newest", _cursor(["newest", "2026-11-20T12:00:00+00:00", "\ud800"])),
        *(("amount", _cursor(["amount", value, "x"])) for value in (2**63, -(2**64), 1.5, True, "1", None)),
    ]
    for sort, cursor in wrong:
        with subtests.test(f"{cursor!r:.40} after {sort}"):
            response = await door.ask("lee", "GET", "/reviews", params={"sort": sort, "after": cursor})
            problem(response, 400, "unknown-cursor")


async def test_a_cursor_at_the_edge_of_time_and_numbers_is_followed_by_nothing(door: Door) -> None:
    await varied(door)
    for sort, value in (("newest", "0001-01-01T00:00:00+00:00"), ("amount", -(2**63) + 1)):
        assert await listed(door, sort=sort, after=_cursor([sort, value, ""])) == []


# --- search and filters -----------------------------------------------------------------------------------


async def test_a_search_finds_all_its_words_by_their_beginnings_in_titles_ids_and_arguments(
    door: Door, subtests: pytest.Subtests
) -> None:
    review, other = await door.waiting(LEADS), await door.waiting(FINANCES)
    arguments = review["arguments"]
    finds = [
        review["id"],
        review["id"][9:20].upper(),
        review["case_id"],
        arguments["order_id"],
        arguments["payment_id"].lower(),
        f"REFUND {arguments['order_id']} damaged",
        f"  {review['rule'].lower()}   {arguments['customer_id']} ",
        f"{arguments['order_id']}\x00",
    ]
    for words in finds:
        with subtests.test(words.replace("\x00", "NUL")):
            assert await listed(door, q=words) == [review["id"]]
    for words in ("payments.refund", "refund ORDER", "", "  ", "\x00"):
        with subtests.test(f"both: {words!r}"):
            assert set(await listed(door, q=words)) == {review["id"], other["id"]}
    missed = (f"{arguments['order_id']} {other['arguments']['order_id']}", "nowhere", "refund nowhere")
    for words in (*missed, "efund", "--", "& | !", "%"):
        with subtests.test(f"none: {words}"):
            assert await listed(door, q=words) == []


async def test_signs_that_mean_something_to_sql_or_json_only_part_words(
    door: Door, subtests: pytest.Subtests
) -> None:
    review = await door.waiting(LEADS)
    signs = [
        "x50%",
        "qa_qb",  # no beginning of an id, which is of hex digits
        "back\\slash",
        "sl/ash",
        'quo"te',
        "qit's",
        "qe'):*|(qf",
        "qg\nqh",
        "Straße",
        "日本",
        "3e7",
    ]
    for number, word in enumerate(signs):
        await copies(door, review, 1, f"title-{number}", title=_quoted(f"({word}y)"))
        written = json.dumps({"note": f"-{word}y\n"}, ensure_ascii=False)
        await copies(
            door,
            review,
            1,
            f"argument-{number}",
            action=f"jsonb_set(action, '{{arguments}}', {_quoted(written)})",
        )
    await copies(door, review, 1, "plain", title="'50 pct qaxqb upback upslash quotes qits qeqf Trasse 37'")
    for number, word in enumerate(signs):
        with subtests.test(word):
            assert set(await listed(door, q=word)) == {f"title-{number}-00001", f"argument-{number}-00001"}


async def test_every_filter_finds_what_it_names_and_nothing_else(
    door: Door, subtests: pytest.Subtests
) -> None:
    review, other = await door.waiting(LEADS), await door.waiting(FINANCES)
    (odd,) = await copies(
        door,
        review,
        1,
        workflow="'vendor'",
        kind="'afterwards'",
        risk="'low'",
        rule="'X-1'",
        roles="ARRAY['legal', 'support_lead']",
        amount_minor="NULL",
        due_at="due_at - interval '1 day'",
        opened_at="opened_at - interval '1 day'",
        claimed_by="'person:max'",
        claimed_until="opened_at + interval '1 hour'",
    )
    moment = datetime.fromisoformat(review["opened_at"])
    wanted: list[tuple[Json, set[str]]] = [
        ({"kind": "afterwards"}, {odd}),
        ({"kind": "gate"}, {review["id"], other["id"]}),
        ({"workflow": "vendor"}, {odd}),
        ({"workflow": "refund", "risk": "medium"}, {review["id"]}),
        ({"risk": "high"}, {other["id"]}),
        ({"rule": "RF-91"}, {review["id"]}),
        ({"rule": "X-1", "risk": "high"}, set()),
        ({"role": "support_lead"}, {review["id"], odd}),
        ({"role": "finance"}, {other["id"]}),
        ({"role": "legal"}, {odd}),
        ({"claimed_by": "person:max"}, {odd}),
        ({"claimed_by": "person:lee"}, set()),
        ({"case_id": other["case_id"]}, {other["id"]}),
        ({"case_id": review["case_id"]}, {review["id"], odd}),
        ({"amount_min": 12000}, {review["id"], other["id"]}),
        ({"amount_min": 12001}, {other["id"]}),
        ({"amount_max": 12000}, {review["id"]}),
        ({"amount_min": 0, "amount_max": 11999}, set()),
        ({"due_before": review["due_at"]}, {odd}),
        ({"opened_before": review["opened_at"]}, {odd}),
        ({"opened_before": (moment + timedelta(seconds=1)).isoformat()}, {review["id"], other["id"], odd}),
        ({"status": "open"}, {review["id"], other["id"], odd}),
        ({"status": "superseded"}, set()),
    ]
    for params, found in wanted:
        with subtests.test(str(params)):
            assert set(await listed(door, **params)) == found


async def test_what_somebody_had_in_hand_is_not_theirs_any_more_when_the_time_is_over(door: Door) -> None:
    review = await door.waiting(LEADS)
    assert (await door.ask("lee", "POST", f"/reviews/{review['id']}/claim")).status_code == 200
    assert await listed(door, claimed_by="person:lee") == [review["id"]]

    until = (await door.get("lee", f"/reviews/{review['id']}"))["claimed_until"]
    door.clock.advance(datetime.fromisoformat(until) - door.clock.now)
    assert await listed(door, claimed_by="person:lee") == []


async def test_what_is_no_filter_or_no_value_of_one_does_not_fit(
    door: Door, subtests: pytest.Subtests
) -> None:
    wrong = [
        ("colour", "red"),
        ("statuses", "open"),
        ("mines", "true"),
        ("status", "closed"),
        ("kind", "other"),
        ("sort", "id"),
        ("sort", "opened_at; DROP TABLE reviews"),
        ("q", "x" * 201),
        ("workflow", "re fund"),
        ("role", "\x00"),
        ("risk", ""),
        ("claimed_by", "x" * 81),
        ("case_id", "'"),
        ("amount_min", "-1"),
        ("amount_max", str(10**14)),
        ("amount_min", "1.5"),
        ("due_before", "2026-11-20T12:00:00"),
        ("due_before", "soon"),
        ("mine", "perhaps"),
        ("limit", "0"),
        ("limit", "201"),
        ("after", "x" * 401),
    ]
    for name, value in wrong:
        with subtests.test(f"{name}={value[:20]}"):
            response = await door.ask("lee", "GET", "/reviews", params={name: value})
            (field,) = problem(response, 422, "request-unfit")["fields"]
            assert field["field"] == f"query.{name}"


@pytest.mark.parametrize(
    "moment", ["2026-11-20T12:00:00+23:59", "0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00"]
)
async def test_a_moment_of_any_zone_and_year_is_understood_or_does_not_fit(door: Door, moment: str) -> None:
    await door.waiting(LEADS)
    for name in ("due_before", "opened_before"):
        response = await door.ask("lee", "GET", "/reviews", params={name: moment})
        assert response.status_code in {200, 422}, response.text


# --- mine -------------------------------------------------------------------------------------------------

TEAM = {
    "fay": ["finance"],
    "both": ["finance", "support_lead"],
    "del": ["rule_keeper"],
    "duty": ["duty_manager"],
    "head": ["team_lead"],
}


@pytest.fixture
def crowd(door: Door, settings: Settings) -> Door:
    """The same door with a team of more roles, one of whom has nothing but what is lent to them."""
    content, tokens = read_people(settings.people_file), {}
    for name, roles in TEAM.items():
        tokens[name], kept = new_token(PERSON_PREFIX, timedelta(days=90), door.clock.now)
        content = content.with_person(Person(id=name, name=name.title(), roles=roles, tokens=[kept]))
    write_people(settings.people_file, content)
    return door.with_tokens(tokens)


async def lend(door: Door, who: str, to: str, **more: Any) -> None:
    until = (door.clock.now + timedelta(days=2)).isoformat()
    body = {"to": f"person:{to}", "until": until, "reason": "Away."} | more
    response = await door.ask(who, "POST", "/delegations", json=body)
    assert response.status_code == 201, response.text


async def many_kinds(door: Door) -> list[Json]:
    """Reviews of a lead, of finance, of two of finance half signed, opened by one of them, against advice."""
    lead, finance = await door.waiting(LEADS), await door.waiting(FINANCES)
    await door.waiting("clean_120_00_2", who="shop")
    ladder = [{**finance["ladder"][0], "people": 2}]
    (two,) = await copies(door, finance, 1, "two", ladder=_quoted(json.dumps(ladder)))
    signed = {**finance, "id": two}
    assert (await door.vote("finn", signed)).status_code == 200
    rungs = [lead["ladder"][0], {**finance["ladder"][0], "stage": 1}]
    await copies(door, lead, 1, "stages", ladder=_quoted(json.dumps(rungs)))
    await copies(door, lead, 3, "sizes", amount_minor="30000 * n")
    await copies(door, lead, 1, "proposed", action="jsonb_set(action, '{proposer}', '\"person:max\"')")
    await copies(door, lead, 1, "against", against="'recommendation'")
    await copies(door, lead, 1, "none", amount_minor="NULL", currency="NULL")
    own = await door.opened("clean_29_90_1", who="lee")
    await copies(door, lead, 1, "asked", case_id=_quoted(own))
    return list((await door.get("lee", "/reviews", limit=200))["items"])


async def test_mine_is_what_each_person_may_decide_review_by_review(
    crowd: Door, subtests: pytest.Subtests
) -> None:
    reviews = await many_kinds(crowd)
    await lend(crowd, "lee", "del")
    await lend(crowd, "finn", "del", amount_minor=70000, currency="EUR", workflow="refund")
    await lend(crowd, "lee", "head", amount_minor=12000, currency="EUR")
    await lend(crowd, "lee", "max")

    people = ["lee", "max", "finn", "fay", "kit", "both", "del", "duty", "head"]
    some = 0
    for who in people:
        with subtests.test(who):
            may = [
                review["id"]
                for review in reviews
                if (await crowd.get(who, f"/reviews/{review['id']}"))["may_decide"]
            ]
            for sort, limit in itertools.product(ORDERS, (2, 200)):
                mine = _ids(await walk(crowd, who, mine=True, sort=sort, limit=limit))
                assert sorted(mine) == sorted(may)
                assert mine == [
                    review for review in await listed(crowd, who, sort=sort, limit=200) if review in may
                ]
            assert (await crowd.get(who, "/reviews/counts"))["mine"] == len(may)
            some += 0 < len(may) < len(reviews)
    assert some >= 6, "the people hardly differ"


async def pile(door: Door) -> None:
    """Sixty times two reviews that have all in common, but that to one of some pairs something was said."""
    chance = random.Random(9)  # noqa: S311 - which reviews there are
    review = await door.waiting(LEADS)
    (finance,) = [{**rung, "role": "finance", "asked": "finance"} for rung in review["ladder"]]
    ladders = [review["ladder"], [{**finance, "people": 2}], [*review["ladder"], {**finance, "stage": 1}]]
    cases = [await door.opened(f"clean_29_90_{number}", who="lee") for number in (1, 2, 3)]
    await door.house.rows('UPDATE cases SET rollback = \'{"by": "person:max"}\' WHERE id = %s', cases[1])
    for number in range(60):
        proposer = chance.choice(["agent:refund/policy", "person:both", None])
        action = {"proposer": proposer} | chance.choice([{}, {"rules": {"digest": "of nobody's"}}])
        alike = await copies(
            door,
            review,
            2,
            f"pile-{number}",
            case_id=_quoted(chance.choice([review["case_id"], *cases])),
            workflow=_quoted(chance.choice(["refund", "refund", "vendor", "gone"])),
            amount_minor=chance.choice(["12000", "60000", "NULL"]),
            currency=_quoted(chance.choice(["EUR", "EUR", "USD"])),
            ladder=_quoted(json.dumps(chance.choice(ladders))),
            action=f"action || {_quoted(json.dumps(action))}",
            kind=_quoted(chance.choice(["gate", "afterwards"])),
            shown="jsonb_set(shown, '{signed_by}', '[\"person:fay\"]')",
        )
        if number % 6 == 0:
            await door.house.rows(_SIGNED, f"v-{number}", alike[0], *chance.choice(SIGNATURES))
    await door.house.rows("UPDATE rule_tables SET drafted_by = 'person:duty', drafted_eyes = 'head'")


SIGNATURES = [
    ("person:finn", "finance", "approve"),
    ("person:kit", None, "edit"),
    ("person:lee", None, "comment"),
]
_SIGNED = """
INSERT INTO votes (id, review_id, person, humans, role, rung, kind, digest, voted_at)
SELECT %s, r.id, p.person, ARRAY[split_part(p.person, ':', 2)], p.role, 0, p.kind, r.digest, r.opened_at
FROM reviews r, (VALUES (%s)) AS n (id), (SELECT %s AS person, %s AS role, %s AS kind) p WHERE r.id = n.id
"""


async def test_of_many_reviews_each_is_answered_as_it_is_when_somebody_votes_on_it_alone(
    crowd: Door, subtests: pytest.Subtests
) -> None:
    """By whole answers: as which role, on whose behalf, why or why not."""
    await pile(crowd)
    await lend(crowd, "lee", "del")
    await lend(crowd, "finn", "del", amount_minor=70000, currency="EUR", workflow="refund")
    await lend(crowd, "finn", "lee")
    parts, different = crowd.house.parts, set()
    for who in ("lee", "max", "finn", "fay", "kit", "both", "del", "duty", "head"):
        with subtests.test(who):
            principal = parts.people.person(f"person:{who}")
            assert principal is not None
            async with parts.database.transaction() as tx:
                electorate = Electorate(parts)
                voter = await electorate.voter(tx, principal)
                listed = (await list_queue(tx, Filter(), sort=Sort.DUE, limit=200)).items
                stakes = (await list_stakes(tx, Filter(), sort=Sort.DUE, limit=200)).items
                alone = [
                    await electorate.eligibility(tx, await get_review(tx, one.id), principal)
                    for one in listed
                ]
                assert [one.id for one in stakes] == [one.id for one in listed]
                assert await voter.eligibilities(listed) == alone
                assert await voter.eligibilities(stakes) == alone
            different |= {(one.allowed, one.role, one.why, one.on_behalf_of) for one in alone}
    assert len(different) > 20, "the answers hardly differ"


async def test_what_is_lent_is_mine_until_it_is_taken_back(crowd: Door) -> None:
    review = await crowd.waiting(LEADS)
    assert await listed(crowd, "del", mine=True) == []
    await lend(crowd, "lee", "del")
    assert await listed(crowd, "del", mine=True) == [review["id"]]
    assert await listed(crowd, "del", mine=True, role="finance") == []
    (given,) = (await crowd.get("lee", "/delegations"))["items"]
    assert (await crowd.ask("lee", "DELETE", f"/delegations/{given['id']}")).status_code == 200
    assert await listed(crowd, "del", mine=True) == []


async def test_what_others_have_in_hand_is_not_mine_until_they_let_go(door: Door) -> None:
    review = await door.waiting(LEADS)
    assert (await door.ask("max", "POST", f"/reviews/{review['id']}/claim")).status_code == 200
    assert (await listed(door, mine=True), await listed(door, "max", mine=True)) == ([], [review["id"]])
    assert await listed(door) == [review["id"]]

    until = (await door.get("lee", f"/reviews/{review['id']}"))["claimed_until"]
    door.clock.advance(datetime.fromisoformat(until) - door.clock.now)
    assert await listed(door, mine=True) == [review["id"]]


async def test_what_waits_for_information_or_has_expired_is_nobodys(door: Door) -> None:
    review = await door.waiting(LEADS)
    asked = await door.vote("lee", review, "request_info", "Where is the photo?")
    assert asked.status_code == 200, asked.text
    assert (await listed(door, mine=True), await listed(door, "max", mine=True)) == ([], [])

    other = await door.waiting(FINANCES)
    assert await listed(door, "finn", mine=True) == [other["id"]]
    door.clock.advance(datetime.fromisoformat(other["expires_at"]) - door.clock.now)
    assert await listed(door, "finn", mine=True) == []


async def test_mine_goes_with_every_other_filter(crowd: Door) -> None:
    await many_kinds(crowd)
    for params in (
        {"q": "sizes"},
        {"risk": "high"},
        {"role": "support_lead"},
        {"amount_max": 12000},
        {"status": "approved"},
    ):
        for who in ("lee", "finn", "both"):
            wanted = set(await listed(crowd, who, **params, limit=200))
            everything = set(await listed(crowd, who, mine=True, limit=200))
            assert set(await listed(crowd, who, **params, mine=True, limit=200)) == wanted & everything


# --- counts -----------------------------------------------------------------------------------------------


async def test_counts_say_how_much_there_is_to_do(door: Door) -> None:
    review, other = await door.waiting(LEADS), await door.waiting(FINANCES)
    await copies(
        door, review, 3, "late", due_at="opened_at", risk="'low'", roles="ARRAY['legal']", workflow="'vendor'"
    )
    await copies(door, review, 2, "done", status="'approved'")
    assert (await door.ask("max", "POST", f"/reviews/{review['id']}/claim")).status_code == 200
    await door.house.rows("UPDATE reviews SET paused_at = opened_at WHERE id = %s", other["id"])

    assert await door.get("lee", "/reviews/counts") == {
        "open": 5,
        "overdue": 3,
        "waiting_info": 1,
        "claimed": 1,
        "by_risk": {"high": 1, "low": 3, "medium": 1},
        "by_workflow": {"refund": 2, "vendor": 3},
        "mine": 0,
        "mine_is_more": False,
    }


async def test_mine_is_counted_up_to_a_limit_and_says_when_there_is_more(door: Door) -> None:
    review = await door.waiting(LEADS)
    await copies(door, review, MOST_COUNTED - 1)
    counts = await door.get("lee", "/reviews/counts")
    assert (counts["open"], counts["mine"], counts["mine_is_more"]) == (MOST_COUNTED, MOST_COUNTED, False)
    await copies(door, review, 1, "more")
    counts = await door.get("lee", "/reviews/counts")
    assert (counts["open"], counts["mine"], counts["mine_is_more"]) == (MOST_COUNTED + 1, MOST_COUNTED, True)


async def test_counts_of_nothing_are_zero(door: Door) -> None:
    counts = await door.get("lee", "/reviews/counts")
    assert (counts["open"], counts["mine"], counts["by_risk"], counts["by_workflow"]) == (0, 0, {}, {})


async def test_no_more_than_so_many_are_looked_at_for_one_answer(door: Door) -> None:
    """They ask the caller's role, but about more than the caller may sign; the one behind them is found."""
    review = await door.waiting(LEADS)
    due_before = {"amount_minor": "90000", "due_at": "due_at - interval '1 hour'"}
    await copies(door, review, MOST_LOOKED_AT + 200, "above", **due_before)

    counts = await door.get("lee", "/reviews/counts")
    assert (counts["mine"], counts["mine_is_more"]) == (0, True)
    page = await door.get("lee", "/reviews", mine=True, sort="due", limit=2)
    assert page["items"] == []
    assert page["next"] is not None
    assert _ids(await walk(door, mine=True, sort="due", limit=2)) == [review["id"]]


# --- speed ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sort", Sort)
async def test_a_search_finds_the_same_among_the_next_few_and_by_its_index(door: Door, sort: Sort) -> None:
    review = await door.waiting(LEADS)
    differing = {
        "amount_minor": "mod(n * 7919, 1000)",
        "opened_at": "opened_at + mod(n * 31, 97) * interval '1 second'",
        "due_at": "due_at + mod(n * 17, 89) * interval '1 second'",
        "risk": "(ARRAY['low', 'medium', 'high'])[mod(n, 3) + 1]",
        "title": "CASE WHEN mod(n, 2) = 0 THEN 'Even handed' ELSE title END",
    }
    await copies(door, review, LOOKED_THROUGH * 2, **differing)
    wanted: dict[str, Any] = {"sort": sort.value, "limit": 40}

    even = await walk(door, q="even hand", **wanted)
    everything = await walk(door, **wanted)
    assert _ids(even) == _ids([one for one in everything if one["title"] == "Even handed"])
    assert len(even) == LOOKED_THROUGH


async def test_a_search_is_planned_for_its_own_words(door: Door) -> None:
    await door.waiting(LEADS)
    async with door.house.parts.database.transaction() as tx:
        for _ in range(
            12
        ):  # psycopg prepares on the fifth use, Postgres takes a plan for any words on its sixth
            await list_queue(tx, Filter(search="refund", status=None), sort=Sort.NEWEST, limit=50)
        planned = (
            "SELECT sum(generic_plans), sum(custom_plans) FROM pg_prepared_statements WHERE statement ~ "
        )
        row = await (await tx.driver.execute(f"{planned} 'to_tsquery'")).fetchone()
    assert row is not None
    assert row[0] == 0
    assert row[1] > 0


@pytest.mark.parametrize("sort", Sort)
async def test_an_index_serves_every_order_from_any_page_on(door: Door, sort: Sort) -> None:
    """At 10,000 open reviews a page is read off an index of its order, without sorting or reading on."""
    review = await door.waiting(LEADS)
    await copies(
        door,
        review,
        10_000,
        amount_minor="n",
        risk="(ARRAY['low', 'medium', 'high'])[mod(n, 3) + 1]",
        opened_at="opened_at + n * interval '1 second'",
        due_at="due_at + n * interval '1 second'",
    )
    await door.house.rows("VACUUM ANALYZE reviews")
    async with door.house.parts.database.transaction() as tx:
        middle = (await list_queue(tx, Filter(), sort=sort, limit=5_000)).next
        for after in (None, middle):
            plan = await _plan(tx, queue_query(Filter(), sort=sort, limit=51, after=after))
            assert {node["Node Type"] for node in plan} == {"Limit", "Index Scan"}
            assert sum(node.get("Rows Removed by Filter", 0) for node in plan) == 0


@pytest.mark.parametrize(
    ("path", "wanted", "statements"),
    [("/reviews", {}, 4), ("/reviews", {"mine": True}, 10), ("/reviews/counts", {}, 11)],
    ids=["page", "mine", "counts"],
)
async def test_a_read_of_many_reviews_asks_as_many_statements_as_one_of_a_few(
    door: Door, path: str, wanted: Json, statements: int
) -> None:
    """BEGIN, COMMIT and the pool's look at its connection are among them."""
    review = await door.waiting(LEADS)
    await copies(door, review, 4)
    few = await _asked(door, path, wanted)
    await copies(door, review, 190, "more", amount_minor="10000 + n")
    many = await _asked(door, path, wanted)

    assert few == many
    assert sum(few.values()) == statements


async def _asked(door: Door, path: str, wanted: Json) -> dict[str, int]:
    """What a read asks of our database, by kind, once the caller has come in."""
    await door.get("lee", path, **wanted)
    with Counting() as counting:
        await door.get("lee", path, **wanted)
    return dict(counting.all.kinds)


async def _plan(tx: Transaction, query: Select[Any]) -> list[Json]:
    """The nodes of the plan by which a query was answered."""
    compiled = query.compile(tx.sql.sync_connection, compile_kwargs={"literal_binds": True})
    cursor = await tx.driver.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {compiled}".encode())
    (row,) = await cursor.fetchall()
    nodes, left = [], [row[0][0]["Plan"]]
    while left:
        nodes.append(left.pop())
        left += nodes[-1].get("Plans", [])
    return nodes


def _amount(review: Json) -> int:
    return -1 if review["amount_minor"] is None else int(review["amount_minor"])


def _ids(reviews: Sequence[Json]) -> list[str]:
    return [review["id"] for review in reviews]


def _quoted(text: str) -> str:
    """As SQL writes a text; a percent sign would be one of psycopg's."""
    return "'" + text.replace("'", "''").replace("%", "%%") + "'"


def _cursor(item: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(item).encode()).decode().rstrip("=")
