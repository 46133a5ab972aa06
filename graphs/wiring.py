"""The wiring: every implementation is chosen here, and nowhere else."""

import asyncio
import os
import random
import secrets
from collections.abc import AsyncIterator, Callable, Container, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from checkpoints.application_role import Standing
from checkpoints.database import Database, open_database
from checkpoints.log_key import read_signer, signer_at
from checkpoints.migrate import require_migrated
from checkpoints.notes import Signer
from checkpoints.queue import Queue, queue_app
from graphs.addresses import addresses, bring_up, warned
from graphs.anchor_places import read_anchors
from graphs.catalogue import find_kits
from graphs.clock import Clock, Ids, new_id, utc_now
from graphs.closed_world import require_closed
from graphs.companies import Company, sandbox_company
from graphs.configuration import ConfigurationRecord, settled
from graphs.connectors import ConnectorRecord, asking
from graphs.meter import Meter, known_names
from graphs.notify import SILENT, Notify, read_notify
from graphs.outside import NOBODY, Outside
from graphs.people import People
from graphs.provenance import require_provenance
from graphs.retention import USUAL, read_retention
from graphs.rule_of_two import require_rule_of_two
from graphs.rulebook import Rulebook
from graphs.settings import (
    USUAL_OF_A_PRINCIPAL,
    USUAL_OF_AN_ADDRESS,
    USUAL_PRUNING,
    Rate,
    Settings,
    SettingUnfit,
)
from graphs.tools_file import ToolsFileUnfit, read_tools
from graphs.tracing import UNTRACED, Tracer, open_tracer
from graphs.trigger_file import NO_TRIGGERS, Triggers, read_triggers
from graphs.waiting_room import WaitingRoom
from nodes.agent import Brain, Playbooks
from nodes.reversing import held_to_tools
from nodes.shapes import Json
from nodes.workflow import Workflow
from tools.anchors.anchor import Anchor
from tools.breakers import Breakers
from tools.contract import Tool
from tools.persistence import Persistence, Sleep
from tools.registry import Capability, Registry

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
    signer: Signer
    clock: Clock
    ids: Ids
    breakers: Breakers
    sleep: Sleep = asyncio.sleep
    chance: Chance = random.random
    secret: Callable[[], str] = new_secret
    notify: Notify = SILENT
    retention: Mapping[str, timedelta] = field(default_factory=lambda: {"": USUAL})
    prune_after: timedelta = USUAL_PRUNING
    triggers: Triggers = NO_TRIGGERS
    tracer: Tracer = UNTRACED
    meter: Meter = field(default_factory=Meter)
    outside: Outside = NOBODY
    anchors: tuple[Anchor, ...] = ()
    principal_rate: Rate = USUAL_OF_A_PRINCIPAL
    address_rate: Rate = USUAL_OF_AN_ADDRESS
    room: WaitingRoom
    seats: Mapping[str, int] = field(default_factory=dict)

    def configuration(self) -> ConfigurationRecord:
        """What tells the log how Countersign is configured."""
        return ConfigurationRecord(self.database, self.people, self.clock, self.ids)

    async def renew_tools(self) -> None:
        """Let the registry have the tools from outside that are admitted now, by whichever process."""
        await self.outside.renew(self.database, self.registry, self.capability)

    def workflow_of(self, event_type: str) -> Workflow | None:
        """The workflow that an event of this type starts."""
        return next((w for w in self.workflows.values() if w.event_type == event_type), None)


