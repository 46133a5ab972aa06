"""The meter: what this process has done since it started, as Prometheus counters and histograms.

A label is a word that our own code or configuration has: whatever else comes along is counted as `other`.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Histogram

from checkpoints.worker import Drained
from graphs.tracing import Segment
from nodes.agent import AgentRole, AgentUncertain, Brain, LookUp, Thought
from nodes.shapes import Json
from nodes.workflow import Workflow
from tools.contract import OutcomeUnknown, ToolError, ToolRefused, ToolUnavailable

OTHER = "other"
"""The label of whatever is not among the known words."""
_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_ENDS = frozenset({"paused", "ended", "halted", "blocked", "failed"})
_USED = ("input_tokens", "output_tokens")


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """The words that may be labels."""

    workflows: frozenset[str] = frozenset()
    agents: frozenset[str] = frozenset()
    tools: frozenset[str] = frozenset()


def known_names(workflows: Mapping[str, Workflow], tools: frozenset[str]) -> Known:
    """The names of what this process has loaded; `tools` are its own: what is outside chooses its names."""
    agents = {name for workflow in workflows.values() for name in workflow.agents}
    return Known(workflows=frozenset(workflows), agents=frozenset(agents), tools=tools)


def label(word: str | None, known: frozenset[str]) -> str:
    """The word, if it is a known one."""
    return word if word in known else OTHER


@dataclass(slots=True)
class _Series:
    """The series of one process, in a registry of their own."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    requests: Counter = field(init=False)
    request_seconds: Histogram = field(init=False)
    segments: Histogram = field(init=False)
    calls: Histogram = field(init=False)
    answers: Counter = field(init=False)
    model_calls: Counter = field(init=False)
    model_tokens: Counter = field(init=False)

    def __post_init__(self) -> None:
        here = self.registry
        self.requests = Counter(
            "countersign_requests",
            "Requests answered, by route template.",
            ["method", "route", "status"],
            registry=here,
        )
        self.request_seconds = Histogram(
            "countersign_request_seconds",
            "Time until the head of the answer.",
            ["route"],
            registry=here,
            buckets=_SECONDS,
        )
        self.segments = Histogram(
            "countersign_segment_seconds",
            "Segments of cases, by what they came to.",
            ["workflow", "outcome"],
            registry=here,
            buckets=_SECONDS,
        )
        self.calls = Histogram(
            "countersign_connector_call_seconds",
            "Calls of tools, by what they came to.",
            ["tool", "outcome"],
            registry=here,
            buckets=_SECONDS,
        )
        self.answers = Counter(
            "countersign_agent_answers",
            "What agents were asked for, by whether they knew.",
            ["agent", "outcome"],
            registry=here,
        )
        self.model_calls = Counter(
            "countersign_model_calls", "Calls of a model; a playbook makes none.", ["agent"], registry=here
        )
        self.model_tokens = Counter(
            "countersign_model_tokens",
            "Tokens that models read and wrote.",
            ["agent", "direction"],
            registry=here,
        )


class Meter:
    """Counts what this process does; nothing in it can fail what it counts."""

    def __init__(self, known: Known | None = None) -> None:
        self.known = known or Known()
        self._series = _Series()

    @property
    def registry(self) -> CollectorRegistry:
        """The process's series."""
        return self._series.registry

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer; method and route are those of our own table of routes."""
        self._series.requests.labels(method, route, str(status)).inc()
        self._series.request_seconds.labels(route).observe(seconds)

    @contextmanager
    def segment(self, workflow: str, traced: Segment) -> Iterator[None]:
        """Count the segment that runs in the block, by what its trace says that it came to."""
        began, outcome = time.monotonic(), "put_back"
        try:
            yield
            outcome = label(traced.status or traced.outcome, _ENDS)
        except Drained:
            outcome = "drained"
            raise
        finally:
            named = label(workflow, self.known.workflows)
            self._series.segments.labels(named, outcome).observe(time.monotonic() - began)

    @contextmanager
    def call(self, tool: str) -> Iterator[None]:
        """Count the call of a tool that is made in the block."""
        began, outcome = time.monotonic(), "broken_off"
        try:
            yield
            outcome = "done"
        except ToolError as error:
            outcome = _call_failed(error)
            raise
        finally:
            named = label(tool, self.known.tools)
            self._series.calls.labels(named, outcome).observe(time.monotonic() - began)

    def counting(self, brain: Brain) -> Brain:
        """The same brain, with what it is asked and what it spends counted."""
        return _Counted(brain, self)

    def answered(self, agent: str, outcome: str, usage: Mapping[str, int]) -> None:
        """Count an agent's answer, and the calls and tokens that its model took."""
        named = label(agent, self.known.agents)
        self._series.answers.labels(named, outcome).inc()
        if calls := usage.get("model_calls", 0):
            self._series.model_calls.labels(named).inc(calls)
            for used in _USED:
                direction = used.partition("_")[0]
                self._series.model_tokens.labels(named, direction).inc(usage.get(used, 0))


def _call_failed(error: ToolError) -> str:
    match error:
        case ToolRefused():
            return "refused"
        case OutcomeUnknown():
            return "unknown"
        case ToolUnavailable():
            return "unavailable"
        case _:
            return "failed"


@dataclass(frozen=True, slots=True)
class _Counted:
    """A brain whose answers are counted."""

    brain: Brain
    meter: Meter

    async def think(self, role: AgentRole, view: Json, look_ups: tuple[LookUp, ...]) -> Thought:
        """As the brain does."""
        try:
            thought = await self.brain.think(role, view, look_ups)
        except AgentUncertain as uncertain:
            self.meter.answered(role.name, "uncertain", uncertain.usage)
            raise
        self.meter.answered(role.name, "answered", thought.usage)
        return thought
