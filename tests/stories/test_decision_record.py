"""From its events alone a case can be explained: who wanted what, why it was let go, who signed."""

from dataclasses import replace
from datetime import timedelta

import pytest

from checkpoints.audit import Event
from checkpoints.canonical import digest
from checkpoints.case_events import case_events
from checkpoints.reviews import Review
from checkpoints.votes import VoteKind
from graphs.closing import NotEligible
from graphs.decisions import OverrideReason
from graphs.electorate import Electorate
from graphs.outcomes import EffectUnknown, Observed, Outcomes
from graphs.personal import PersonalData
from graphs.record.decision_record import RecordUnfit, decision_record
from graphs.record.shapes import DecisionRecord, ProposalRecord
from graphs.settings import Settings
from nodes.permissions import Principal
from tests.house import FINN, LEE, MAX, SHOP, House, ManualClock
from tests.stories.reviewing import DREW, EVERYBODY, edited, now_working, voted, waiting
from tests.stories.test_overrides_and_glass import Declining
from tools.sandbox.cast import CAST

SMALL, LEADS = "clean_29_90_1", "clean_120_00_1"


@pytest.fixture(autouse=True)
def everybody_works(settings: Settings) -> None:
    now_working(settings, *EVERYBODY)


async def events_of(house: House, case_id: str) -> list[Event]:
    async with house.parts.database.transaction() as tx:
        return await case_events(tx, case_id)


async def record_of(house: House, case_id: str) -> DecisionRecord:
    return decision_record(case_id, await events_of(house, case_id))


def refund_in(record: DecisionRecord, place: int = 0) -> ProposalRecord:
    return [one for one in record.proposals if one.tool == "payments.refund"][place]


async def look(house: House, review: Review, who: Principal) -> None:
    """Open a review as somebody does before they sign."""
    async with house.parts.database.transaction() as tx:
        found = await Electorate(house.parts).eligibility(tx, review, who)
        await PersonalData(house.parts).shown(tx, review, {}, who, eligibility=found)


# --- by rule ----------------------------------------------------------------------------------------------


async def test_an_automatic_refund_is_explained_by_the_row_and_the_facts_it_turned_on(house: House) -> None:
    case = await house.after(SMALL)
    record = await record_of(house, case.id)

    assert record.asked is not None
    assert (record.asked.by, record.asked.event["order_id"]) == ("service:shop", CAST[SMALL].order_id)
    assert record.asked.rules == case.rules
    refund = refund_in(record)
    assert refund.action
    assert digest(refund.action) == refund.digest
    assert [one.stage for one in refund.verdicts] == ["proposal", "execution"]
    verdict = refund.verdicts[-1]
    assert (verdict.outcome, verdict.table["digest"]) == ("allow", case.rules["payments.refund"])
    (matched,) = [row for row in verdict.trace if row["matched"]]
    assert matched["row"] == verdict.row
    assert matched["saw"].keys() <= verdict.facts.keys()
    assert {"value", "source", "trust", "at"} <= verdict.facts["tier"].keys()
    assert refund.reviews == []
    assert record.ended is not None
    assert record.ended.status == "closed"


async def test_what_an_agent_said_stands_with_its_prompt_its_brain_and_what_it_saw(house: House) -> None:
    record = await record_of(house, (await house.after(SMALL)).id)

    finding = refund_in(record).finding
    assert finding is not None
    assert (finding.agent, finding.brain, finding.obtained) == ("policy", "playbook", "playbook")
    role = house.parts.workflows["refund"].agents["policy"]
    assert (finding.version, finding.prompt) == (role.version, role.prompt_digest)
    assert finding.confidence_percent == finding.output["confidence_percent"]
    assert finding.seen is not None
    assert len(finding.seen) == 64
    assert [one.agent for one in record.findings] == ["triage", "fraud_analyst", "policy"]


async def test_the_grant_the_attempts_the_receipt_and_the_undo_are_those_of_the_ledger(
    house: House, clock: ManualClock
) -> None:
    case = await house.after(SMALL)
    record = await record_of(house, case.id)

    for proposal in record.proposals:
        effect, grant = proposal.effect, proposal.grant
        assert effect is not None
        assert grant is not None
        (kept,) = await house.rows("SELECT * FROM effects WHERE key = %s", effect.key)
        (given,) = await house.rows("SELECT * FROM grants WHERE id = %s", grant.id)
        assert (effect.state, effect.attempts, effect.receipt, effect.arguments, effect.digest) == tuple(
            kept[name] for name in ("state", "attempts", "receipt", "arguments", "digest")
        )
        assert (grant.issued_at, grant.used_at, grant.expires_at, grant.basis, grant.review) == tuple(
            given[name] for name in ("issued_at", "used_at", "expires_at", "basis", "review_id")
        )
        undo = house.parts.registry.describe(effect.tool).undo
        assert undo is not None
        assert effect.undo is not None
        assert (effect.undo.tool, effect.undo.until) == (undo.tool, clock.now + undo.window)
        assert effect.undo.done_at is None
        assert [end.end for end in proposal.ends] == ["done"]


