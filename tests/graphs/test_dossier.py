"""A dossier is the whole case in one file: the same each time, complete, and nothing in it can be altered."""

import json
from collections.abc import Callable
from copy import deepcopy
from html.parser import HTMLParser
from typing import Any

import pytest

from checkpoints.canonical import canonical, digest
from checkpoints.cases import get_case
from graphs.dossier.check import content_faults
from graphs.dossier.page import dossier_page
from graphs.dossier.shapes import DossierUnfit, read_dossier, to_dossier
from graphs.personal import NotAllowedToSee, PersonalData
from graphs.record.decision_record import RecordUnfit
from graphs.settings import Settings
from tests.graphs.cases import LEADS, PIA, WORDS, clear_dossier, eventful, sealed_dossier, talking
from tests.house import FINN, LEE, House, ManualClock
from tests.stories.reviewing import EVERYBODY, now_working

Json = dict[str, Any]


@pytest.fixture(autouse=True)
def everybody_works(settings: Settings) -> None:
    now_working(settings, *EVERYBODY, PIA)


# --- the same each time -----------------------------------------------------------------------------------


async def test_two_dossiers_of_a_case_are_equal_byte_for_byte(house: House, clock: ManualClock) -> None:
    case_id = await eventful(house, clock)
    first = await sealed_dossier(house, case_id)
    await house.after("clean_29_90_1")
    second = await sealed_dossier(house, case_id)

    assert first.to_bytes() == second.to_bytes()
    assert dossier_page(first) == dossier_page(second)
    assert dossier_page(read_dossier(first.to_bytes())) == dossier_page(first)


async def test_a_dossier_in_clear_is_the_same_each_time_too(house: House, clock: ManualClock) -> None:
    case_id = await eventful(house, clock)
    first, second = await clear_dossier(house, case_id), await clear_dossier(house, case_id)
    assert first.to_bytes() == second.to_bytes()
    assert read_dossier(first.to_bytes()) == first


async def test_that_a_dossier_was_made_is_told_beside_the_case(house: House, clock: ManualClock) -> None:
    case_id = await eventful(house, clock)
    before = await house.kinds(case_id)
    await sealed_dossier(house, case_id)
    await clear_dossier(house, case_id)

    assert await house.kinds(case_id) == before
    rows = await house.rows(
        "SELECT actor, case_id, data FROM audit_events WHERE kind = 'case.exported' ORDER BY seq"
    )
    assert [(row["actor"], row["case_id"], row["data"]["case"]) for row in rows] == [
        ("person:finn", None, case_id),
        ("person:pia", None, case_id),
    ]
    told = await house.opened(case_id, [row["data"] for row in rows])
    assert [(data["unmasked"], data.get("why")) for data in told] == [
        (False, None),
        (True, "The bank asks."),
    ]


# --- what is in clear -------------------------------------------------------------------------------------


async def test_words_are_tokens_unless_the_dossier_was_unmasked(house: House, clock: ManualClock) -> None:
    case_id = await eventful(house, clock)
    sealed, clear = await sealed_dossier(house, case_id), await clear_dossier(house, case_id)

    assert WORDS.encode() not in sealed.to_bytes()
    assert WORDS not in dossier_page(sealed)
    assert WORDS in dossier_page(clear)
    assert [one.value for one in clear.openings or () if one.field == "vote.words"] == [WORDS]
    assert sealed == clear.model_copy(update={"openings": None})


async def test_nobody_else_gets_one_in_clear_and_the_attempt_is_on_the_record(
    house: House, clock: ManualClock
) -> None:
    from graphs.dossier.dossiers import Dossiers

    case_id = await eventful(house, clock)
    with pytest.raises(NotAllowedToSee):
        await Dossiers(house.parts).unmasked(case_id, "I want to know.", LEE)
    rows = await house.rows("SELECT actor, case_id, data FROM audit_events WHERE kind = 'personal.denied'")
    assert [(row["actor"], row["case_id"], row["data"]["case"]) for row in rows] == [
        ("person:lee", None, case_id)
    ]


async def test_an_erased_value_says_when_and_by_whom(house: House, clock: ManualClock) -> None:
    case_id = await eventful(house, clock)
    await PersonalData(house.parts).erase(case_id, ["vote.words"], "They asked us to.", PIA)
    clear = await clear_dossier(house, case_id)

    page = dossier_page(clear)
    assert f"[erased on {clock.now:%Y-%m-%d} by person:pia]" in page
    assert content_faults(clear) == []
    assert WORDS not in [one.value for one in clear.openings or () if one.field == "vote.words"]


async def test_the_sealing_key_of_a_case_is_nowhere_in_it(house: House, clock: ManualClock) -> None:
    case_id = await eventful(house, clock)
    async with house.parts.database.transaction() as tx:
        key = (await get_case(tx, case_id)).sealing_key
    assert key.encode() not in (await clear_dossier(house, case_id)).to_bytes()


