"""A case that has long ended keeps no checkpoints, and is told, replayed and taken back as before."""

import asyncio
from datetime import timedelta

import pytest

from api.serve import working
from checkpoints.audit import history
from checkpoints.case_events import case_events
from checkpoints.cases import Case, Status, get_case
from checkpoints.pruning import AT_ONCE, Pruner
from checkpoints.votes import VoteKind
from checkpoints.worker import Pace
from graphs.decisions import OverrideReason
from graphs.dossier.check import content_faults
from graphs.dossier.dossiers import Dossiers
from graphs.outcomes import Observed, Outcomes
from graphs.record.decision_record import decision_record
from graphs.record.shapes import DecisionRecord
from graphs.refund import KIT as REFUND
from graphs.replay import judged_again
from graphs.rollbacks import Rollbacks
from graphs.settings import USUAL_PRUNING, Settings, SettingUnfit
from nodes.judge import VERDICTS
from tests.engine.processes import until
from tests.house import LEE, MAX, SHOP, House, ManualClock
from tests.stories.reviewing import DREW, EVERYBODY, now_working, voted

SMALL, LARGE = "clean_29_90_1", "clean_120_00_1"
SOON = timedelta(seconds=1)
LATE_COMMAND = """
INSERT INTO commands (id, case_id, kind, dedupe_key, payload, created_at)
VALUES ('new', %s, 'retry', 'new', '{}', now())
"""
TABLES = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")


@pytest.fixture(autouse=True)
def everybody_works(settings: Settings) -> None:
    now_working(settings, *EVERYBODY)


def pruner(house: House, after: timedelta = USUAL_PRUNING) -> Pruner:
    return Pruner(database=house.parts.database, clock=house.parts.clock, after=after)


async def kept(house: House, case: Case) -> dict[str, int]:
    """How many rows of each of LangGraph's tables there are for the case's threads."""
    query = "SELECT count(*) AS rows FROM {0} WHERE thread_id LIKE %s || '%%'"
    return {one: (await house.rows(query.format(one), case.id))[0]["rows"] for one in TABLES}


async def closed(house: House) -> Case:
    """A case that people have signed."""
    case = await house.after(LARGE)
    return await house.decided(await house.review(case.id), MAX)


async def record_of(house: House, case: Case) -> DecisionRecord:
    async with house.parts.database.transaction() as tx:
        return decision_record(case.id, await case_events(tx, case.id))


async def test_a_case_that_has_long_ended_loses_its_checkpoints_and_says_so_once(
    house: House, clock: ManualClock
) -> None:
    case = await closed(house)
    before = await kept(house, case)
    assert min(before.values()) > 0
    clock.advance(USUAL_PRUNING)
    assert await pruner(house).prune() == 0
    clock.advance(SOON)
    assert (await pruner(house).prune(), await pruner(house).prune()) == (1, 0)

    assert await kept(house, case) == dict.fromkeys(TABLES, 0)
    last = (await house.events(case.id))[-1]
    assert (last["kind"], last["actor"]) == ("checkpoints.pruned", "system:pruning")
    assert last["data"] == {"checkpoints": before["checkpoints"], "head": case.head, "after_days": 7}
    assert await house.case(case.id) == case


async def test_what_is_told_exported_and_replayed_of_it_stays_the_same(house: House) -> None:
    case = await closed(house)
    before = await record_of(house, case)
    house.parts.clock.advance(SOON)  # type: ignore[attr-defined]
    assert await pruner(house, timedelta()).prune() == 1

    after = await record_of(house, case)
    assert [event.kind for event in after.course[len(before.course) :]] == ["checkpoints.pruned"]
    assert after == before.model_copy(update={"events": before.events + 1, "course": after.course})
    dossier = await Dossiers(house.parts).of(case.id, LEE)
    assert content_faults(dossier) == []
    tables = {source.load().tool: (source.load(), source.facts) for source in REFUND.tables()}
    async with house.parts.database.connection() as connection:
        judged = [event async for event in history(connection, VERDICTS)]
    assert judged
    for event in judged:
        table, facts = tables[event["data"]["proposed_tool"]]
        assert judged_again(table, facts, event["data"]["facts"]).to_json() == event["data"]["verdict"]
    seen = Observed(code="chargeback", observed_at=house.parts.clock())
    assert (await Outcomes(house.parts).observe(case.id, seen, SHOP))[1]


async def test_it_is_rolled_back_as_before_and_the_thread_of_that_is_pruned_too(
    house: House, clock: ManualClock
) -> None:
    case = await house.after(SMALL)
    clock.advance(SOON)
    assert await pruner(house, timedelta()).prune() == 1
    await Rollbacks(house.parts).start(case.id, "It was sent by mistake.", None, LEE)
    assert await pruner(house, timedelta()).prune() == 0
    await house.work()
    assert (await house.case(case.id)).status is Status.ROLLED_BACK
    assert (await kept(house, case))["checkpoints"] > 0

    clock.advance(SOON)
    assert await pruner(house, timedelta()).prune() == 1
    assert await kept(house, case) == dict.fromkeys(TABLES, 0)
    assert (await house.kinds(case.id)).count("checkpoints.pruned") == 2


