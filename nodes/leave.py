"""Leave: the named ends of a case, each with its reason and its owner."""

from langgraph.runtime import Runtime

from nodes.ask import Node
from nodes.context import Context
from nodes.state import CaseState, standing
from nodes.story import Story


def leave(status: str) -> Node:
    """A node that ends the case in this status, for the reason the last step gave."""

    async def left(state: CaseState, runtime: Runtime[Context]) -> CaseState:
        story = Story(runtime, "rule:leave")
        result = state.get("result") or {}
        reason = None if status == "closed" else result.get("reason") or "unspecified"
        owner = (
            None
            if status in {"closed", "rejected"}
            else result.get("owner") or runtime.context.workflow.owner
        )
        story.tell(f"case.{status}", reason=reason, owner=owner)
        return {"standing": standing(status, reason, owner), "record": story.events}

    return left