@asynccontextmanager
async def open_parts(
    settings: Settings,
    *,
    company: Company = sandbox_company,
    clock: Clock = utc_now,
    ids: Ids = new_id,
    sleep: Sleep = asyncio.sleep,
) -> AsyncIterator[Parts]:
    """Open everything, in front of a company: the sandbox's, unless another one brings its tools.

    Raises:
        DatabaseUnusable, PostgresUnavailable, LogKeyUnfit, AnchorUnfit, TracingUnfit, KitUnfit, TableUnfit,
            WorkflowUnfit, NotifyFileUnfit, TriggersFileUnfit, ToolsFileUnfit: each with one clear line.
    """
    signer = signer_of(settings)
    anchors = read_anchors(settings.anchors, settings.anchor_private)
    async with AsyncExitStack() as stack:
        tracer = await stack.enter_async_context(open_tracer(settings.tracing, clock))
        where = await stack.enter_async_context(addresses(settings))
        if settings.database_url is None:
            await bring_up(where)
        database = await stack.enter_async_context(open_database(where.ours))
        await require_migrated(database)
        standing = await warned(database)
        breakers = Breakers(clock, ConnectorRecord(database, clock, ids))
        own = await stack.enter_async_context(company(where.sandbox, clock))
        tools = await _offered(settings, own, database, asking(sleep, random.random), breakers)
        workflows = {
            kit.name: proven(kit.workflow(), tools.registry) for kit in find_kits(settings.workflows)
        }
        meter = Meter(known_names(workflows, tools.own))
        tools.registry.watched_by(tools.capability, meter.call)
        rulebook = Rulebook(database)
        await rulebook.adopt_shipped(workflows.values(), clock())
        parts = Parts(
            database=database,
            queue=Queue(queue_app(database.conninfo)),
            registry=tools.registry,
            capability=tools.capability,
            workflows=workflows,
            rulebook=rulebook,
            brain=choose_brain(settings.model, breakers),
            people=People(settings.people_file, clock),
            signer=signer,
            clock=clock,
            ids=ids,
            breakers=breakers,
            sleep=sleep,
            retention=read_retention(settings.retention_file),
            prune_after=settings.prune_after,
            notify=read_notify(settings.notify_file, os.environ, list(workflows)),
            triggers=read_triggers(settings.triggers_file, os.environ, workflows),
            tracer=tracer,
            meter=meter,
            outside=tools.outside,
            anchors=anchors,
            principal_rate=settings.principal_rate,
            address_rate=settings.address_rate,
            room=WaitingRoom(settings.room, database, clock),
            seats=_seats(settings, workflows),
        )
        await parts.configuration().opened(workflows, _running(parts, settings.model, standing))
        yield parts


@dataclass(frozen=True, kw_only=True, slots=True)
class _Offered:
    """The tools there are: in one registry, with who may call them; whose systems are outside; our own."""

    registry: Registry
    capability: Capability
    outside: Outside
    own: frozenset[str]


async def _offered(
    settings: Settings,
    tools: Iterable[Tool],
    database: Database,
    persistence: Persistence,
    breakers: Breakers,
) -> _Offered:
    outside = read_tools(settings.tools_file, os.environ)
    registry = registry_of(tools, outside, persistence, breakers, settings.lines)
    own = frozenset(tool.name for tool in registry)
    capability = registry.hand_over()
    await outside.renew(database, registry, capability)
    return _Offered(registry=registry, capability=capability, outside=outside, own=own)


def _running(parts: Parts, model: str | None, standing: Standing) -> Json:
    """With what this process runs, for the record."""
    return settled(
        model=model,
        notify=parts.notify,
        triggers=parts.triggers,
        workflows=parts.workflows,
        standing=standing,
        retention=parts.retention,
        outside=parts.outside,
    )


def _seats(settings: Settings, workflows: Container[str]) -> Mapping[str, int]:
    """How many cases of which workflow may be worked on at once; raises SettingUnfit for one nobody knows."""
    for workflow in settings.seats:
        if workflow not in workflows:
            raise SettingUnfit(f"COUNTERSIGN_SEATS: there is no workflow {workflow}")
    return settings.seats


def registry_of(
    own: Iterable[Tool],
    outside: Outside,
    persistence: Persistence,
    breakers: Breakers,
    lines: int,
) -> Registry:
    """The registry with our own tools; those of systems outside come in as they are admitted.

    Raises:
        ToolsFileUnfit: a system outside is called as one of ours.
    """
    try:
        tools, providers = (*own, *outside.sources), list(outside.providers)
        return Registry(tools, persistence, breakers, outside=providers, lines=lines)
    except ValueError as error:
        raise ToolsFileUnfit(f"the tools file: {error}") from error


def proven(workflow: Workflow, registry: Registry) -> Workflow:
    """The workflow, if its graph is closed, its words are listed, its roles are bearable and its tables fit.

    Raises:
        OpenWorld, WorkflowUnfit, TableUnfit.
    """
    require_closed(workflow.name, workflow.build(), workflow.rulings)
    require_provenance(workflow, registry)
    require_rule_of_two(workflow, registry)
    return held_to_tools(workflow, registry)


def signer_of(settings: Settings) -> Signer:
    """Who signs the audit log's heads; a key that is configured is read, one at home also made.

    Raises:
        LogKeyUnfit: the key is not there, or cannot be used.
    """
    return signer_at(settings.home / "log.key") if settings.log_key is None else read_signer(settings.log_key)


def choose_brain(model: str | None, breakers: Breakers) -> Brain:
    """The model that is configured, else the playbooks."""
    if model is None:
        return Playbooks()
    from langchain.chat_models import init_chat_model

    from nodes.guarded_brain import GuardedBrain
    from nodes.model_brain import ModelBrain

    return GuardedBrain(ModelBrain(init_chat_model(model, temperature=0), model), breakers)
