"""Deploys: a case that waits goes on in the next version, or is refused out loud, never dropped."""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest

from checkpoints.cases import Case, Status
from checkpoints.errors import GraphLacksStep
from checkpoints.places import places
from checkpoints.votes import VoteKind
from graphs.catalogue import find_kits
from graphs.closed_world import require_closed
from graphs.deploys import Check, check
from graphs.fitting import PATIENCE, fingerprint
from graphs.flow import Builder, Flow
from graphs.moving import Moving, NoSuchStep
from graphs.standstills import CaseMovedOn
from graphs.ways_out import NotYoursToResolve, WaysOut
from nodes.ask import ask
from nodes.retrieve import retrieve
from tests.house import LEE, SHOP, House, ManualClock
from tests.stories.reviewing import told
from tests.stories.standing_still import OPS, TESS, be_away, behaving, standstill
from tools.sandbox.cast import CAST

refund = import_module("graphs.refund.graph")  # its package has a graph of that name, too
build = refund.build
LARGE, SMALL = "clean_120_00_1", "clean_29_90_1"


class Otherwise(Flow):
    """A flow in which the refund's gate has another name."""

    gate = "sign"
    then = "tell"

    def deed(self, name: str, *tools: str, **more: Any) -> None:
        if name == "refund":
            more |= {"gate_": self.gate, "then": self.then}
        super().deed(name, *tools, **more)


class Saying(Otherwise):
    """The same, and it says so."""

    def built(self) -> Builder:
        self.renamed("gate", self.gate)
        return super().built()


class Longer(Otherwise):
    """A flow that has one step more behind the refund, and the gate's old name."""

    gate, then = "gate", "look"

    def built(self) -> Builder:
        self.step("look", ask("triage"), {"ready": "tell"}, otherwise="uncertain")
        return super().built()


