"""The picture of a graph: its steps from top to bottom, and where else each may lead."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from langchain_core.runnables.graph import Graph, Node

from graphs.flow import ENDS, EXCEPTIONS, Builder
from graphs.views.sheet import drawn
from nodes.ask import ask
from nodes.execute import execute
from nodes.gate import gate
from nodes.held import node_within
from nodes.lane import lane
from nodes.propose import propose
from nodes.retrieve import retrieve
from nodes.weigh import weigh

KINDS: Mapping[str, tuple[str, str]] = {
    retrieve.__module__: ("records", "#dbe7f3"),
    ask.__module__: ("agent", "#e6dcf5"),
    propose.__module__: ("proposal", "#e3e6ea"),
    weigh.__module__: ("rules", "#fdecc8"),
    gate.__module__: ("people", "#d5efdb"),
    execute.__module__: ("deed", "#f8d7d3"),
    lane.__module__: ("lanes", "#d8eef0"),
}
"""What a step is, by the module that its node is of, and its colour."""
_OTHER = ("step", "#eceff2")
_STUCK, _START, _END = "stuck", "__start__", "__end__"
_HIGH, _TOP, _LEFT, _WIDE = 46, 12, 150, 210
_TALL = 30


def mermaid(builder: Builder) -> str:
    """The whole graph as Mermaid's text, every edge of it."""
    return builder.compile().get_graph().draw_mermaid()


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a graph: the steps it leads to, and the ends and exceptions."""

    name: str
    kind: str
    colour: str
    to: tuple[str, ...]
    exits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Jump:
    """An edge past other steps, drawn to the left of them, further away the longer it is."""

    top: int
    bottom: int
    away: int


@dataclass(frozen=True, repr=False, slots=True)
class Picture:
    """A graph as its author told it. What only a retry leads to is named below."""

    steps: tuple[Step, ...]
    retried: tuple[str, ...]

    @classmethod
    def of(cls, builder: Builder) -> "Picture":
        """The picture of an uncompiled graph."""
        graph = builder.compile().get_graph()
        to: dict[str, list[str]] = {name: [] for name in graph.nodes}
        for edge in graph.edges:
            to[edge.source].append(edge.target)
        told = _reached(to)
        aside = {_STUCK, _START, _END, *ENDS, *EXCEPTIONS}
        order = [name for name in graph.nodes if name in told - aside]
        retried = [name for name in graph.nodes if name not in told | aside]
        return cls(tuple(_step(graph, name, to[name], order) for name in order), tuple(retried))

    @property
    def height(self) -> int:
        """Of the drawing."""
        return 2 * _TOP + _HIGH * len(self.steps)

    @property
    def boxes(self) -> Iterator[tuple[Step, int, bool]]:
        """Each step, where it begins, and whether it leads to the one below."""
        for place, step in enumerate(self.steps):
            below = self.steps[place + 1].name if place + 1 < len(self.steps) else None
            yield step, _TOP + _HIGH * place, below in step.to

    @property
    def jumps(self) -> Iterator[Jump]:
        """The edges that do not lead to the step below."""
        place = {step.name: number for number, step in enumerate(self.steps)}
        for step in self.steps:
            for target in step.to:
                start, end = place[step.name], place[target]
                if end != start + 1:
                    middle = _TOP + _TALL // 2
                    away = _LEFT - 22 - 16 * min(abs(end - start), 6) - (12 if end < start else 0)
                    yield Jump(middle + _HIGH * start, middle + _HIGH * end, away)

    def _repr_html_(self) -> str:
        measures = {"left": _LEFT, "wide": _WIDE, "tall": _TALL, "gap": _HIGH - _TALL}
        return drawn("picture.html.j2", picture=self, **measures)

    def __repr__(self) -> str:
        lines = [f"{step.name} ({step.kind}) -> {', '.join((*step.to, *step.exits))}" for step in self.steps]
        return "\n".join([*lines, *([f"by a retry: {', '.join(self.retried)}"] if self.retried else [])])


def _reached(to: Mapping[str, list[str]]) -> set[str]:
    """What the beginning leads to, by other ways than a retry."""
    found, left = set[str](), [_START]
    while left:
        name = left.pop()
        if name not in found and name != _STUCK:
            found.add(name)
            left += to.get(name, [])
    return found


def _step(graph: Graph, name: str, to: list[str], order: list[str]) -> Step:
    kind, colour = KINDS.get(_module(graph.nodes[name]), _OTHER)
    inside = tuple(sorted((one for one in to if one in order), key=order.index))
    return Step(name, kind, colour, inside, tuple(one for one in to if one not in order))


def _module(node: Node) -> str:
    """The module of the node that a step is held to."""
    data: Any = node.data
    return str(getattr(node_within(getattr(data, "afunc", None)), "__module__", ""))
