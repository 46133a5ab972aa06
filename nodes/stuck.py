"""Stuck: it only waits for a way out of an exception. Whatever wakes it, it believes the exception's row."""

from collections.abc import Callable, Mapping

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from checkpoints.projection import STUCK_KEY
from nodes.ask import Node
from nodes.context import Context
from nodes.shapes import Json
from nodes.state import CaseState, declared, standing
from nodes.story import Story

RETRIED = "retried"


def stuck(steps: Mapping[str, str]) -> Node:
    """A node that waits until somebody has the case tried again; `steps` says for each from where.

    Other ways out end the case, and the graph stays here. The step to go on from is the row's, whatever the
    state says.
    """

    async def waited(state: CaseState, runtime: Runtime[Context]) -> CaseState:
        context = runtime.context
        while (step := await context.exceptions.retried_step(context.case_id)) is None:
            interrupt({STUCK_KEY: _wait(state, steps)})
        story = Story(runtime, "rule:stuck")
        story.tell("case.resumed", step=step)
        return {
            "outcome": RETRIED,
            "step": step,
            "standing": standing("running", RETRIED),
            "record": story.events,
        }

    waited.retryable = dict(steps)  # type: ignore[attr-defined] # for whoever moves a case
    return waited


def retryable_in(node: object) -> Mapping[str, str]:
    """The steps of a node made by `stuck` that can be tried again, and from where; none of any other node."""
    return getattr(node, "retryable", {})


def _wait(state: CaseState, steps: Mapping[str, str]) -> Json:
    """Whether the step can be tried again, and when that is done by itself."""
    wake_at = (state.get("result") or {}).get("wake_at")
    return {"retryable": state.get("step") in steps, "wake_at": wake_at}


def retry(to: Mapping[str, str], otherwise: str) -> tuple[Callable[[CaseState], str], list[str]]:
    """A router from `stuck` by the step that is tried again, that cannot raise, and where it can lead."""

    def chosen(state: CaseState) -> str:
        return to.get(str(state.get("step")), otherwise)

    return declared(chosen), sorted({*to.values(), otherwise})