# --- by people --------------------------------------------------------------------------------------------


async def test_a_vote_says_by_which_role_and_how_long_its_voter_had_it_open(
    house: House, clock: ManualClock
) -> None:
    review = await waiting(house, LEADS)
    await look(house, review, MAX)
    clock.advance(timedelta(minutes=5))
    await look(house, review, LEE)
    clock.advance(timedelta(seconds=90))
    await house.decided(review, LEE)

    refund = refund_in(await record_of(house, review.case_id))
    (shown,) = refund.reviews
    assert (shown.id, shown.kind, shown.status, shown.ended_by) == (
        review.id,
        "gate",
        "approved",
        "person:lee",
    )
    assert [view.by for view in shown.views] == ["person:max", "person:lee"]
    assert {view.shown for view in shown.views} == {shown.shown} == {review.shown["digest"]}
    (vote,) = shown.votes
    assert (vote.kind, vote.person, vote.role, vote.rung, vote.on_behalf_of) == (
        "approve",
        "person:lee",
        "support_lead",
        0,
        None,
    )
    assert vote.seconds_open == 90
    assert vote.digest == shown.digest == refund.digest
    assert refund.grant is not None
    assert [one["vote"] for one in refund.grant.basis["people"]] == [vote.id]
    assert refund.grant.review == review.id


async def test_who_never_opened_a_review_has_no_time_beside_their_vote(house: House) -> None:
    review = await waiting(house, LEADS)
    await house.decided(review, LEE)
    (shown,) = refund_in(await record_of(house, review.case_id)).reviews
    assert shown.votes[0].seconds_open is None


async def test_what_was_shown_beside_the_action_can_be_held_against_the_record(house: House) -> None:
    review = await waiting(house, LEADS)
    kept = {name: told for name, told in review.shown.items() if name != "digest"}
    (shown,) = refund_in(await record_of(house, review.case_id)).reviews
    assert digest(kept) == shown.shown


async def test_an_edit_is_a_proposal_of_its_own_with_the_change_and_its_editor(house: House) -> None:
    first = await waiting(house, LEADS)
    case = await edited(house, first, LEE, amount_minor=8000)
    await house.decided(await house.review(case.id), MAX)

    record = await record_of(house, case.id)
    before, after = refund_in(record, 0), refund_in(record, 1)
    (vote,) = before.reviews[0].votes
    assert (before.came_by, before.reviews[0].status, before.effect) == ("proposed", "superseded", None)
    assert (vote.kind, vote.role, vote.digest) == ("edit", "support_lead", before.digest)
    assert (after.came_by, after.by, after.revision) == ("edited", "person:lee", 2)
    assert [(one["field"], one["after"]) for one in after.changes] == [("arguments.amount_minor", 8000)]
    assert after.action["sources"]["amount_minor"]["trust"] == "person"
    assert after.effect is not None
    assert after.effect.state == "done"
    assert after.effect.arguments["amount_minor"] == 8000


async def test_a_rejection_has_its_voter_and_nothing_that_was_done(house: House) -> None:
    review = await waiting(house, LEADS)
    await voted(house, review, LEE, VoteKind.REJECT)
    await house.work()

    record = await record_of(house, review.case_id)
    refund = refund_in(record)
    (vote,) = refund.reviews[0].votes
    assert (vote.kind, refund.reviews[0].status) == ("reject", "rejected")
    assert vote.comment is not None
    assert vote.comment.startswith("sealed:")
    assert (refund.grant, refund.effect) == (None, None)
    assert record.ended is not None
    assert (record.ended.status, record.ended.reason) == ("rejected", "review_rejected")


async def test_an_override_has_its_reason_code_and_what_it_went_against(house: House) -> None:
    against = House(replace(house.parts, brain=Declining(house.parts.brain)))
    review = await waiting(against, LEADS)
    await voted(against, review, LEE, VoteKind.OVERRIDE, OverrideReason.GOODWILL)
    await against.work()

    refund = refund_in(await record_of(against, review.case_id))
    assert refund.verdicts[0].against == "recommendation"
    (vote,) = refund.reviews[0].votes
    assert (vote.kind, vote.reason_code) == ("override", "goodwill")
    assert refund.effect is not None
    assert refund.effect.state == "done"