# --- the page ---------------------------------------------------------------------------------------------

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "'><a href=javascript:alert(1)>x</a>",
    "</td></table></body><iframe src=//evil.example></iframe>",
    "</style><style>*{display:none}</style>",
    "{{ 7 * 7 }}{% raw %}{# x #}",
    "<!--",
    "]]><![CDATA[",
    "&lt;script&gt;",
    "\u202egnp.exe\u200b\u0007",
)
EVERYTHING = " ".join(HOSTILE)
KEPT = {
    *(
        "id",
        "case_id",
        "kind",
        "at",
        "review",
        "proposal",
        "key",
        "grant",
        "token",
        "case",
        "format",
        "digest",
    ),
    *(
        "shown",
        "issued_at",
        "used_at",
        "until",
        "expires_at",
        "observed_at",
        "sealed_at",
        "erased_at",
        "tool",
    ),
    *("vote_kind", "leaf", "salt", "revision"),
}


class Skeleton(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


def spoken(document: Any, words: str) -> Any:
    """The document with these words in the place of every text that is not needed to find one's way in it."""
    match document:
        case dict():
            return {
                name: item if name in KEPT and isinstance(item, str) else spoken(item, words)
                for name, item in document.items()
            }
        case list():
            return [spoken(item, words) for item in document]
        case str() if not document.startswith("sealed:"):
            return words
        case _:
            return document


async def test_no_text_of_a_dossier_becomes_a_part_of_the_page(house: House, clock: ManualClock) -> None:
    whole = json.loads((await clear_dossier(house, await eventful(house, clock))).to_bytes())
    tame, wild = (Skeleton(dossier_page(to_dossier(spoken(whole, words)))) for words in ("x", EVERYTHING))

    assert wild.tags == tame.tags
    assert "\\u202egnp.exe\\u200b\\u0007" in wild.text
    assert wild.text.count("<script>alert(1)</script>") > 100
    assert wild.text.count("{{ 7 * 7 }}{% raw %}{# x #}") > 100


async def test_words_of_customers_agents_and_people_come_to_the_page_escaped(
    house: House, clock: ManualClock
) -> None:
    case_id = await eventful(talking(house, EVERYTHING[:300]), clock, EVERYTHING)
    page = dossier_page(await clear_dossier(house, case_id))

    assert {tag for tag, _ in Skeleton(page).tags}.isdisjoint({"script", "img", "svg", "a", "iframe"})
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 3
    assert "<script" not in page


async def test_the_page_loads_and_runs_nothing(house: House, clock: ManualClock) -> None:
    page = Skeleton(dossier_page(await clear_dossier(house, await eventful(house, clock))))

    attributes = {name for _, attrs in page.tags for name, _ in attrs}
    assert attributes <= {"lang", "charset", "content", "http-equiv", "name", "class"}
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "img", "iframe", "object", "form"})


async def test_the_page_shows_what_the_reviewer_saw_and_what_was_done(
    house: House, clock: ManualClock
) -> None:
    case_id = await eventful(house, clock)
    page = Skeleton(dossier_page(await clear_dossier(house, case_id))).text
    (effect, *_) = await house.effects(case_id)
    assert effect.receipt is not None
    for words in (
        effect.key,
        effect.digest,
        effect.receipt["refund_id"],
        "chargeback",
        "support_lead",
        WORDS,
    ):
        assert str(words) in page


# --- what does not hold is found --------------------------------------------------------------------------


def event_in(document: Json, kind: str) -> Json:
    return dict(next(one["event"] for one in document["events"] if one["event"]["kind"] == kind)["data"])


def alter(document: Json, kind: str, change: Callable[[Json], None]) -> None:
    change(next(one["event"] for one in document["events"] if one["event"]["kind"] == kind)["data"])


def amount(document: Json) -> None:
    alter(document, "effect.intended", lambda data: data["action"]["arguments"].update(amount_minor=1))


def resigned(document: Json) -> None:
    def change(data: Json) -> None:
        data["action"]["arguments"]["amount_minor"] = 1
        data["digest"] = digest(data["action"])

    alter(document, "effect.intended", change)


def voted_on_another(document: Json) -> None:
    alter(document, "vote.cast", lambda data: data.update(digest="0" * 64))


def review_of_another(document: Json) -> None:
    for one in document["events"]:
        if one["event"]["kind"] in {"review.opened", "review.viewed", "vote.cast"}:
            one["event"]["data"]["digest"] = "0" * 64


def another_signer(document: Json) -> None:
    alter(
        document, "effect.intended", lambda data: data["basis"]["people"][0].update(person="person:mallory")
    )


