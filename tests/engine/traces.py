"""What tests of traces share: a tracer that goes to a server of the test, and steps found by their name."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

from graphs.settings import Tracing
from graphs.tracing import open_tracer
from graphs.wiring import Parts
from tests.fakes.langsmith_server import Json, LangSmithServer

KEY = "lsv2-canary-key-of-langsmith"
PROJECT = "the-shop"


@asynccontextmanager
async def traced(parts: Parts, url: str) -> AsyncIterator[Parts]:
    """The same parts with traces that go there; when the block ends they are sent, or lost."""
    tracing = Tracing(asked=True, api_key=KEY, endpoint=url, project=PROJECT)
    async with open_tracer(tracing, parts.clock) as tracer:
        yield replace(parts, tracer=tracer)


def root_of(server: LangSmithServer, kind: str) -> Json:
    """The root of the one segment of this kind."""
    (root,) = [root for root in server.roots if told(root)["segment_kind"] == kind]
    return root


def steps(server: LangSmithServer, root: Json) -> dict[str, Json]:
    """The steps of a segment by their node, in order."""
    return {run["name"]: run for run in server.below(root)}


def told(run: Json) -> Json:
    """What a run tells, beside its name and its times."""
    return dict(run["extra"]["metadata"])


def walked(server: LangSmithServer, run: Json) -> Iterator[Json]:
    """A run, and every run below it."""
    yield run
    for child in server.below(run):
        yield from walked(server, child)
