"""Verdicts, decisions and rows that somebody has forged: what a person never saw, or refused, is not done."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import ormsgpack
import pytest
from langgraph.types import Command

from checkpoints.canonical import digest
from checkpoints.cases import Case, Status
from checkpoints.errors import StaleHead
from checkpoints.reviews import Review
from checkpoints.votes import VoteKind
from nodes.action import Proposal
from nodes.permissions import Permission, Permissions, Role, Verb
from nodes.shapes import Json
from nodes.workflow import Workflow
from tests.bites.forger import Thread, forge, forging, paid
from tests.house import LEE, House, ManualClock
from tools.money import Money

LARGE = "clean_640_00_1"  # finance must sign it
MEDIUM = "clean_120_00_1"


async def _forged_review(house: House, case: Case, forged: Callable[[Json], Json]) -> Review:
    """A review asked for by the real gate, of the true action, after its verdict was forged in the state."""
    async with forging(house, case) as thread:
        await _next_revision(thread, forged)
        await thread.wake(None)
    return next(review for review in await house.open_reviews(case.id) if review.action["revision"] == 2)


async def _next_revision(thread: Thread, forged: Callable[[Json], Json]) -> None:
    """Write the proposal's next revision and a forged verdict on it, as the steps before the gate would."""
    again = Proposal.from_json(await thread.value("proposal")).revised()
    verdict = await thread.value("verdict")
    judgement = await thread.context.judge.judge(thread.context.case, again)
    verdict |= {"action": judgement.action, "digest": judgement.digest}
    await thread.write({"proposal": again.to_json(), "outcome": "ready"}, "propose")
    await thread.write({"verdict": forged(verdict), "outcome": "review"}, "judge")


def _for_a_lead(verdict: Json) -> Json:
    """The verdict, asking a role that may not sign as much."""
    return verdict | {"ladder": [{"role": "support_lead", "people": 1, "why": "a lead is enough"}]}


def _showing_less(verdict: Json) -> Json:
    """The verdict with the true digest beside an action that looks harmless."""
    harmless = verdict["action"]["arguments"] | {"amount_minor": 100}
    return _for_a_lead(verdict) | {"action": verdict["action"] | {"arguments": harmless}}


async def test_a_lead_who_was_shown_another_amount_has_signed_only_that(house: House) -> None:
    case = await house.after(LARGE)
    review = await _forged_review(house, case, _showing_less)
    assert review.amount_minor == 100

    await house.vote(review, LEE)
    await house.work()

    assert digest(review.action) == review.digest  # of the harmless one: that is what was signed
    assert await paid(house, LARGE) == []


async def test_a_signature_of_a_role_that_the_rules_do_not_name_runs_nothing(house: House) -> None:
    case = await house.after(MEDIUM)
    workflow = house.parts.workflows["refund"]
    lax = House(replace(house.parts, workflows={"refund": _where_decides(workflow, "anybody", 100_000)}))
    ladder = [{"role": "anybody", "people": 1, "why": "anybody will do"}]
    review = await _forged_review(lax, case, lambda verdict: verdict | {"ladder": ladder})

    await lax.vote(review, replace(LEE, roles=frozenset({"anybody"})))
    await lax.work()

    assert await paid(house, MEDIUM) == []


async def test_a_signature_above_the_signers_limit_of_now_runs_nothing(house: House) -> None:
    case = await house.after(MEDIUM)
    await house.vote(await house.review(case.id), LEE)
    workflow = house.parts.workflows["refund"]
    lowered = _where_decides(workflow, "support_lead", 100)

    await House(replace(house.parts, workflows={"refund": lowered})).work()

    assert await paid(house, MEDIUM) == []


def _where_decides(workflow: Workflow, role: str, euros: int) -> Workflow:
    """The workflow with a role that decides refunds up to so many euros."""
    limit = Money(amount_minor=100 * euros, currency="EUR")
    decides = Permission(verb=Verb.DECIDE, on="payments.refund", limit=limit)
    roles = {**workflow.permissions.roles, role: Role(name=role, permissions=(decides,))}
    return replace(workflow, permissions=Permissions(roles.values()))


async def _rejected_by_a_person(house: House) -> Case:
    """A case that the window sent to a person, who rejected it; tomorrow the rules alone would allow it."""
    await house.after("many_small_01")
    case = await house.after("many_small_02")
    assert case.status is Status.WAITING_REVIEW
    return await house.decided(await house.review(case.id), LEE, VoteKind.REJECT)


async def test_what_a_person_rejected_does_not_run_when_the_rules_would_allow_it_later(
    house: House, clock: ManualClock
) -> None:
    case = await _rejected_by_a_person(house)
    clock.advance(timedelta(hours=25))

    await forge(house, case, Command(goto="refund"))

    assert await paid(house, "many_small_02") == []


async def test_what_a_person_is_being_asked_does_not_run_meanwhile(house: House, clock: ManualClock) -> None:
    await house.after("many_small_01")
    case = await house.after("many_small_02")
    clock.advance(timedelta(hours=25))

    await forge(house, case, Command(goto="refund"))

    assert await paid(house, "many_small_02") == []


