"""Lanes: several actions of one case side by side, each on its own way through judge, gate and gateway."""

from langgraph.graph import StateGraph
from langgraph.runtime import Runtime

from nodes.ask import Node
from nodes.context import Context
from nodes.shapes import Json
from nodes.state import CaseState

_SHARED = ("case", "findings")
DONE = "done"


def lane(name: str, steps: StateGraph[CaseState, Context, CaseState, CaseState]) -> Node:
    """A node that runs a graph of steps with a proposal, verdict, outcome and standing of its own.

    Lanes that start in one step pause and go on each for itself: a graph waits for all tasks of a step, so
    plain nodes in parallel would wait for each other's reviewers. What a lane did is on the record with each
    of its steps; where the case stands is not for a lane to say. The proposals of different lanes need
    different `step` names.
    """
    compiled = steps.compile(name=name)

    async def ran(state: CaseState, runtime: Runtime[Context]) -> CaseState:
        given: CaseState = {key: state[key] for key in _SHARED if key in state}  # type: ignore[assignment, literal-required] # a part of the state
        ended = await compiled.ainvoke(given, context=runtime.context)
        return {"lanes": {name: {"outcome": ended.get("outcome"), "result": ended.get("result", {})}}}

    ran.steps = steps  # type: ignore[attr-defined] # for whoever proves things about a graph
    return ran


def steps_of(node: object) -> StateGraph[CaseState, Context, CaseState, CaseState] | None:
    """The steps of a lane, None of any other node."""
    return getattr(node, "steps", None)


def meet(*names: str) -> Node:
    """A node in which lanes meet: outcome and result of the first that is not `done`, or `done`.

    Each lane has a plain edge to it: lanes of one step end together. An edge from a list of nodes keeps a set
    in the state, which is no JSON shape.
    """

    async def met(state: CaseState, runtime: Runtime[Context]) -> CaseState:  # noqa: ARG001 - as nodes are called
        lanes = state.get("lanes", {})
        ends: list[Json] = [lanes.get(name) or {} for name in names]
        undone = [end for end in ends if end.get("outcome") != DONE]
        first: Json = undone[0] if undone else {"outcome": DONE}
        # No step: lanes are not run again as a whole.
        return {"outcome": str(first.get("outcome")), "step": "", "result": first.get("result") or {}}

    return met
