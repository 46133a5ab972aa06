"""A flow: a governed graph as it is put together, step by step, with its exceptions and its ends."""

from collections.abc import Mapping
from typing import Any

from langgraph.graph import END, START, StateGraph

from nodes.ask import Node
from nodes.context import Context
from nodes.execute import execute, settle
from nodes.gate import gate
from nodes.held import held
from nodes.lane import DONE, lane
from nodes.leave import leave
from nodes.listed import listed
from nodes.state import CaseState, route
from nodes.stuck import retry, stuck
from nodes.weigh import weigh

Builder = StateGraph[CaseState, Context, CaseState, CaseState]

EXCEPTIONS = ("uncertain", "blocked", "failed", "escalated", "waiting_info")
"""Where a case stands still until somebody, or time, finds a way out."""
ENDS = ("closed", "rejected")


class Flow:
    """A graph of steps; each says by its outcome where the case goes.

    Routes lead to steps, to `EXCEPTIONS` and to `ENDS`, which every flow has.
    """

    def __init__(self) -> None:
        self.graph: Builder = StateGraph(CaseState, context_schema=Context)
        self._begun = False
        self._again: dict[str, str] = {}
        self._nodes: dict[str, Node] = {}
        self._to: dict[str, tuple[Mapping[str, str] | str, str]] = {}
        self._was: dict[str, str] = {}

    def step(
        self,
        name: str,
        node: Node,
        to: Mapping[str, str] | str,
        *,
        otherwise: str = "blocked",
        again: str | None = None,
        was: tuple[str, ...] = (),
    ) -> None:
        """Add a step; the first one is where the flow begins.

        Args:
            name: the step's.
            node: what it does.
            to: the step after it, or one for each outcome.
            otherwise: where any other outcome leads.
            again: the step from which a case that cannot go on here is tried again; this one if not given.
            was: names that the step had in earlier versions: cases that wait in it go on here.
        """
        self._nodes[name], self._to[name] = node, (to, otherwise)
        self._lead(name, name)
        if not self._begun:
            self.graph.add_edge(START, name)
            self._begun = True
        self._again[name] = again or name
        for old in was:
            self.renamed(old, name)

    def renamed(self, old: str, name: str) -> None:
        """Say that a step was called otherwise in an earlier version; also for the steps of a deed.

        No route leads to the old name: only a case that waits under it goes on from there.
        """
        self._was[old] = name

    def deed(
        self,
        name: str,
        *tools: str,
        then: str,
        judge: str = "",
        gate_: str | None = "",
        settle_: str = "",
        refused: str = "rejected",
        declined: str = "rejected",
    ) -> None:
        """Judge what the step before has proposed, let those sign who must, and do exactly that.

        If the facts moved meanwhile it is judged again. A deed that was begun is looked up, and nothing is
        begun by that: to a deed there is no way but through its judge.

        Args:
            name: the step that does it.
            tools: what it does; a proposal of any other tool is neither judged nor done here.
            then: where to go when it is done.
            judge: the name of the judging step, to which the step before leads; `judge_NAME` if not given.
            gate_: the name of the step that waits for people; None where the rules never ask any.
            settle_: the name of the step that looks a begun deed up.
            refused: where the rules' refusal leads.
            declined: where people's rejection leads.
        """
        judge = judge or f"judge_{name}"
        gate_ = f"gate_{name}" if gate_ == "" else gate_
        settle_ = settle_ or f"settle_{name}"
        done = {"done": then, "changed": judge, "failed": "failed", "unknown": "uncertain"}
        asked = {} if gate_ is None else {"review": gate_}
        self.step(
            judge, listed(weigh, tools), {"allow": name, "refuse": refused, **asked}, otherwise="escalated"
        )
        if gate_ is not None:
            answers = {"approved": name, "superseded": judge, "blocked": "blocked"}
            self.step(gate_, gate, answers, otherwise=declined, again=judge)
        self.step(name, listed(execute, tools), done, again=settle_)
        self.step(settle_, listed(settle, tools), done)

    def built(self) -> Builder:
        """The uncompiled graph; whoever runs it compiles it with a checkpointer."""
        for end in ENDS:
            self.graph.add_node(end, held(leave(end)), input_schema=CaseState)
            self.graph.add_edge(end, END)
        for old, name in self._was.items():
            self._lead(old, name)
            for end in sorted(end for start, end in self.graph.edges if start == name):
                self.graph.add_edge(old, end)
        again = self._again | {old: self._again[name] for old, name in self._was.items()}
        self.graph.add_node("stuck", held(stuck(again)))
        self.graph.add_conditional_edges("stuck", *retry(again, otherwise="escalated"))
        for exception in EXCEPTIONS:
            self.graph.add_node(exception, held(leave(exception)), input_schema=CaseState)
            self.graph.add_edge(exception, "stuck")
        return self.graph

    def _lead(self, name: str, like: str) -> None:
        """Add a step of this name that does what another one does, and leads where that one leads."""
        to, otherwise = self._to[like]
        self.graph.add_node(name, held(self._nodes[like]), input_schema=CaseState)
        if isinstance(to, str):
            self.graph.add_edge(name, to)
        else:
            self.graph.add_conditional_edges(name, *route(to, otherwise=otherwise))


def signed_lane(name: str, propose: Node, *tools: str) -> Node:
    """A lane for one action: proposed, judged, signed by whom the rules ask, and done.

    Beside others of its kind it waits for its own people. What is not done ends the lane with its outcome;
    `meet` tells the flow.
    """
    steps: Builder = StateGraph(CaseState, context_schema=Context)
    nodes: dict[str, tuple[Any, dict[str, str]]] = {
        "propose": (propose, {"ready": "judge"}),
        "judge": (listed(weigh, tools), {"allow": "do", "review": "gate"}),
        "gate": (gate, {"approved": "do", "superseded": "judge"}),
        "do": (listed(execute, tools), {"changed": "judge", DONE: END}),
    }
    for step, (node, to) in nodes.items():
        steps.add_node(step, held(node), input_schema=CaseState)
        steps.add_conditional_edges(step, *route(to, otherwise=END))
    steps.add_edge(START, "propose")
    return lane(name, steps)
