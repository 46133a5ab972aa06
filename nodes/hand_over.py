"""Hand over: open a case of another workflow below this one, once."""

from collections.abc import Callable

from langgraph.runtime import Runtime

from nodes.ask import Node
from nodes.context import Context
from nodes.event import EventRefused
from nodes.records import Records
from nodes.retrieve import OutOfScope, remembered
from nodes.shapes import Json
from nodes.state import CaseState, standing
from nodes.story import Story
from tools.contract import ToolError


def hand_over(event_type: str, data: Callable[[Records], Json]) -> Node:
    """A node that opens the case of an event; outcome `done`, or `blocked` if it cannot be opened.

    The data come from the case's records, read now, and never from the state. A step that is repeated after a
    crash finds the case that it has opened; whoever asked for this case has asked for that one.
    """

    async def handed_over(state: CaseState, runtime: Runtime[Context]) -> CaseState:  # noqa: ARG001 - a node's shape
        story, context = Story(runtime, "rule:hand_over"), runtime.context
        try:
            child = await context.open_case(story.step, event_type, data(await remembered(context)))
        except EventRefused as refused:
            return _blocked(story, event_type, f"hand_over_{refused.reason}")
        except OutOfScope:
            return _blocked(story, event_type, "out_of_scope")
        except ToolError as failure:  # of this case's records, or of those that the other one needs
            return _blocked(story, event_type, f"source_{failure.reason}")
        story.tell("case.handed_over", type=event_type, case=child)
        return {
            "outcome": "done",
            "step": story.step,
            "result": {"case": child},
            "standing": standing("running"),
            "record": story.events,
        }

    return handed_over


def _blocked(story: Story, event_type: str, reason: str) -> CaseState:
    story.tell("case.hand_over_refused", type=event_type, reason=reason)
    return {"outcome": "blocked", "step": story.step, "result": {"reason": reason}, "record": story.events}
