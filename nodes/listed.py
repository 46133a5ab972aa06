"""Listed nodes: a step that judges, or does, only what it lists, whatever the state says is proposed."""

from collections.abc import Sequence
from functools import wraps
from typing import Any

from langgraph.runtime import Runtime

from nodes.ask import Node
from nodes.context import Context
from nodes.state import CaseState
from nodes.story import Story


def listed(node: Node, tools: Sequence[str]) -> Node:
    """The node, which sees no proposal of another tool; outcome `blocked` for such a one, on the record."""

    @wraps(node)
    async def only_listed(state: CaseState, runtime: Runtime[Context]) -> CaseState:
        tool = str((state.get("proposal") or {}).get("tool"))
        if tool in tools:
            return await node(state, runtime)
        story = Story(runtime, "rule:listed")
        story.tell("action.unlisted", step=story.step, listed=list(tools))
        result = {"reason": "tool_not_listed"}
        return {"outcome": "blocked", "step": story.step, "result": result, "record": story.events}

    only_listed.listed_node = node  # type: ignore[attr-defined] # for whoever proves things about a graph
    only_listed.tools = tuple(tools)  # type: ignore[attr-defined]
    return only_listed


def node_listed(node: Any) -> Any:
    """The node within a listed one; any other node as it is."""
    return getattr(node, "listed_node", node)


def tools_of(node: Any) -> tuple[str, ...]:
    """The tools that a node lists; none if it is not listed."""
    return tuple(getattr(node, "tools", ()))