async def test_what_a_person_rejected_is_not_asked_for_again_by_a_jump(house: House) -> None:
    case = await house.after(MEDIUM)
    await house.decided(await house.review(case.id), LEE, VoteKind.REJECT)

    given: Command[str] | None
    for given in (None, Command(resume="approve"), Command(update={"outcome": "approved"})):
        await forge(house, case, given)

    assert await paid(house, MEDIUM) == []
    assert await house.open_reviews(case.id) == []


@pytest.mark.parametrize(
    "reference",
    [{"amount_minor": {"ref": "target.refundable_minor"}}, {"reason_code": {"ref": "customer.status"}}],
    ids=str,
)
async def test_a_case_pays_once_whatever_its_next_proposal_refers_to(house: House, reference: Json) -> None:
    scene = "clean_29_90_1"
    case = await house.after(scene, amount_minor=1000, currency="EUR")
    assert await paid(house, scene) == [1000]
    async with forging(house, case) as thread:
        first = next(item for item in await thread.past() if item.next == ("refund",)).values["proposal"]
        again = first | {"revision": 2, "arguments": first["arguments"] | reference}
        await thread.wake(Command(goto="refund", update={"proposal": again}))

    assert await paid(house, scene) == [1000]


FORGED_CHANNELS: dict[str, Callable[[Any], Any]] = {
    "outcome": lambda _: "approved",
    "case": lambda case: case | {"event": case["event"] | {"amount_minor": 1000, "currency": "EUR"}},
    "proposal": lambda proposal: proposal | {"advice": {"recommends": True, "confidence_percent": 100}},
    "verdict": lambda verdict: verdict | {"verdict": verdict["verdict"] | {"outcome": "allow"}},
    "standing": lambda _: {"status": "approved", "reason": None, "owner": None},
}


@pytest.mark.parametrize("channel", FORGED_CHANNELS)
async def test_a_row_altered_in_the_database_pays_nothing_more_than_was_signed(
    house: House, channel: str
) -> None:
    case = await house.after(MEDIUM)
    await _alter_rows(house, case, channel)
    await forge(house, case, Command(goto="refund"))
    assert await paid(house, MEDIUM) == []

    for review in await house.open_reviews(case.id):
        await house.decided(review, LEE)

    # After the jump the thread runs two branches at once, which may end its case as failed.
    assert await paid(house, MEDIUM) in ([], [12000])


async def _alter_rows(house: House, case: Case, channel: str) -> None:
    """Rewrite a channel of the paused thread as somebody with a database password would."""
    if channel == "outcome":
        await house.rows(
            "UPDATE checkpoints SET checkpoint = jsonb_set(checkpoint, '{channel_values,outcome}', %s)"
            " WHERE thread_id = %s",
            '"approved"',
            case.id,
        )
        return
    where = "WHERE thread_id = %s AND channel = %s AND type = 'msgpack'"
    rows = await house.rows(f"SELECT version, blob FROM checkpoint_blobs {where}", case.id, channel)  # noqa: S608 - fixed text
    assert rows
    for row in rows:
        forged = ormsgpack.packb(FORGED_CHANNELS[channel](ormsgpack.unpackb(row["blob"])))
        update = f"UPDATE checkpoint_blobs SET blob = %s {where} AND version = %s"  # noqa: S608 - fixed text
        await house.rows(update, forged, case.id, channel, row["version"])


async def test_a_head_moved_in_the_database_stops_its_thread(house: House) -> None:
    case = await house.after(MEDIUM)
    await house.vote(await house.review(case.id), LEE)
    moved = "UPDATE checkpoints SET checkpoint_id = checkpoint_id || 'x' WHERE thread_id = %s"
    await house.rows(moved, case.id)
    before = await house.kinds(case.id)

    with pytest.raises(StaleHead):
        await house.work()

    assert await house.kinds(case.id) == before
    assert await paid(house, MEDIUM) == []


async def test_an_approval_that_was_forged_to_outlive_others_releases_nothing(house: House) -> None:
    def for_ever(verdict: Json) -> Json:
        action = verdict["action"] | {"expires_at": "2099-01-01T00:00:00+00:00"}
        return verdict | {"action": action, "digest": digest(action)}

    case = await house.after(MEDIUM)
    review = await _forged_review(house, case, for_ever)
    await house.decided(review, LEE)
    assert await paid(house, MEDIUM) == []


async def test_facts_forged_after_the_approval_are_not_those_that_were_shown(house: House) -> None:
    def of_another_day(verdict: Json) -> Json:
        facts = verdict["facts"]
        return verdict | {"facts": facts | {"captured_payments": facts["captured_payments"] | {"value": 7}}}

    case = await house.after(MEDIUM)
    review = await _forged_review(house, case, of_another_day)
    await house.vote(review, LEE)
    async with forging(house, case) as thread:
        verdict = await thread.value("verdict")
        true = await thread.context.judge.judge(
            thread.context.case, Proposal.from_json(await thread.value("proposal"))
        )
        await thread.write({"verdict": verdict | {"facts": true.facts}, "outcome": "approved"}, "gate")
        await thread.wake(None)
    assert await paid(house, MEDIUM) == []
