"""Intake: an event becomes a case, a command and a job in one transaction, once."""

from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from pydantic import ValidationError

from checkpoints.audit import Event, tell, told
from checkpoints.cases import Case, Status, add_case, case_of_event, get_case, get_cases
from checkpoints.commands import Command, CommandKind
from checkpoints.database import Transaction
from checkpoints.exceptions import INFORMED, get_standstill, standstill_of
from checkpoints.rule_tables import tables_in_force
from checkpoints.sealing import Seal, keep_in
from graphs.judging import reader_of
from graphs.standstills import set_going
from graphs.wiring import Parts
from nodes.event import EventRefused
from nodes.permissions import Kind, Principal
from nodes.sealing import sealed
from nodes.workflow import Workflow
from tools.contract import ToolNotAdmitted, ToolRefused

WITHIN = "/cases/"
RESERVED = ("/triggers/", "/schedules/", WITHIN)
"""Sources of our own: who could send under them could take the place of a tick, a row or a child case."""
NEWS = "com.countersign.case.informed"
"""The type of an event that tells the case in its `subject` that there is news outside; it carries none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CloudEvent:
    """The envelope of an event, CloudEvents 1.0; `(source, id)` names it.

    Attributes:
        parent: the case that sends it, if one does: an extension of the envelope.
        subject: what it is about; of news the case that may be waiting for it.
    """

    id: str
    source: str
    type: str
    data: Any
    parent: str | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes events in."""

    parts: Parts

    async def receive(
        self, event: CloudEvent, principal: Principal, *, attempt: str | None = None
    ) -> tuple[Case, bool]:
        """The case of this event, and whether it is new.

        Args:
            event: the event.
            principal: who sends it.
            attempt: the id of its refusal, if it is refused, for whoever may try the same again: it is on the
                record once.

        Raises:
            EventRefused: unknown type, data that does not fit, or records of somebody else. The refusal is
                on the record.
            NoRoom: too many cases wait to be begun; nothing was stored.
        """
        if event.type == NEWS:
            return await self._news(event, principal, attempt)
        async with self.parts.database.transaction() as tx:
            if (known := await case_of_event(tx, event.source, event.id)) is not None:
                return known, False
        try:
            workflow = self._workflow(event)
            if not event.source.startswith(WITHIN):  # what a case opens is its own work that goes on
                await self.parts.room.take_place(workflow.name)
            data = fitting(workflow, event.data)
            depth = await self._depth(workflow, event, principal)
            await self.parts.renew_tools()
            await self._check_scope(workflow, data)
        except EventRefused as refused:
            await self.record_refusal(event, principal, refused, attempt=attempt)
            raise
        async with self.parts.database.transaction() as tx:
            return await self._open(tx, workflow, event, data, principal, depth=depth)

    async def _news(self, event: CloudEvent, principal: Principal, attempt: str | None) -> tuple[Case, bool]:
        """Tell a case that there is news: if it waits for somebody outside, it looks again; once an event."""
        name = str(uuid5(NAMESPACE_URL, f"news/{event.source}/{event.id}"))
        async with self.parts.database.transaction() as tx:
            case = (await get_cases(tx, [event.subject or ""])).get(event.subject or "")
            if case is not None and may_name(case, principal):
                case = await get_case(tx, case.id, lock=True)
                if await told(tx, name):
                    return case, False
                data = {"source": event.source, "id": event.id}
                at, actor = self.parts.clock(), principal.actor
                news = Event(id=name, case_id=case.id, kind=INFORMED, actor=actor, at=at, data=data)
                await tell(tx, news)
                found = await standstill_of(tx, case.id)
                if found is not None and found.status is Status.WAITING_INFO and found.retryable:
                    found = await get_standstill(tx, found.id, lock=True)
                    await set_going(tx, self.parts, found, principal.actor)
                return await get_case(tx, case.id), True
        refused = EventRefused("unknown_case", "subject: there is no such case that you may tell of news")
        await self.record_refusal(event, principal, refused, attempt=attempt)
        raise refused

    async def _depth(self, workflow: Workflow, event: CloudEvent, principal: Principal) -> int:
        """How many cases will stand above the new one; only who opened or may read a case can name it."""
        if event.parent is None:
            return 0
        async with self.parts.database.transaction() as tx:
            parent = (await get_cases(tx, [event.parent])).get(event.parent)
        if parent is None or not may_name(parent, principal):
            raise EventRefused("unknown_parent", "there is no such case that you may name as the parent")
        if parent.depth >= workflow.limits.case.depth:
            most = workflow.limits.case.depth
            raise EventRefused("limit_depth", f"no more than {most} cases stand above one")
        return parent.depth + 1

    def _workflow(self, event: CloudEvent) -> Workflow:
        workflow = self.parts.workflow_of(event.type)
        if workflow is None:
            known = ", ".join(sorted(w.event_type for w in self.parts.workflows.values()))
            raise EventRefused("unknown_workflow", f"no workflow starts on {event.type!r}; known: {known}")
        return workflow

    async def _check_scope(self, workflow: Workflow, data: dict[str, Any]) -> None:
        reader = reader_of(self.parts, workflow, Seal("", self.parts.secret(), self.parts.clock))
        try:
            strangers = reader.out_of_scope(await reader.records({"event": data}))
        except ToolNotAdmitted:  # that says nothing of the event: it may come again
            raise
        except ToolRefused as refused:
            raise EventRefused(refused.reason, str(refused)) from refused
        if strangers:
            raise EventRefused("out_of_scope", "; ".join(strangers))

    async def _open(
        self,
        tx: Transaction,
        workflow: Workflow,
        event: CloudEvent,
        data: dict[str, Any],
        principal: Principal,
        *,
        depth: int,
    ) -> tuple[Case, bool]:
        now, fitted = self.parts.clock(), workflow.event.model_validate(data)
        seal = Seal(self.parts.ids(), self.parts.secret(), self.parts.clock)
        case = Case(
            id=seal.case_id,
            workflow=workflow.name,
            workflow_version=workflow.version,
            event_source=event.source,
            event_id=event.id,
            event=sealed(fitted, seal, "event"),
            rules=await tables_in_force(tx, workflow.name),
            title=workflow.title(fitted),
            opened_by=principal.actor,
            sealing_key=seal.key,
            parent_id=event.parent,
            depth=depth,
            status=Status.RECEIVED,
            created_at=now,
            updated_at=now,
        )
        if not await add_case(tx, case):
            known = await case_of_event(tx, event.source, event.id)
            assert known is not None
            return known, False
        await keep_in(tx, seal)
        command = Command(
            id=self.parts.ids(),
            case_id=case.id,
            kind=CommandKind.START,
            dedupe_key=f"event:{case.id}",
            payload={},
            created_at=now,
        )
        await self.parts.queue.enqueue(tx, command)
        await tell(tx, _received(case, event, principal))
        return case, True

    async def note_malformed(self, principal: Principal, message: str) -> None:
        """Put on the record that somebody sent what is no event at all."""
        await self._note(principal, reason="malformed", message=message)

    async def record_refusal(
        self, event: CloudEvent, principal: Principal, refused: EventRefused, *, attempt: str | None = None
    ) -> None:
        """Put on the record that an event was refused; once, if the attempt has an id."""
        named = {"source": event.source, "id": event.id, "type": event.type}
        named |= {} if event.parent is None else {"parent": event.parent}
        await self._note(principal, attempt, reason=refused.reason, **named)

    async def _note(self, principal: Principal, attempt: str | None = None, **data: str) -> None:
        note = Event(
            id=attempt or self.parts.ids(),
            case_id=None,
            kind="event.refused",
            actor=principal.actor,
            at=self.parts.clock(),
            data=dict(data),
        )
        async with self.parts.database.transaction() as tx:
            await tell(tx, note)


