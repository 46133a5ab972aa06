"""Inbox folders: each file is an event, taken in once and then moved to `done/` or `refused/`."""

import asyncio
from dataclasses import dataclass
from typing import Any

from graphs.envelope import EventMalformed, read_object, read_structured
from graphs.intake import NEWS, RESERVED, CloudEvent, Intake
from graphs.looks import Looked, attempt_of, one_look, receive
from graphs.trigger_file import FolderTrigger
from graphs.trigger_words import why_text
from graphs.wiring import Parts
from nodes.event import EventRefused
from nodes.permissions import Principal
from nodes.workflow import Workflow
from tools.triggers.folder import Letter, Tray

MOST_FILES = 100
_MOST_LOOKS = 20


@dataclass(frozen=True, slots=True)
class FolderRound:
    """What every worker does about an inbox folder; one at a time does it."""

    parts: Parts
    trigger: FolderTrigger

    async def run(self) -> int:
        """Take in the files that are there; returns how many looks left some for the next one."""
        looks = 0
        while looks < _MOST_LOOKS and await one_look(self.parts, self.trigger, self._look):
            looks += 1
        return looks

    async def _look(self, mark: dict[str, Any], service: Principal) -> Looked:
        inbox = self.trigger.inbox
        await asyncio.to_thread(inbox.require_trays)
        names = await asyncio.to_thread(inbox.names, MOST_FILES)
        for name in names:
            letter = await asyncio.to_thread(inbox.read, name)
            if letter is not None:
                await self._deal_with(letter, service)
        return Looked(mark, more=len(names) == MOST_FILES)

    async def _deal_with(self, letter: Letter, service: Principal) -> None:
        """Take a file in and move it; whoever is killed in between leaves it to be taken in again."""
        refused = await self._take_in(letter, service)
        move, name, mark = self.trigger.inbox.move, letter.name, letter.digest
        if refused is None:
            await asyncio.to_thread(move, name, Tray.DONE, mark)
        else:
            why = why_text(refused.reason, self._fields(refused))
            await asyncio.to_thread(move, name, Tray.REFUSED, mark, why)

    async def _take_in(self, letter: Letter, service: Principal) -> EventRefused | None:
        workflow = self.parts.workflows[self.trigger.workflow]
        event = self._plain(letter, workflow, None)
        try:
            event = self._event(letter, workflow)
            self._require_own(event, workflow)
        except EventRefused as refused:
            attempt = attempt_of(event.source, event.id, letter.digest)
            await Intake(self.parts).record_refusal(event, service, refused, attempt=attempt)
            return refused
        return await receive(self.parts, event, service, attempt_of(event.source, event.id, letter.digest))

    def _event(self, letter: Letter, workflow: Workflow) -> CloudEvent:
        """The event that a file is: an envelope of its own, or the data alone; raises EventRefused."""
        if letter.body is None:
            raise EventRefused(letter.fault or "unreadable", "it is no file that is read")
        try:
            data = read_object(letter.body, finite=True)
            return (
                read_structured(letter.body) if "specversion" in data else self._plain(letter, workflow, data)
            )
        except EventMalformed as malformed:
            raise EventRefused("malformed", str(malformed)) from malformed

    def _plain(self, letter: Letter, workflow: Workflow, data: Any) -> CloudEvent:
        return CloudEvent(id=letter.digest, source=self.trigger.source, type=workflow.event_type, data=data)

    def _require_own(self, event: CloudEvent, workflow: Workflow) -> None:
        if event.type not in {workflow.event_type, NEWS}:
            raise EventRefused("wrong_type", f"the type is neither {workflow.event_type} nor {NEWS}")
        if event.source.startswith(RESERVED) and event.source != self.trigger.source:
            raise EventRefused("reserved_source", "the source is that of a trigger or a schedule")

    def _fields(self, refused: EventRefused) -> tuple[str, ...]:
        """Which fields of the event are wrong; names that the sender made up are not repeated."""
        known = self.parts.workflows[self.trigger.workflow].event.model_fields
        wrong = (item["field"].partition(".")[0] for item in refused.fields)
        return tuple(sorted({name for name in wrong if name in known}))