async def test_broken_glass_shows_who_broke_it_and_the_review_of_it_afterwards(house: House) -> None:
    review = await waiting(house, LEADS)
    await voted(house, review, DREW, VoteKind.BREAK_GLASS, OverrideReason.EMERGENCY)
    await house.work()
    later = await house.review(review.case_id)
    await house.vote(later, LEE)

    refund = refund_in(await record_of(house, review.case_id))
    gate, afterwards = refund.reviews
    assert (gate.kind, afterwards.kind, afterwards.id) == ("gate", "afterwards", later.id)
    (vote,) = gate.votes
    assert (vote.kind, vote.person, vote.role) == ("break_glass", "person:drew", "duty_manager")
    assert "review.broken_glass" in [act.kind for act in gate.acts]
    kept = {name: told for name, told in later.shown.items() if name != "digest"}
    assert digest(kept) == afterwards.shown != gate.shown
    assert [one.person for one in afterwards.votes] == ["person:lee"]


async def test_what_was_refused_is_told_beside_what_was_done(house: House) -> None:
    review = await waiting(house, LEADS)
    with pytest.raises(NotEligible):
        await house.vote(review, FINN)
    (denial,) = (await record_of(house, review.case_id)).denials
    assert (denial.by, denial.kind, denial.why) == ("person:finn", "vote.denied", "NotEligible")


# --- what came later --------------------------------------------------------------------------------------


async def test_what_became_of_it_later_is_told_once_and_changes_nothing(
    house: House, clock: ManualClock
) -> None:
    case = await house.after(SMALL)
    (effect, _) = await house.effects(case.id)
    clock.advance(timedelta(days=9))
    seen = Observed(
        code="chargeback", observed_at=clock.now, effect=effect.key, note="The bank says so.", id="cb-1"
    )
    first = await Outcomes(house.parts).observe(case.id, seen, SHOP)
    again = await Outcomes(house.parts).observe(case.id, seen, SHOP)

    assert (first[1], again) == (True, (first[0], False))
    (outcome,) = (await record_of(house, case.id)).outcomes
    assert (outcome.code, outcome.effect, outcome.by) == ("chargeback", effect.key, "service:shop")
    assert outcome.note is not None
    assert outcome.note.startswith("sealed:")
    assert await house.case(case.id) == case


async def test_an_outcome_of_another_cases_deed_is_refused(house: House) -> None:
    case, other = await house.after(SMALL), await house.after("clean_29_90_2")
    (effect, _) = await house.effects(other.id)
    seen = Observed(code="chargeback", observed_at=house.parts.clock(), effect=effect.key)
    with pytest.raises(EffectUnknown):
        await Outcomes(house.parts).observe(case.id, seen, SHOP)


# --- from an export alone ---------------------------------------------------------------------------------


async def test_the_record_is_the_same_from_events_that_travelled_as_json(house: House) -> None:
    case = await house.after(SMALL)
    events = await events_of(house, case.id)
    travelled = [Event.from_json(event.to_json()) for event in events]
    assert decision_record(case.id, travelled) == decision_record(case.id, events)


async def test_every_deed_is_explained_by_events_alone(house: House) -> None:
    """Trigger, verdict, grant and outcome of each deed in the ledger are in the record of its case."""
    for scene in (SMALL, LEADS, "clean_640_00_1", "fraud_customer"):
        case = await house.after(scene)
        for review in await house.open_reviews(case.id):
            await house.decided(review, FINN if "finance" in review.roles else LEE)
        record = await record_of(house, case.id)
        explained = {one.effect.key: one for one in record.proposals if one.effect}
        assert set(explained) == {effect.key for effect in await house.effects(case.id)}
        for proposal in explained.values():
            assert proposal.grant is not None
            assert proposal.verdicts[-1].stage == "execution"
            asked = {"people"} if proposal.reviews else {"rules", "row"}
            assert asked == set(proposal.grant.basis)


async def test_events_that_tell_no_case_are_called_unfit(house: House) -> None:
    case = await house.after(SMALL)
    events = await events_of(house, case.id)
    broken = [replace(event, data={}) if event.kind == "effect.intended" else event for event in events]
    with pytest.raises(RecordUnfit):
        decision_record(case.id, broken)
