"""Held nodes: whatever a node gives back is an update of the state, and never leads the graph anywhere."""

from collections.abc import Mapping
from functools import wraps
from typing import Any

from langgraph.errors import ParentCommand
from langgraph.runtime import Runtime

from nodes.ask import Node
from nodes.context import Context
from nodes.state import CaseState

_FIELDS = frozenset(CaseState.__annotations__)


class UndeclaredRoute(Exception):
    """A node tried to lead its graph where no route goes; nothing of what it gave back counts."""


def held(node: Node) -> Node:
    """The node, of which only updates of the state come through.

    LangGraph follows a `Command`, a `Send` or a jump to a parent graph that a node gives back, wherever it
    leads, past every edge of the graph. A held node that does so raises UndeclaredRoute.
    """

    @wraps(node)
    async def only_updates(state: CaseState, runtime: Runtime[Context]) -> CaseState:
        try:
            update: Any = await node(state, runtime)
        except ParentCommand as jump:
            raise UndeclaredRoute("a step jumps out of its graph") from jump
        if not isinstance(update, Mapping):
            raise UndeclaredRoute(f"a step gives back a {type(update).__name__} and no update of the state")
        if strange := sorted(map(str, update.keys() - _FIELDS)):
            raise UndeclaredRoute(f"a step gives back what is not in the state: {', '.join(strange)}")
        return update  # type: ignore[return-value] # its keys are those of the state

    only_updates.held_node = node  # type: ignore[attr-defined] # for whoever proves things about a graph
    return only_updates


def node_within(held_one: Any) -> Any:
    """The node that is held, None if it is not."""
    return getattr(held_one, "held_node", None)
