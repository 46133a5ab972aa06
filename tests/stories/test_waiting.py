"""Cases that wait for somebody outside: woken by news, by the clock or by hand; they look for themselves."""

from dataclasses import replace
from datetime import timedelta

import pytest
from langgraph.runtime import Runtime

from checkpoints.cases import Status
from checkpoints.doctor import examine
from graphs.flow import Builder, Flow
from graphs.intake import NEWS, CloudEvent, Intake
from graphs.settings import Settings
from nodes.context import Context
from nodes.event import EventRefused
from nodes.permissions import Kind, Principal
from nodes.retrieve import remembered
from nodes.state import CaseState
from nodes.story import Story
from tests.house import LEE, SHOP, House, ManualClock
from tests.nodes.desk import at_the_company
from tests.stories.standing_still import listed, retried, standstill
from tools.sandbox.cast import CAST
from tools.sandbox.tickets import Ticket

SCENE = "clean_29_90_1"
PATIENCE = timedelta(days=3)
STRANGER = Principal(id="stranger", kind=Kind.SERVICE, name="A stranger", scopes=frozenset({"cases:start"}))
CLOSE = "UPDATE tickets SET status = 'closed' WHERE ticket_id = %s"


async def answered(state: CaseState, runtime: Runtime[Context]) -> CaseState:
    """Whether the ticket is closed by now; until then the case waits, but not for ever."""
    story, context = Story(runtime, "rule:answered"), runtime.context
    ticket = (await remembered(context))["ticket"]
    assert isinstance(ticket, Ticket)
    until, owner = ticket.created_at + PATIENCE, "support_lead"
    if ticket.status == "closed":
        return {"outcome": "done", "step": story.step, "result": {}}
    if context.clock() >= until:
        return {
            "outcome": "silent",
            "step": story.step,
            "result": {"reason": "customer_silent", "owner": owner},
        }
    result = {"reason": "answer_missing", "owner": owner, "wake_at": until.isoformat()}
    return {"outcome": "waiting", "step": story.step, "result": result}


def build() -> Builder:
    flow = Flow()
    to = {"done": "closed", "waiting": "waiting_info", "silent": "escalated"}
    flow.step("answered", answered, to)
    return flow.built()


@pytest.fixture
def waiting(house: House) -> House:
    """A house whose refunds only wait until their ticket is closed."""
    refund = replace(house.parts.workflows["refund"], build=build)
    return House(replace(house.parts, workflows={"refund": refund}))


async def close_the_ticket(settings: Settings) -> None:
    await at_the_company(settings, CLOSE, CAST[SCENE].ticket_id)


async def test_a_case_that_waits_has_a_reason_an_owner_and_ways_out(waiting: House) -> None:
    case = await waiting.after(SCENE)

    assert (case.status, case.reason, case.owner) == (
        Status.WAITING_INFO,
        "answer_missing",
        "support_lead",
    )
    found = await standstill(waiting, case.id)
    assert (found.status, found.step, found.retryable) == (Status.WAITING_INFO, "answered", True)
    async with waiting.parts.database.connection() as connection:
        assert await examine(connection, waiting.parts.clock()) == []


async def test_news_has_the_case_look_again_and_go_on(waiting: House, settings: Settings) -> None:
    case = await waiting.after(SCENE)
    await close_the_ticket(settings)

    assert (await waiting.informed(case.id)).status is Status.CLOSED
    assert "case.informed" in await waiting.kinds(case.id)
    assert await listed(waiting, case_id=case.id) == []


async def test_news_is_never_believed_only_looked_into(waiting: House) -> None:
    case = await waiting.after(SCENE)

    assert (await waiting.informed(case.id)).status is Status.WAITING_INFO


async def test_the_same_news_twice_is_one_look(waiting: House) -> None:
    case = await waiting.after(SCENE)
    await waiting.informed(case.id)
    looks = (await waiting.kinds(case.id)).count("exception.retried")

    await waiting.informed(case.id)

    assert looks == 1
    assert (await waiting.kinds(case.id)).count("exception.retried") == looks
    assert (await waiting.kinds(case.id)).count("case.informed") == 1


async def test_news_that_comes_just_before_the_case_waits_is_not_lost(
    waiting: House, settings: Settings
) -> None:
    case = await waiting.send(SCENE)
    event = CloudEvent(id="early", source="/outside", type=NEWS, data={}, subject=case.id)
    await Intake(waiting.parts).receive(event, SHOP)
    await waiting.work()
    assert (await waiting.case(case.id)).status is Status.WAITING_INFO
    await close_the_ticket(settings)  # as if the node had read the ticket a moment before

    await waiting.look_again()

    assert (await waiting.case(case.id)).status is Status.CLOSED


async def test_nobody_looks_again_before_the_time_has_come(waiting: House, clock: ManualClock) -> None:
    case = await waiting.after(SCENE)
    clock.advance(PATIENCE - timedelta(hours=1))

    await waiting.look_again()

    assert "exception.retried" not in await waiting.kinds(case.id)


async def test_a_silence_that_lasts_too_long_is_escalated(waiting: House, clock: ManualClock) -> None:
    case = await waiting.after(SCENE)
    clock.advance(PATIENCE)

    await waiting.look_again()

    after = await waiting.case(case.id)
    assert (after.status, after.reason, after.owner) == (
        Status.ESCALATED,
        "customer_silent",
        "support_lead",
    )


async def test_people_can_have_it_look_again_by_hand(waiting: House, settings: Settings) -> None:
    case = await waiting.after(SCENE)
    await close_the_ticket(settings)

    await retried(waiting, case.id, LEE)

    assert (await waiting.case(case.id)).status is Status.CLOSED


async def test_waiting_often_is_no_retry_that_a_limit_counts(waiting: House) -> None:
    case = await waiting.after(SCENE)

    for number in range(25):  # a case has 20 retries
        await waiting.informed(case.id, f"news-{number}")

    assert (await waiting.case(case.id)).status is Status.WAITING_INFO


@pytest.mark.parametrize("subject", ["nobody", "", None])
async def test_news_for_no_case_is_refused(waiting: House, subject: str | None) -> None:
    event = CloudEvent(id="e", source="/outside", type=NEWS, data={}, subject=subject)

    with pytest.raises(EventRefused, match="no such case"):
        await Intake(waiting.parts).receive(event, SHOP)


async def test_news_by_a_service_that_may_not_know_the_case_is_refused_and_on_record(waiting: House) -> None:
    case = await waiting.after(SCENE)
    event = CloudEvent(id="e", source="/outside", type=NEWS, data={}, subject=case.id)

    with pytest.raises(EventRefused, match="no such case"):
        await Intake(waiting.parts).receive(event, STRANGER)

    assert "case.informed" not in await waiting.kinds(case.id)
    refusals = await waiting.rows("SELECT data FROM audit_events WHERE kind = 'event.refused'")
    assert [one["data"]["reason"] for one in refusals] == ["unknown_case"]
