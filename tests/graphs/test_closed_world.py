"""The closed world: what is no update leads nowhere, and no deed is without its judge."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from langgraph.errors import ParentCommand
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send

from checkpoints.cases import Status
from graphs.catalogue import find_kits
from graphs.closed_world import OpenWorld, drawing, require_closed
from graphs.flow import Builder, Flow, signed_lane
from graphs.rollback.graph import build as build_rollback
from nodes.context import Context
from nodes.execute import execute
from nodes.gate import gate
from nodes.held import held
from nodes.lane import lane
from nodes.listed import listed
from nodes.state import CaseState, route
from nodes.weigh import weigh
from tests.house import House
from tests.nodes.desk import wish

SCENE = "clean_29_90_1"


async def goes_on(state: CaseState, runtime: Any) -> CaseState:
    return {"outcome": "done"}


def empty() -> Builder:
    return StateGraph(CaseState, context_schema=Context)


@pytest.mark.parametrize("kit", find_kits(), ids=lambda kit: kit.name)
def test_every_shipped_graph_is_closed(kit: Any) -> None:
    require_closed(kit.name, kit.build(), kit.workflow().rulings)


def test_the_graph_that_takes_back_is_closed() -> None:
    require_closed("rollback", build_rollback())


# --- what cannot be proven is refused ---------------------------------------------------------------------


def a_step_that_is_not_held(graph: Builder) -> None:
    graph.add_node("loose", goes_on)
    graph.add_edge(START, "loose")


def a_step_that_says_where_to_go(graph: Builder) -> None:
    graph.add_node("wise", held(goes_on), destinations=("somewhere",))
    graph.add_node("somewhere", held(goes_on))
    graph.add_edge(START, "wise")


def an_error_handler(graph: Builder) -> None:
    graph.add_node("step", held(goes_on), error_handler=held(goes_on))
    graph.add_edge(START, "step")


def an_error_handler_for_all(graph: Builder) -> None:
    graph.set_node_defaults(error_handler=held(goes_on))


def a_route_of_somebody_else(graph: Builder) -> None:
    graph.add_node("step", held(goes_on))
    graph.add_edge(START, "step")
    graph.add_conditional_edges("step", lambda _: END, [END])


def a_route_that_says_not_where(graph: Builder) -> None:
    graph.add_node("step", held(goes_on))
    graph.add_edge(START, "step")
    graph.add_conditional_edges("step", route({}, otherwise=END)[0])


def edges_from_several_steps(graph: Builder) -> None:
    for step in ("one", "other", "both"):
        graph.add_node(step, held(goes_on))
    graph.add_edge(["one", "other"], "both")


def a_lane_that_is_open(graph: Builder) -> None:
    steps = empty()
    steps.add_node("deed", held(execute))
    steps.add_edge(START, "deed")
    graph.add_node("legal", held(lane("legal", steps)))
    graph.add_edge(START, "legal")


@pytest.mark.parametrize(
    ("opening", "why"),
    [
        (a_step_that_is_not_held, "step loose is not held"),
        (a_step_that_says_where_to_go, "step wise says itself where to go: somewhere"),
        (an_error_handler, "step __error_handler__step has an error handler"),
        (an_error_handler_for_all, "every step has an error handler"),
        (a_route_of_somebody_else, "nobody can say where step step leads"),
        (a_route_that_says_not_where, "nobody can say where step step leads"),
        (edges_from_several_steps, "edges from several steps"),
        (a_lane_that_is_open, "lane legal: to the deed deed there is a way that no judge is on"),
    ],
)
def test_what_may_lead_anywhere_is_refused(opening: Callable[[Builder], None], why: str) -> None:
    graph = empty()
    opening(graph)

    with pytest.raises(OpenWorld, match=why):
        require_closed("tried", graph)


def chain(*steps: tuple[str, Any]) -> Builder:
    graph = empty()
    before = START
    for name, node in steps:
        graph.add_node(name, held(node))
        graph.add_edge(before, name)
        before = name
    graph.add_edge(before, END)
    return graph


@pytest.mark.parametrize(
    ("steps", "path"),
    [
        ([("deed", execute)], ("__start__", "deed")),
        ([("wait", gate), ("deed", execute)], ("__start__", "wait", "deed")),
        ([("judge", weigh), ("change", goes_on), ("deed", execute)], ("change", "deed")),
        ([("judge", weigh), ("deed", execute), ("again", execute)], ("deed", "again")),
    ],
    ids=["none", "only a gate", "something in between", "another deed in between"],
)
def test_a_deed_without_its_judge_is_refused_with_the_way_to_it(
    steps: list[tuple[str, Any]], path: tuple[str, ...]
) -> None:
    with pytest.raises(OpenWorld, match="there is a way that no judge is on") as refused:
        require_closed("tried", chain(*steps))

    assert refused.value.path == path
    assert " → ".join(path) in str(refused.value)


def test_a_deed_behind_its_judge_and_its_gate_is_fine() -> None:
    require_closed("tried", chain(("judge", weigh), ("wait", gate), ("deed", execute)))


TOOLS = ("payments.refund", "tickets.reply")


@pytest.mark.parametrize(
    ("judge", "deed", "why"),
    [
        (weigh, listed(execute, TOOLS), "step judge does not list"),
        (listed(weigh, TOOLS), execute, "step deed does not list"),
        (listed(weigh, TOOLS), listed(execute, ()), "step deed does not list"),
        (listed(weigh, TOOLS), listed(execute, ("payments.pay",)), "lists what nothing judges: payments.pay"),
    ],
)
def test_a_step_that_acts_lists_what_it_is_for(judge: Any, deed: Any, why: str) -> None:
    with pytest.raises(OpenWorld, match=why):
        require_closed("tried", chain(("judge", judge), ("deed", deed)), TOOLS)


def test_a_list_in_a_lane_is_looked_at_too() -> None:
    graph = empty()
    graph.add_node("legal", held(signed_lane("legal", goes_on)))
    graph.add_edge(START, "legal")

    with pytest.raises(OpenWorld, match="lane legal: step judge does not list"):
        require_closed("tried", graph, TOOLS)


async def test_what_a_step_does_not_list_is_not_even_judged(house: House) -> None:
    """The state is made to propose a reply where a refund is due; the rules would have allowed both."""

    async def forge(state: CaseState, runtime: Any) -> CaseState:
        proposal = wish(await house.case(runtime.context.case_id), tool="tickets.reply", proposer="rule:tell")
        return {"proposal": proposal.to_json(), "outcome": "done"}

    def build() -> Builder:
        flow = Flow()
        flow.step("forge", forge, {"done": "judge_refund"})
        flow.deed("refund", "payments.refund", then="closed")
        return flow.built()

    refund = replace(house.parts.workflows["refund"], build=build)
    forged = House(replace(house.parts, workflows={"refund": refund}))

    case = await forged.after(SCENE)

    assert (case.status, case.reason) == (Status.ESCALATED, "tool_not_listed")
    assert "action.unlisted" in await house.kinds(case.id)
    assert "verdict.given" not in await house.kinds(case.id)


def test_the_drawing_shows_the_graph_and_the_path_in_it() -> None:
    drawn = drawing(chain(("judge", weigh), ("deed", execute)), ("judge", "deed"))

    assert drawn.startswith("flowchart TD\n")
    assert "  judge[judge] --> deed[deed]" in drawn
    assert "style judge stroke:#b00" in drawn


# --- and whatever a step gives back while it runs ---------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        Command(goto="refund"),
        Command(update={"outcome": "allow"}),
        [Send("refund", {})],
        Send("refund", {}),
        [Command(goto="refund")],
        None,
        {"outcome": "done", "__root__": 1},
        ParentCommand(Command(graph=Command.PARENT, goto="refund")),
    ],
    ids=lambda given: type(given).__name__,
)
async def test_a_step_that_gives_back_no_update_leads_nowhere(house: House, given: Any) -> None:
    async def jump(state: CaseState, runtime: Any) -> Any:
        if isinstance(given, Exception):
            raise given
        return given

    def build() -> Builder:
        flow = Flow()
        flow.step("jump", jump, {"done": "closed"})
        flow.deed("refund", "payments.refund", then="closed")
        return flow.built()

    refund = replace(house.parts.workflows["refund"], build=build)
    jumping = House(replace(house.parts, workflows={"refund": refund}))

    case = await jumping.after(SCENE)

    assert (case.status, case.reason) == (Status.FAILED, "unexpected_error")
    assert await house.effects(case.id) == []
    assert "verdict.given" not in await house.kinds(case.id)
