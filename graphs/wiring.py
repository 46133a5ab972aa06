"""The wiring: every implementation is chosen here, and nowhere else."""

import asyncio
import logging
import os
import random
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from uuid_utils.compat import uuid7

from checkpoints.database import Database, open_database, sibling
from checkpoints.embedded import EmbeddedPostgres, embedded_postgres
from checkpoints.errors import DatabaseUnusable
from checkpoints.migrate import migrate, require_migrated
from checkpoints.queue import Queue, queue_app
from graphs.notify import SILENT, Notify, read_notify
from graphs.people import People
from graphs.refund import refund_workflow
from graphs.refund.agents import policy_playbook, triage_playbook
from graphs.retention import USUAL, read_retention
from graphs.rulebook import Rulebook
from graphs.settings import Settings
from graphs.tracing import UNTRACED, Tracer, open_tracer
from nodes.agent import Brain, Playbooks
from nodes.workflow import Workflow
from tools.registry import Capability, Registry
from tools.sandbox import sandbox_tools
from tools.sandbox.database import found, open_sandbox

logger = logging.getLogger(__name__)

DATABASE = "countersign"
SANDBOX = "countersign_sandbox"
_WATCH_SECONDS = 1

Clock = Callable[[], datetime]
Ids = Callable[[], str]
Chance = Callable[[], float]


def new_secret() -> str:
    """64 hex digits that nobody can guess."""
    return secrets.token_hex(32)


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """The parts of a running Countersign, chosen and opened."""

    database: Database
    queue: Queue
    registry: Registry
    capability: Capability
    workflows: Mapping[str, Workflow]
    rulebook: Rulebook
    brain: Brain
    people: People
    clock: Clock
    ids: Ids
    chance: Chance = random.random
    secret: Callable[[], str] = new_secret
    notify: Notify = SILENT
    retention: Mapping[str, timedelta] = field(default_factory=lambda: {"": USUAL})
    tracer: Tracer = UNTRACED

    def workflow_of(self, event_type: str) -> Workflow | None:
        """The workflow that an event of this type starts."""
        return next((w for w in self.workflows.values() if w.event_type == event_type), None)


def utc_now() -> datetime:
    """The time, UTC-aware."""
    return datetime.now(UTC)


def new_id() -> str:
    """A UUID version 7: unique, and sorted by the time it was made."""
    return str(uuid7())


@asynccontextmanager
async def open_parts(
    settings: Settings, *, clock: Clock = utc_now, ids: Ids = new_id
) -> AsyncIterator[Parts]:
    """Open everything; raises DatabaseUnusable, PostgresUnavailable or TracingUnfit with one clear line."""
    async with AsyncExitStack() as stack:
        tracer = await stack.enter_async_context(open_tracer(settings.tracing, clock))
        url, sandbox_url = await stack.enter_async_context(addresses(settings))
        database = await stack.enter_async_context(open_database(url))
        if settings.database_url is None:
            await migrate(database)
        else:
            await require_migrated(database)
        sandbox = await stack.enter_async_context(open_sandbox(sandbox_url, clock=clock))
        await found(sandbox, as_of=clock())
        registry = Registry(sandbox_tools(sandbox))
        refund = refund_workflow()
        rulebook = Rulebook(database)
        await rulebook.adopt_shipped([refund], clock())
        yield Parts(
            database=database,
            queue=Queue(queue_app(database.conninfo)),
            registry=registry,
            capability=registry.hand_over(),
            workflows={refund.name: refund},
            rulebook=rulebook,
            brain=choose_brain(settings.model),
            people=People(settings.people_file, clock),
            clock=clock,
            ids=ids,
            retention=read_retention(settings.retention_file),
            notify=read_notify(settings.notify_file, os.environ, [refund.name]),
            tracer=tracer,
        )


@asynccontextmanager
async def addresses(settings: Settings) -> AsyncIterator[tuple[str, str]]:
    """The addresses of our database and of the sandbox's, on the embedded server unless one is set."""
    if settings.database_url is not None:
        yield settings.database_url, settings.sandbox_url or sibling(settings.database_url, SANDBOX)
        return
    async with embedded_postgres(settings.home / "postgres") as server, kept_running(server):
        await server.create_database(DATABASE)
        await server.create_database(SANDBOX)
        yield server.url(DATABASE), settings.sandbox_url or server.url(SANDBOX)


@asynccontextmanager
async def kept_running(server: EmbeddedPostgres) -> AsyncIterator[None]:
    """Start the embedded server again, for as long as the block lasts, whenever somebody killed it."""

    async def watch() -> None:
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            try:
                await server.ensure_running()
            except DatabaseUnusable as error:
                logger.warning("the embedded database does not come back: %s", error)

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.wait({watching})


def choose_brain(model: str | None) -> Brain:
    """The model that is configured, else the playbooks."""
    if model is None:
        return Playbooks({"triage": triage_playbook, "policy": policy_playbook})
    from langchain.chat_models import init_chat_model

    from nodes.model_brain import ModelBrain

    return ModelBrain(init_chat_model(model, temperature=0), model)
