"""The closed world: what is proven of a graph before anything runs on it.

Every step is held to giving back updates, every route is declared, and between a deed and the step that
judges it lies nothing but the gate. What cannot be proven is refused, with the step, the path and a drawing.
"""

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from langgraph.graph import START

from graphs.flow import Builder
from nodes.execute import execute, settle
from nodes.gate import gate
from nodes.held import node_within
from nodes.lane import steps_of
from nodes.listed import node_listed, tools_of
from nodes.state import is_route
from nodes.weigh import weigh

_ACTING = (weigh, execute, settle)


class OpenWorld(Exception):
    """A graph of which it cannot be proven where it leads; the message names the step and draws the path."""

    def __init__(self, name: str, why: str, graph: Builder, path: tuple[str, ...] = ()) -> None:
        told = f"{name}: {why}"
        if path:
            told += f"\n  {' → '.join(path)}\n{drawing(graph, path)}"
        super().__init__(told)
        self.path = path


def require_closed(name: str, graph: Builder, tools: Collection[str] | None = None) -> None:
    """Raise OpenWorld unless the graph, and every lane in it, holds together.

    Args:
        name: the workflow's, for the message.
        graph: as it was built, not compiled.
        tools: those that the workflow judges: each step that judges or does lists some of them. None for the
            graph that takes back whatever there is to take back.
    """
    if graph.waiting_edges:
        raise OpenWorld(name, "edges from several steps keep what is no JSON shape in the state", graph)
    if graph._node_defaults.error_handler is not None:  # noqa: SLF001 - LangGraph says it nowhere else
        raise OpenWorld(name, "every step has an error handler, which may lead anywhere", graph)
    for step, spec in graph.nodes.items():
        _require_held(name, graph, step, spec)
        if (lane := steps_of(node_at(graph, step))) is not None:
            require_closed(f"{name}: lane {step}", lane, tools)
        elif tools is not None and node_at(graph, step) in _ACTING:
            _require_listed(name, graph, step, tools)
    for step, branches in graph.branches.items():
        for branch in branches.values():
            function = getattr(branch.path, "func", None)
            if branch.ends is None or not is_route(function):
                raise OpenWorld(name, f"nobody can say where step {step} leads", graph, (step, "?"))
    _require_judged(name, graph)


def _require_held(name: str, graph: Builder, step: str, spec: Any) -> None:
    if spec.is_error_handler or spec.error_handler_node is not None:
        raise OpenWorld(name, f"step {step} has an error handler, which may lead anywhere", graph)
    if spec.ends:
        raise OpenWorld(name, f"step {step} says itself where to go: {', '.join(spec.ends)}", graph)
    if node_at(graph, step) is None:
        raise OpenWorld(name, f"step {step} is not held: it may lead anywhere", graph)


def _require_listed(name: str, graph: Builder, step: str, tools: Collection[str]) -> None:
    listed = tools_listed(graph, step)
    if not listed:
        raise OpenWorld(name, f"step {step} does not list the tools that it is for", graph, (step,))
    if strange := sorted(set(listed) - set(tools)):
        raise OpenWorld(name, f"step {step} lists what nothing judges: {', '.join(strange)}", graph, (step,))


def _require_judged(name: str, graph: Builder) -> None:
    """Between a deed and the step that judges it lies nothing but the gate."""
    routes = dict(routes_of(graph))
    for step in graph.nodes:
        if node_at(graph, step) is execute:
            path = _unjudged(graph, routes, step)
            if path is not None:
                raise OpenWorld(name, f"to the deed {step} there is a way that no judge is on", graph, path)


def _unjudged(graph: Builder, routes: Mapping[str, set[str]], deed: str) -> tuple[str, ...] | None:
    """A path to the deed from a step that is neither its judge nor its gate, if there is one."""
    back: deque[tuple[str, ...]] = deque([(deed,)])
    seen = {deed}
    while back:
        path = back.popleft()
        for before in sorted(step for step, to in routes.items() if path[0] in to):
            raw = None if before == START else node_at(graph, before)
            if raw is weigh:
                continue
            if raw is not gate and before != deed:
                return (before, *path)
            if before not in seen:
                seen.add(before)
                back.append((before, *path))
    return None


def routes_of(graph: Builder) -> Iterator[tuple[str, set[str]]]:
    """By step where it can lead."""
    for step in (START, *graph.nodes):
        to = {end for start, end in graph.edges if start == step}
        for branch in graph.branches.get(step, {}).values():
            to |= set((branch.ends or {}).values())
        yield step, to


def drawing(graph: Builder, path: tuple[str, ...] = ()) -> str:
    """The graph as Mermaid text; the steps of the path stand out."""
    lines = ["flowchart TD"]
    for step, to in routes_of(graph):
        lines += [f"  {_id(step)}[{step}] --> {_id(end)}[{end}]" for end in sorted(to)]
    lines += [
        f"  style {_id(step)} stroke:#b00,stroke-width:3px" for step in dict.fromkeys(path) if step != "?"
    ]
    return "\n".join(lines)


def _id(step: str) -> str:
    return step.strip("_").replace("-", "_")


def node_at(graph: Builder, step: str) -> Any:
    """The node within a held step, None if it is not held."""
    return node_listed(_within(graph, step))


def tools_listed(graph: Builder, step: str) -> tuple[str, ...]:
    """The tools that a step lists, none if it lists none."""
    return tools_of(_within(graph, step))


def _within(graph: Builder, step: str) -> Any:
    return node_within(getattr(graph.nodes[step].runnable, "afunc", None))
