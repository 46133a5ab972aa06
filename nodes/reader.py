"""The reader: the records of a case, read afresh by the judge's own right, and whose they must be."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ValidationError

from nodes.permissions import NotPermitted, Verb
from nodes.records import Records, Source, UnresolvedReference, WindowStart, every, reference
from nodes.sealing import Sealing
from nodes.shapes import Json
from nodes.workflow import Workflow
from tools.contract import Arguments, Record, ToolRefused
from tools.registry import Registry

JUDGE = "rule:judge"
"""The role by which records are read."""

Read = Callable[[str, Arguments], Awaitable[Record]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reader:
    """Reads the records of one workflow's cases; the same code at intake, for agents and for the judge."""

    workflow: Workflow
    registry: Registry
    read: Read
    sealing: Sealing
    clock: Callable[[], datetime]

    async def records(self, case: Json) -> Records:
        """The records of a case, read now, side by side where one does not need another.

        Raises:
            ToolError: a system does not answer, or has no such record; of several the first in the workflow's
                order.
        """
        now = self.clock()
        event = self.workflow.event.model_validate(await self.sealing.opened(case["event"]))
        records: dict[str, BaseModel] = {"event": event}
        left = list(self.workflow.sources)
        while left:
            ready = [source for source in left if source.needs <= records.keys()]
            if not ready:
                raise UnresolvedReference(f"nothing to read {left[0].name} by")
            answers = await asyncio.gather(
                *(self._read_source(source, records, now) for source in ready), return_exceptions=True
            )
            for source, answer in zip(ready, answers, strict=True):
                if isinstance(answer, BaseException):
                    raise answer
                records[source.name] = answer
            left = [source for source in left if source.name not in records]
        return {**records, **self.workflow.computed(records, now)}

    async def _read_source(self, source: Source, records: Records, now: datetime) -> Record:
        permit = self.workflow.permissions.decide((JUDGE,), Verb.READ, source.tool)
        if not permit.allowed:
            raise NotPermitted(f"the judge of {self.workflow.name}: {permit.why}")
        values = {name: self._argument(item, records, now) for name, item in source.arguments.items()}
        try:
            arguments = self.registry.describe(source.tool).arguments.model_validate(values)
        except ValidationError as unfit:  # what another record says is nothing to ask this tool by
            raise ToolRefused(f"{source.name} cannot be asked for by what the records say") from unfit
        return await self.read(source.tool, arguments)

    def _argument(self, item: str | WindowStart, records: Records, now: datetime) -> Any:
        if isinstance(item, str):
            return reference(records, item)
        return now - self.workflow.rulings[item.tool].longest_window

    def out_of_scope(self, records: Records) -> list[str]:
        """The pairs of references that should be equal and are not."""
        return [
            f"{left} is not {right}"
            for left, right in self.workflow.scope
            if any(value != reference(records, right) for value in every(records, left))
        ]
