"""Tracing: what LangSmith is told of each segment. Chosen by the wiring; LangChain's own tracer stays off."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from urllib.parse import urlsplit

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.utils.env import env_var_is_set
from langsmith.run_helpers import tracing_context

from checkpoints.cases import EXCEPTIONAL, Case, Status
from checkpoints.commands import Command
from checkpoints.errors import GraphLacksStep
from checkpoints.worker import Drained
from graphs import trace_facts as facts
from graphs.settings import Tracing
from graphs.trace_post import Post, TracingUnfit
from graphs.trace_watch import Run, Watch, run_id
from nodes.shapes import Json

PAUSED = "paused"

FLUSH_SECONDS = 2.0
"""How long a shutdown waits for traces."""


@dataclass(slots=True)
class Segment:
    """What a trace learns of a segment from whoever runs it.

    Attributes:
        callbacks: those of the graph's run.
        outcome: `paused`, `ended`, `drained`, `halted` or `refused`.
        status: where the case stands, if the graph does not say so itself.
        failure: why it was stopped.
    """

    callbacks: list[BaseCallbackHandler] = field(default_factory=list)
    outcome: str | None = None
    status: Status | None = None
    failure: BaseException | None = None


class Tracer(Protocol):
    """Where traces go.

    Attributes:
        where: one line about it, for start-up.
    """

    @property
    def where(self) -> str:
        """One line about it, for start-up."""

    def segment(self, command: Command, case: Case) -> AbstractContextManager[Segment]:
        """Trace what is done in the block as one segment; never fails, and never waits."""


@dataclass(frozen=True, slots=True)
class Untraced:
    """Traces go nowhere."""

    why: str = ""

    @property
    def where(self) -> str:
        """One line about it, for start-up."""
        return f"Tracing is off{self.why}."

    @contextmanager
    def segment(self, command: Command, case: Case) -> Iterator[Segment]:  # noqa: ARG002 - as every tracer
        """Nothing is noted, and nothing is sent by LangChain either."""
        with tracing_context(enabled=False, parent=False):
            yield Segment()


UNTRACED = Untraced()


@dataclass(frozen=True, slots=True)
class LangSmithTracer:
    """Sends each segment to LangSmith as one trace, whole, when it has ended."""

    tracing: Tracing
    post: Post
    clock: Callable[[], datetime]

    @property
    def where(self) -> str:
        """One line about it, for start-up."""
        at = urlsplit(self.tracing.endpoint)  # without a user or a password
        place = f"{at.scheme}://{at.netloc.rpartition('@')[2]}{at.path}"
        return f"Traces go to {place}, project {self.tracing.project}."

    @contextmanager
    def segment(self, command: Command, case: Case) -> Iterator[Segment]:
        """Note the segment's runs; its trace is the same for the same beginning at the same time."""
        at = self.clock()
        seed = f"{case.id}/{command.id}/{case.head}"
        root = Run(
            id=run_id(seed, at), name=facts.name(case.workflow) or "workflow", kind="chain", started_at=at
        )
        watch = Watch(root)
        segment = Segment(callbacks=[watch])
        with tracing_context(enabled=False, parent=False):
            try:
                yield segment
            except BaseException as error:  # noted, and raised again as it is
                segment.failure = segment.failure or error
                raise
            finally:
                _conclude(root, segment)
                self.post.send([self._sent(run, _about(command, case)) for run in watch.ended()])

    def _sent(self, run: Run, about: Json) -> Json:
        """A run as LangSmith takes it: no inputs, and for outputs what the allowlist let through."""
        return {
            "id": run.id,
            "trace_id": run.trace_id,
            "parent_run_id": run.above.id if run.above else None,
            "dotted_order": run.order,
            "name": run.name,
            "run_type": run.kind,
            "session_name": self.tracing.project,
            "start_time": run.started_at,
            "end_time": run.ended_at,
            "error": run.error,
            "inputs": {},
            "outputs": dict(run.facts),
            "extra": {"metadata": {**about, **run.facts}},
        }


@asynccontextmanager
async def open_tracer(tracing: Tracing, clock: Callable[[], datetime]) -> AsyncIterator[Tracer]:
    """The tracer that is configured; raises TracingUnfit with one clear line.

    When the block ends, what is not yet sent gets `FLUSH_SECONDS`.
    """
    _require_modern()
    if not tracing.asked or tracing.api_key is None:
        yield Untraced(": LANGSMITH_API_KEY is not set" if tracing.asked else "")
        return
    _require_address(tracing.endpoint)
    post = Post(tracing)
    try:
        yield LangSmithTracer(tracing, post, clock)
    finally:
        await asyncio.to_thread(post.close, FLUSH_SECONDS)


def _require_modern() -> None:
    """Raise TracingUnfit where LangChain would refuse to run anything, and so fail every case."""
    for name in ("LANGCHAIN_TRACING", "LANGCHAIN_HANDLER"):
        if env_var_is_set(name):
            raise TracingUnfit(
                f"{name} is of an older LangChain: unset it, and set LANGSMITH_TRACING instead"
            )


def _require_address(endpoint: str) -> None:
    """Raise TracingUnfit, without quoting it, for what is no address: there may be a password in it."""
    try:
        at = urlsplit(endpoint)
        fits = at.scheme in {"http", "https"} and bool(at.hostname) and at.port != 0
    except ValueError:
        fits = False
    if not fits:
        raise TracingUnfit("LANGSMITH_ENDPOINT is no address that begins with https:// or http://")


def _about(command: Command, case: Case) -> Json:
    """What every run of a segment carries; LangSmith makes one thread of what has one thread_id."""
    return {
        "thread_id": case.id,
        "session_id": case.id,
        "workflow": facts.name(case.workflow),
        "workflow_version": facts.name(case.workflow_version),
        "segment": command.id,
        "segment_kind": command.kind.value,
    }


def _conclude(root: Run, segment: Segment) -> None:
    """What the segment came to, on the root of its trace."""
    status, outcome = segment.status, segment.outcome
    match segment.failure:
        case None:
            pass
        case Drained():
            outcome = "drained"
        case GraphLacksStep():
            outcome = "refused"
        case failure:
            root.error, outcome = facts.error(failure), "failed"
    if outcome == PAUSED and root.facts.get("status") not in EXCEPTIONAL:  # there it waits for a way out
        status = Status.WAITING_REVIEW
    root.facts.update({"outcome": outcome} if outcome else {}, **({"status": status.value} if status else {}))