def built(flow: type[Flow]) -> Builder:
    """The refund graph as such a flow comes to it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(refund, "Flow", flow)
        graph: Builder = refund.build()
    return graph


def deployed(house: House, graph: Callable[[], Builder]) -> House:
    """The same house, in which another version of the refund workflow is installed."""
    workflows = house.parts.workflows
    newer = replace(workflows["refund"], version="2", build=graph)
    return House(replace(house.parts, workflows={**workflows, "refund": newer}))


def lacking() -> Builder:
    return built(Otherwise)


def following() -> Builder:
    return built(Saying)


def longer() -> Builder:
    return built(Longer)


async def checked(house: House, graph: Callable[[], Builder]) -> Check:
    kits = [replace(kit, build=graph) if kit.name == "refund" else kit for kit in find_kits()]
    return await check(house.parts.database, kits)


async def voted(house: House) -> Case:
    """A case whose review was approved just before the deploy."""
    case = await house.after(LARGE)
    await house.vote(await house.review(case.id), LEE)
    return case


async def given_up(new: House, clock: ManualClock, case: Case) -> Case:
    """The case after no worker has had its step for as long as it is left for one."""
    with pytest.raises(GraphLacksStep):
        await new.work()
    clock.advance(PATIENCE)
    await new.work()
    return await new.case(case.id)


# --- what a thread is pinned to ---------------------------------------------------------------------------


def test_a_fingerprint_changes_with_names_routes_and_lanes_and_with_nothing_else() -> None:
    assert fingerprint(build()) == fingerprint(build()) == fingerprint(built(Flow))
    prints = [fingerprint(graph()) for graph in (build, lacking, following, longer)]
    assert len(set(prints)) == len(prints)
    vendor = next(kit for kit in find_kits() if kit.name == "vendor")
    before, after = vendor.build(), vendor.build()
    lane = after.nodes["legal"].runnable.afunc.held_node.steps
    lane.add_edge("propose", "gate")
    assert fingerprint(before) != fingerprint(after)


async def test_a_paused_thread_names_the_version_and_the_graph_that_it_ran_on(house: House) -> None:
    case = await house.after(LARGE)
    async with house.parts.database.connection() as connection:
        (place,) = await places(connection, case.id)
    assert (place.version, place.graph, place.pending) == ("1", fingerprint(build()), ["gate"])

    new = deployed(house, longer)
    await new.decided(await house.review(case.id), LEE)
    async with house.parts.database.connection() as connection:
        (place,) = await places(connection, case.id)
    assert (place.version, place.graph, place.pending) == ("2", fingerprint(longer()), [])


# --- what goes on -----------------------------------------------------------------------------------------


async def test_a_case_goes_on_in_a_graph_with_one_step_more_behind_it(house: House) -> None:
    case = await house.after(LARGE)
    new = deployed(house, longer)
    assert (await new.decided(await house.review(case.id), LEE)).status is Status.CLOSED
    found = [event["actor"] for event in await house.events(case.id) if event["kind"] == "agent.found"]
    assert found.count("agent:triage") == len(["before", "the step that is new"])


async def test_a_case_follows_a_renamed_step_and_its_vote_counts(house: House) -> None:
    require_closed("refund", following())
    case = await voted(house)
    await deployed(house, following).work()
    assert (await house.case(case.id)).status is Status.CLOSED
    assert len(await house.refunds(CAST[LARGE].order_id)) == 1


async def test_nobody_is_led_to_the_old_name_of_a_step(house: House) -> None:
    new = deployed(house, following)
    case = await new.after(LARGE)
    async with house.parts.database.connection() as connection:
        (place,) = await places(connection, case.id)
    assert place.pending == ["sign"]


async def test_an_exception_is_retried_under_the_new_name_of_its_step(house: House) -> None:
    case = await house.send(SMALL)
    await behaving(house, fraud_signals=be_away).work()

    def reading() -> Builder:
        flow = Flow()
        flow.step("read", retrieve, "closed", was=("retrieve",))
        return flow.built()

    new = deployed(house, reading)
    await WaysOut(new.parts).retry((await standstill(house, case.id)).id, TESS)
    await new.work()
    assert (await house.case(case.id)).status is Status.CLOSED


# --- what is refused --------------------------------------------------------------------------------------


async def test_a_worker_without_the_step_refuses_and_one_with_it_goes_on(house: House) -> None:
    case = await voted(house)
    new = deployed(house, lacking)
    for _ in range(2):
        with pytest.raises(GraphLacksStep):
            await new.work()
    assert (await house.case(case.id)).status is Status.APPROVED
    (refused,) = await told(house, case.id, "case.refused")
    assert refused["steps"] == ["gate"]

    await house.work()
    assert (await house.case(case.id)).status is Status.CLOSED
    assert len(await house.refunds(CAST[LARGE].order_id)) == 1


async def test_a_case_that_no_worker_takes_is_blocked_and_goes_on_once_one_does(
    house: House, clock: ManualClock
) -> None:
    case = await given_up(deployed(house, lacking), clock, await voted(house))
    found = await standstill(house, case.id)
    assert (case.status, case.reason, found.step) == (Status.BLOCKED, "graph_lacks_step", "gate")

    await WaysOut(house.parts).retry(found.id, OPS)
    await house.work()
    assert (await house.case(case.id)).status is Status.CLOSED
    assert len(await house.refunds(CAST[LARGE].order_id)) == 1


async def test_an_exception_whose_step_is_gone_is_refused_and_keeps_its_step(
    house: House, clock: ManualClock
) -> None:
    case = await house.send(SMALL)
    await behaving(house, fraud_signals=be_away).work()

    def reading() -> Builder:
        flow = Flow()
        flow.step("read", retrieve, "closed")
        return flow.built()

    await WaysOut(house.parts).retry((await standstill(house, case.id)).id, TESS)
    case = await given_up(deployed(house, reading), clock, case)
    found = await standstill(house, case.id)
    assert (case.reason, found.step) == ("graph_lacks_step", "retrieve")
    await WaysOut(house.parts).retry(found.id, OPS)
    await house.work()
    assert (await house.case(case.id)).status is Status.CLOSED


async def test_a_worker_without_the_workflow_leaves_its_cases_to_others(house: House) -> None:
    case = await house.send(SMALL)
    rest = {name: workflow for name, workflow in house.parts.workflows.items() if name != "refund"}
    with pytest.raises(GraphLacksStep):
        await House(replace(house.parts, workflows=rest)).work()
    await house.work()
    assert (await house.case(case.id)).status is Status.CLOSED


# --- what is moved by hand --------------------------------------------------------------------------------


async def test_a_moved_case_is_judged_again_and_what_people_signed_still_counts(
    house: House, clock: ManualClock
) -> None:
    new = deployed(house, lacking)
    case = await given_up(new, clock, await voted(house))
    await Moving(new.parts).move(case.id, "sign", TESS)
    await new.work()

    assert (await house.case(case.id)).status is Status.CLOSED
    assert len(await house.refunds(CAST[LARGE].order_id)) == 1
    (moved,) = await told(house, case.id, "case.moved")
    assert (moved["was"], moved["to"]) == (["gate"], "sign")
    assert (await house.kinds(case.id)).count("verdict.given") > len(["refund", "reply"])


async def test_a_case_is_moved_while_it_waits_and_its_review_stays(house: House) -> None:
    new = deployed(house, lacking)
    case = await house.after(LARGE)
    review = await house.review(case.id)
    await Moving(new.parts).move(case.id, "sign", TESS)
    await new.work()

    moved = await house.case(case.id)
    assert (moved.status, moved.owner) == (Status.WAITING_REVIEW, "support_lead")
    assert (await house.review(case.id)).id == review.id
    assert (await new.decided(review, LEE)).status is Status.CLOSED
    assert len(await house.refunds(CAST[LARGE].order_id)) == 1


async def test_a_case_about_which_people_are_asked_is_moved_to_its_judge_alone(house: House) -> None:
    new = deployed(house, lacking)
    case = await house.after(LARGE)
    for step in ("triage", "tell", "refund"):
        with pytest.raises(CaseMovedOn, match="people are asked"):
            await Moving(new.parts).move(case.id, step, TESS)
    await house.vote(await house.review(case.id), LEE)
    await Moving(new.parts).move(case.id, "triage", TESS)
    await new.work()
    assert (await house.case(case.id)).status is Status.CLOSED
    assert len(await house.refunds(CAST[LARGE].order_id)) == 1


async def test_a_rejected_case_that_is_moved_stays_rejected(house: House, clock: ManualClock) -> None:
    new = deployed(house, lacking)
    case = await house.after(LARGE)
    await house.vote(await house.review(case.id), LEE, VoteKind.REJECT)
    case = await given_up(new, clock, case)
    await Moving(new.parts).move(case.id, "sign", TESS)
    await new.work()
    assert (await house.case(case.id)).status is Status.REJECTED
    assert await house.refunds(CAST[LARGE].order_id) == []


async def test_only_an_orphan_is_moved_to_a_step_that_is_there_by_who_resolves(house: House) -> None:
    case = await house.after(LARGE)
    new = deployed(house, lacking)
    with pytest.raises(CaseMovedOn):
        await Moving(house.parts).move(case.id, "gate", TESS)
    for step in ("gate", "closed", "stuck", "__end__"):
        with pytest.raises(NoSuchStep):
            await Moving(new.parts).move(case.id, step, TESS)
    with pytest.raises(NotYoursToResolve):
        await Moving(new.parts).move(case.id, "sign", SHOP)
    assert len(await told(house, case.id, "case.move_denied")) == 1
    assert await told(house, case.id, "case.moved") == []


async def test_a_crash_after_the_move_does_not_move_twice(house: House) -> None:
    new = deployed(house, lacking)
    case = await house.after(LARGE)
    await Moving(new.parts).move(case.id, "sign", TESS)
    await new.work()
    (command,) = await house.rows("SELECT id FROM commands WHERE dedupe_key LIKE %s", "move:%")
    await house.rows("UPDATE commands SET done_at = NULL WHERE id = %s", command["id"])
    await new.work()
    assert len(await told(house, case.id, "case.resumed")) == 1
    assert (await house.case(case.id)).status is Status.WAITING_REVIEW


# --- what is known before ---------------------------------------------------------------------------------


async def test_the_check_lists_who_would_be_orphaned_and_says_how_to_move_each(house: House) -> None:
    case = await house.after(LARGE)
    await house.after(SMALL)
    found = await checked(house, lacking)
    (orphan,) = found.orphans
    assert (found.threads, found.changed) == (1, 0)
    assert (orphan.place.case_id, orphan.lacks) == (case.id, ["gate"])
    assert (orphan.place.graph, orphan.now) == (fingerprint(build()), fingerprint(lacking()))
    assert "was=('gate',)" in orphan.to_do
    assert f"countersign deploy move {case.id}" in orphan.to_do


async def test_the_check_has_nothing_against_the_same_graph_a_longer_one_or_a_renamed_step(
    house: House,
) -> None:
    await house.after(LARGE)
    for graph, changed in ((build, 0), (longer, 1), (following, 1)):
        found = await checked(house, graph)
        assert (found.orphans, found.changed) == ([], changed)


async def test_the_check_names_a_workflow_that_is_gone(house: House) -> None:
    case = await house.after(LARGE)
    found = await check(house.parts.database, [kit for kit in find_kits() if kit.name != "refund"])
    assert [(one.place.case_id, one.lacks) for one in found.orphans] == [(case.id, ["the workflow"])]