async def test_what_has_not_ended_is_never_pruned_however_old(house: House, clock: ManualClock) -> None:
    waiting, stuck = await house.after(LARGE), await house.after("fraud_customer")
    begun = await house.send(SMALL)
    clock.advance(USUAL_PRUNING * 100)
    before = [await kept(house, case) for case in (waiting, stuck)]
    assert (waiting.status, stuck.status) == (Status.WAITING_REVIEW, Status.ESCALATED)
    assert await pruner(house).prune() == 0

    assert [await kept(house, case) for case in (waiting, stuck)] == before
    assert (await house.case(begun.id)).status is Status.RECEIVED


async def test_what_people_or_workers_still_have_to_do_with_is_not_pruned(
    house: House, clock: ManualClock
) -> None:
    case = await house.after(LARGE)
    await voted(house, await house.review(case.id), DREW, VoteKind.BREAK_GLASS, OverrideReason.EMERGENCY)
    await house.work()
    assert (await house.case(case.id)).status is Status.CLOSED
    clock.advance(SOON)
    assert await pruner(house, timedelta()).prune() == 0

    await house.vote(await house.review(case.id), LEE)
    await house.rows("UPDATE commands SET done_at = NULL WHERE kind = 'resume'")
    assert await pruner(house, timedelta()).prune() == 0
    await house.rows("UPDATE commands SET done_at = now()")
    assert await pruner(house, timedelta()).prune() == 1


@pytest.mark.parametrize(
    "work",
    ["SELECT 1 FROM cases WHERE id = %s FOR UPDATE", LATE_COMMAND],
    ids=["a rollback", "a command"],
)
async def test_what_is_just_being_given_work_is_left_alone(
    house: House, clock: ManualClock, work: str
) -> None:
    case = await house.after(SMALL)
    clock.advance(SOON)
    async with house.parts.database.transaction() as tx:
        await tx.driver.execute(work.encode(), (case.id,))
        assert await pruner(house, timedelta()).prune() == 0
    await house.rows("UPDATE commands SET done_at = now()")
    assert await pruner(house, timedelta()).prune() == 1


async def test_a_rollback_that_comes_meanwhile_waits_and_then_runs(house: House, clock: ManualClock) -> None:
    case = await house.after(SMALL)
    clock.advance(SOON)
    first, _, second = await asyncio.gather(
        pruner(house, timedelta()).prune(),
        Rollbacks(house.parts).start(case.id, "It was sent by mistake.", None, LEE),
        pruner(house, timedelta()).prune(),
    )
    assert first + second <= 1
    await house.work()
    assert (await house.case(case.id)).status is Status.ROLLED_BACK


async def test_pruners_side_by_side_share_what_is_due(house: House, clock: ManualClock) -> None:
    case = await house.after(SMALL)
    copy = (
        "INSERT INTO cases SELECT (jsonb_populate_record(c, jsonb_build_object("
        "'id', 'c-' || n, 'thread_id', 'c-' || n, 'event_id', 'e-' || n))).*"
        " FROM cases c, generate_series(1, %s) n"
    )
    await house.rows(copy, 2 * AT_ONCE)
    clock.advance(SOON)
    done = await asyncio.gather(*(pruner(house, timedelta()).prune() for _ in range(3)))

    assert sum(done) == 2 * AT_ONCE + 1
    told = await house.rows("SELECT case_id FROM audit_events WHERE kind = 'checkpoints.pruned'")
    assert [row["case_id"] for row in told] == [case.id]


async def test_every_worker_prunes(house: House, clock: ManualClock) -> None:
    case = await house.after(SMALL)
    clock.advance(USUAL_PRUNING + SOON)

    async def pruned() -> bool:
        return (await kept(house, case))["checkpoints"] == 0

    async with working(house.parts, pace=Pace(prune_every=timedelta(milliseconds=10))):
        await until(pruned, "the checkpoints are gone")


async def test_a_command_that_comes_too_late_begins_nothing_anew(house: House, clock: ManualClock) -> None:
    case = await house.after(SMALL)
    clock.advance(SOON)
    await pruner(house, timedelta()).prune()
    late = "UPDATE commands SET done_at = NULL, outcome = NULL WHERE case_id = %s"
    await house.rows(late, case.id)
    deeds = len(await house.effects(case.id))
    await house.work()

    assert len(await house.effects(case.id)) == deeds
    assert len(await house.refunds(str(case.event["order_id"]))) == 1
    async with house.parts.database.transaction() as tx:
        assert (await get_case(tx, case.id)).head == case.head


@pytest.mark.parametrize("text", ["7", "-1d", "1.5d", "7 days", "123456d"])
def test_a_time_that_is_no_number_of_days_is_refused(text: str) -> None:
    with pytest.raises(SettingUnfit, match="COUNTERSIGN_PRUNE_AFTER"):
        Settings.from_environment({"COUNTERSIGN_PRUNE_AFTER": text})
