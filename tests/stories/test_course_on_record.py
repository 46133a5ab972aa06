"""The decision record tells all of a case: what it waited for, where it went, and where it rests now."""

import pytest

from checkpoints.case_events import case_events
from checkpoints.cases import Case, Status
from graphs.record.decision_record import decision_record
from graphs.record.shapes import DecisionRecord
from graphs.record.telling import story
from graphs.settings import Settings
from graphs.ways_out import NotYoursToResolve, WaysOut
from tests.house import House
from tests.stories.enriching import enriched
from tests.stories.on_call import fired
from tests.stories.reviewing import EVERYBODY, now_working
from tests.stories.standing_still import (
    NOT_THEIRS,
    OPS,
    TESS,
    be_away,
    behaving,
    resolution,
    retried,
    standstill,
)
from tests.stories.test_rollback import rolled_back
from tests.stories.test_stop_switch import press, release
from tests.stories.test_ways_out import break_after_it
from tests.stories.tickets import after_ticket
from tests.stories.vendor_world import applied

SMALL, LARGE = "clean_29_90_1", "clean_120_00_1"
Rest = tuple[str, str | None, str | None]


@pytest.fixture(autouse=True)
def everybody_works(settings: Settings) -> None:
    now_working(settings, *EVERYBODY, OPS)


async def record_of(house: House, case_id: str) -> DecisionRecord:
    async with house.parts.database.transaction() as tx:
        return decision_record(case_id, await case_events(tx, case_id))


async def rest(house: House, case: Case) -> Rest | None:
    """Where the record says that a case rests, why, and with whom."""
    ended = (await record_of(house, case.id)).ended
    return None if ended is None else (ended.status, ended.reason, ended.owner)


def stands(case: Case) -> Rest:
    return case.status.value, case.reason, case.owner


async def blocked(house: House) -> Case:
    """A refund whose fraud desk went away as soon as it had been let in."""
    case = await house.send(SMALL)
    await behaving(house, fraud_signals=be_away).work()
    return await house.case(case.id)


async def on_the_way(house: House, case: Case) -> list[str]:
    return [act.kind for act in (await record_of(house, case.id)).course]


# --- where it rests ---------------------------------------------------------------------------------------


async def test_a_case_that_waits_for_people_rests_nowhere(house: House) -> None:
    assert await rest(house, await house.after(LARGE)) is None


async def test_a_case_that_was_retried_rests_nowhere_until_it_comes_to_rest_again(house: House) -> None:
    case = await blocked(house)
    assert await rest(house, case) == stands(case)

    await WaysOut(house.parts).retry((await standstill(house, case.id)).id, TESS)
    assert await rest(house, case) is None

    await house.work()
    assert await rest(house, case) == ("closed", None, None)
    assert await on_the_way(house, case) == [
        "case.blocked",
        "exception.retried",
        "case.resumed",
        "context.retrieved",
    ]


async def test_what_broke_rests_with_its_owner(house: House) -> None:
    case = await behaving(house, payments_refund=break_after_it).after(SMALL)
    assert await rest(house, case) == stands(case) == ("failed", "unexpected_error", "operations")


async def test_what_a_person_closed_by_hand_is_closed_and_the_standstill_before_it_is_told(
    house: House,
) -> None:
    case = await blocked(house)
    await WaysOut(house.parts).resolve((await standstill(house, case.id)).id, resolution(), TESS)

    case = await house.case(case.id)
    assert await rest(house, case) == stands(case) == ("closed", "resolved_by_hand", None)
    assert await on_the_way(house, case) == ["case.blocked", "exception.resolved"]


async def test_what_was_handed_over_rests_with_whom_it_was_handed_to(house: House) -> None:
    case = await blocked(house)
    found = await standstill(house, case.id)
    await WaysOut(house.parts).hand_over(found.id, "fraud_team", "It is theirs.", TESS)

    case = await house.case(case.id)
    assert await rest(house, case) == stands(case)
    assert case.owner == "fraud_team"


async def test_what_was_rolled_back_rests_there_with_who_asked_for_it(house: House) -> None:
    case = await rolled_back(house, await house.after(SMALL))

    assert case.status is Status.ROLLED_BACK
    assert await rest(house, case) == stands(case)
    kinds = await on_the_way(house, case)
    assert kinds == ["context.retrieved", "case.closed", "rollback.requested", "rollback.began"]


# --- what befell it ---------------------------------------------------------------------------------------


async def test_a_ticket_that_became_a_refund_says_which_and_the_refund_says_from_what(house: House) -> None:
    case = await after_ticket(house, "wants_money_back")

    (handed,) = [a for a in (await record_of(house, case.id)).course if a.kind == "case.handed_over"]
    child = await record_of(house, handed.data["case"])
    assert child.asked is not None
    assert child.asked.parent == case.id
    lines = [line for part in story(child) for line in part.lines if line.label == "from"]
    assert [case.id in line.words for line in lines] == [True]
    told = [line.words for part in story(await record_of(house, case.id)) for line in part.lines]
    assert any("case handed over" in words and child.case in words for words in told)


async def test_that_a_case_stood_still_by_a_halt_is_told(house: House) -> None:
    halt = await press(house)
    case = await house.after(SMALL)
    await release(house, halt)

    assert await rest(house, case) == ("closed", None, None)
    (halted,) = [act for act in (await record_of(house, case.id)).course if act.kind == "case.halted"]
    assert halted.data["halts"] == [halt.id]


async def test_what_a_case_waited_for_and_what_woke_it_are_told(house: House) -> None:
    case = await fired(house, "minor")
    assert await rest(house, case) == stands(case)
    assert case.status is Status.WAITING_INFO

    await house.informed(case.id)
    kinds = await on_the_way(house, case)
    assert kinds.count("case.waiting_info") == 1, "the second one is where it rests"
    assert kinds.index("case.waiting_info") < kinds.index("case.informed") < kinds.index("case.resumed")


@pytest.mark.parametrize("steps", ["fields.looked_at", "field.ended", "fields.ended"])
async def test_what_the_steps_of_a_workflow_say_of_themselves_is_told(house: House, steps: str) -> None:
    assert steps in await on_the_way(house, await enriched(house, "clean"))


async def test_what_was_made_of_papers_is_told(house: House) -> None:
    assert "dossier.checked" in await on_the_way(house, await applied(house, "clean_1"))


# --- what was refused -------------------------------------------------------------------------------------


async def test_whoever_tried_a_way_out_that_was_not_theirs_is_told_among_the_refused(house: House) -> None:
    case = await blocked(house)
    found = await standstill(house, case.id)
    with pytest.raises(NotYoursToResolve):
        await WaysOut(house.parts).retry(found.id, NOT_THEIRS[0])
    await retried(house, case.id)

    record = await record_of(house, case.id)
    denied = [(one.by, one.kind, one.why) for one in record.denials if one.kind == "exception.denied"]
    assert denied == [(NOT_THEIRS[0].actor, "exception.denied", "retry")]
    assert "exception.denied" not in [act.kind for act in record.course]