def not_approved(document: Json) -> None:
    document["events"] = [one for one in document["events"] if one["event"]["kind"] != "review.approved"]


def used_twice(document: Json) -> None:
    again = deepcopy(next(one for one in document["events"] if one["event"]["kind"] == "effect.intended"))
    again["event"]["id"] += "-again"
    document["events"].append(again)


def used_late(document: Json) -> None:
    alter(document, "effect.intended", lambda data: data.update(used_at="2036-01-01T00:00:00+00:00"))


def never_begun(document: Json) -> None:
    alter(document, "effect.done", lambda data: data.update(key="another"))


def shown_otherwise(document: Json) -> None:
    next(iter(document["shown"].values()))["reversibility"] = "Can always be undone."


def shown_left_out(document: Json) -> None:
    document["shown"] = {}


def seen_otherwise(document: Json) -> None:
    alter(document, "review.viewed", lambda data: data.update(shown="0" * 64))


def other_words(document: Json) -> None:
    next(one for one in document["openings"] if one["field"] == "vote.words")["value"] = "Never!"


def other_salt(document: Json) -> None:
    document["openings"][0]["salt"] = "no hex"


def opening_of_nothing(document: Json) -> None:
    one = deepcopy(document["openings"][0])
    document["openings"].append(one | {"token": f"sealed:{'0' * 64}"})


def of_another_case(document: Json) -> None:
    document["events"][0]["event"]["case_id"] = "another"


def told_twice(document: Json) -> None:
    document["events"].append(document["events"][-1])


def time_rewritten(document: Json) -> None:
    told = document["events"][0]["event"]
    told["at"] = told["at"].replace("+00:00", "Z")


def outcome_of_nothing(document: Json) -> None:
    alter(document, "case.outcome", lambda data: data.update(effect="another"))


def nothing_told(document: Json) -> None:
    alter(document, "effect.intended", dict.clear)


TAMPERED = {
    amount: "the digest is not that of the action",
    resigned: "was used for another action than was signed",
    voted_on_another: "is on another action",
    review_of_another: "showed another action than was judged",
    another_signer: "names other signatures",
    not_approved: "did not approve it",
    used_twice: "was used before",
    used_late: "after it had expired",
    never_begun: "was never begun",
    shown_otherwise: "is not what it showed",
    shown_left_out: "is not shown",
    seen_otherwise: "as it never was",
    other_words: "vote.words is not the one",
    other_salt: "is not the one",
    opening_of_nothing: "stands nowhere",
    of_another_case: "is of another case",
    told_twice: "is there twice",
    time_rewritten: "in another form",
    outcome_of_nothing: "speaks of a deed that was never begun",
    nothing_told: "do not tell a case",
}


async def test_what_was_altered_in_a_dossier_is_found_and_named(
    house: House, clock: ManualClock, subtests: pytest.Subtests
) -> None:
    whole = json.loads((await clear_dossier(house, await eventful(house, clock))).to_bytes())
    assert content_faults(to_dossier(whole)) == []
    for tamper, said in TAMPERED.items():
        with subtests.test(tamper.__name__):
            document = deepcopy(whole)
            tamper(document)
            faults = content_faults(to_dossier(document))
            assert [fault for fault in faults if said in fault], faults


async def test_cases_of_every_kind_hold(house: House, clock: ManualClock) -> None:
    for scene in ("clean_29_90_1", "fraud_customer", "clean_640_00_1", "clean_120_00_2"):
        case = await house.after(scene)
        for review in await house.open_reviews(case.id):
            await house.decided(review, FINN if "finance" in review.roles else LEE)
        dossier = await clear_dossier(house, case.id)
        assert content_faults(dossier) == [], scene
        assert dossier_page(dossier)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]\n",
        b"null\n",
        b'{"format":"countersign-dossier/2"}\n',
        b'{"format":"countersign-dossier/1"}\n',
        b'{ "format":"countersign-dossier/1"}\n',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_what_is_no_dossier_is_refused(content: bytes) -> None:
    with pytest.raises(DossierUnfit):
        read_dossier(content)


async def test_a_dossier_that_was_cut_or_reordered_is_no_dossier(house: House) -> None:
    dossier = await sealed_dossier(house, (await house.after(LEADS)).id)
    content = dossier.to_bytes()
    for other in (content[:-1], content + b"\n", json.dumps(json.loads(content)).encode() + b"\n"):
        with pytest.raises(DossierUnfit):
            read_dossier(other)


async def test_a_page_of_events_that_tell_no_case_is_not_drawn(house: House) -> None:
    whole = json.loads((await sealed_dossier(house, (await house.after(LEADS)).id)).to_bytes())
    alter(whole, "verdict.given", dict.clear)
    with pytest.raises(RecordUnfit):
        dossier_page(read_dossier(canonical(whole) + b"\n"))