def may_name(case: Case, principal: Principal) -> bool:
    """Whether an event of theirs may name this case: they opened it, or may read cases."""
    reads = principal.kind is Kind.PERSON or "cases:read" in principal.scopes
    return reads or case.opened_by == principal.actor


def _received(case: Case, event: CloudEvent, principal: Principal) -> Event:
    return Event(
        id=str(uuid5(NAMESPACE_URL, f"{case.id}/received")),
        case_id=case.id,
        kind="event.received",
        actor=principal.actor,
        at=case.created_at,
        data={
            "source": event.source,
            "id": event.id,
            "type": event.type,
            "workflow": case.workflow,
            "version": case.workflow_version,
            "title": case.title,
            "event": case.event,
            "rules": case.rules,
        }
        | ({} if event.parent is None else {"parent": event.parent, "depth": case.depth}),
    )


def fitting(workflow: Workflow, data: Any) -> dict[str, Any]:
    """An event's data as its workflow understands it; raises EventRefused."""
    try:
        return workflow.event.model_validate(data).model_dump(mode="json")
    except ValidationError as error:
        fields = tuple(
            {"field": ".".join(map(str, item["loc"])) or "data", "problem": item["msg"]}
            for item in error.errors(include_url=False, include_input=False, include_context=False)
        )
        raise EventRefused("data_unfit", "the event's data does not fit the workflow", fields) from error
