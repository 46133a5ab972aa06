"""The watch on a segment: hears LangChain's callbacks, and notes runs from the allowlist alone."""
# ruff: noqa: ARG002, D102 - the methods are LangChain's, with most of what they are given not looked at

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langgraph.errors import GraphBubbleUp

from graphs import trace_facts as facts
from nodes.agent import LOOK_UP
from nodes.shapes import Json

Kind = Literal["chain", "llm", "tool"]
MOST_RUNS = 500
"""A segment has 60 steps at most; what an agent does beyond this is not told."""

_STEP = "graph:step:"


@dataclass(kw_only=True, slots=True)
class Run:
    """One run of a trace, as it will be sent."""

    id: UUID
    name: str
    kind: Kind
    above: "Run | None" = None
    started_at: datetime
    ended_at: datetime | None = None
    error: str | None = None
    facts: Json = field(default_factory=dict)

    @property
    def order(self) -> str:
        """LangSmith's dotted order: time and id of each run from the root down."""
        own = f"{self.started_at:%Y%m%dT%H%M%S%fZ}{self.id}"
        return own if self.above is None else f"{self.above.order}.{own}"

    @property
    def trace_id(self) -> UUID:
        """The id of the root."""
        return self.id if self.above is None else self.above.trace_id


def run_id(seed: str, at: datetime) -> UUID:
    """A UUID of version 7 from a time and from what it names: the same for the same, unique otherwise."""
    bits = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:10])
    since = int(at.timestamp() * 1000) & (2**48 - 1)
    value = since << 80 | 0x7 << 76 | (bits >> 62 & 0xFFF) << 64 | 0b10 << 62 | bits & (2**62 - 1)
    return UUID(int=value)


class Watch(BaseCallbackHandler):
    """Notes the runs of one segment: its steps, and within an agent's step its calls and look-ups.

    It reads names, times and what `trace_facts` lets through, and waits for nothing. It raises nothing,
    for LangChain would log the text.
    """

    run_inline = True  # on the event loop: noting is faster than any thread would be found

    def __init__(self, root: Run, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._runs = [root]
        self._open: dict[UUID, Run] = {}
        self._within: dict[UUID, Run] = {}
        self._monotonic = monotonic
        self._began = monotonic()

    def ended(self) -> list[Run]:
        """All runs, the root first; those that are still open end now, unfinished."""
        now = self._now()
        for run in self._open.values():
            run.ended_at = now
            run.facts["unfinished"] = True
        self._runs[0].ended_at = now
        return self._runs

    def on_chain_start(
        self,
        serialized: dict[str, Any],
        inputs: dict[str, Any],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        above = self._above(parent_run_id)
        if node := _step(kwargs.get("name"), tags or [], metadata or {}):
            self._begin(run_id, self._note(above, node, "chain", {"node": node}))
        else:  # whatever else runs is part of what runs it
            self._within[run_id] = above

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        if run := self._open.get(run_id):
            run.facts.update(facts.step(outputs))
        elif kwargs.get("parent_run_id") is None:  # the graph itself
            self._runs[0].facts.update(facts.status(outputs))
        self._end(run_id)

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._end(run_id, error)

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        called = facts.model(metadata) | {"ls_model_type": "chat"}
        self._begin(run_id, self._note(self._above(parent_run_id), "model", "llm", called))

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        if (run := self._open.get(run_id)) and (spent := facts.usage(_counted(response))):
            run.facts["usage_metadata"] = spent
        self._end(run_id)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._end(run_id, error)

    def on_custom_event(self, name: str, data: Any, *, run_id: UUID, **kwargs: Any) -> None:
        if name == LOOK_UP:
            tool, told = facts.look_up(data)
            run = self._note(self._above(run_id), tool, "tool", told)
            run.ended_at = run.started_at

    def _now(self) -> datetime:
        return self._runs[0].started_at + timedelta(seconds=self._monotonic() - self._began)

    def _above(self, run_id: UUID | None) -> Run:
        return self._within.get(run_id, self._runs[0]) if run_id else self._runs[0]

    def _note(self, above: Run, name: str, kind: Kind, told: Json) -> Run:
        now, seed = self._now(), f"{self._runs[0].id}/{len(self._runs)}/{name}"
        run = Run(id=run_id(seed, now), name=name, kind=kind, above=above, started_at=now, facts=told)
        if len(self._runs) < MOST_RUNS:
            self._runs.append(run)
        return run

    def _begin(self, run_id: UUID, run: Run) -> None:
        self._open[run_id] = self._within[run_id] = run

    def _end(self, run_id: UUID, error: BaseException | None = None) -> None:
        self._within.pop(run_id, None)
        if run := self._open.pop(run_id, None):
            run.ended_at = self._now()
            if isinstance(error, GraphBubbleUp):  # how LangGraph pauses
                run.facts["outcome"] = "paused"
            elif error is not None:
                run.error = facts.error(error)


def _step(called: Any, tags: list[str], metadata: dict[str, Any]) -> str | None:
    """The node's name, if this is a step of a workflow or of a lane, and not one of an agent's own graph."""
    own = metadata.get("ls_integration") == "langgraph" and any(tag.startswith(_STEP) for tag in tags)
    return facts.name(called) if own and called == metadata.get("langgraph_node") else None


def _counted(response: LLMResult) -> Any:
    """The usage of the one answer; a model gives several only where it is asked to."""
    for generation in (one for several in response.generations for one in several):
        if isinstance(generation, ChatGeneration) and isinstance(generation.message, AIMessage):
            return generation.message.usage_metadata
    return None
