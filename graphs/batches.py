"""Batches of rollbacks: what somebody's deeds of some time were, each case's taken back for itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from checkpoints.audit import Event, tell
from checkpoints.canonical import digest
from checkpoints.cases import Case, Status, get_case
from checkpoints.database import Transaction
from checkpoints.rollbacks import Choice, batch_event, batch_items, cases_of
from graphs.rollbacks import NotAllowedToRollBack, PlanStale, Rollbacks, Wish, may_roll_back
from graphs.wiring import Parts
from nodes.permissions import Principal
from nodes.rollback_plan import Plan

MOST_CASES = 1000
"""How many cases one batch is about at most: all of them start in one transaction."""


class BatchTooLarge(Exception):
    """These are too many cases for one batch: choose a shorter time, or one agent."""


class NothingToRollBack(Exception):
    """No case that was chosen can be rolled back now."""


class BatchNotFound(Exception):
    """There is no such batch of rollbacks."""


class Result(StrEnum):
    """What has become of one case of a batch."""

    UNDER_WAY = "under_way"
    WAITING_REVIEW = "waiting_review"
    DONE = "done"
    PARTLY = "partly"
    FAILED = "failed"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """A case of a plan: what would be undone, or why it is not rolled back now."""

    case_id: str
    plan: Plan
    refused: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """A plan over many cases; `id` is None as long as it has not been started."""

    id: str | None
    items: tuple[Item, ...]

    @property
    def digest(self) -> str:
        """Names exactly this plan."""
        return digest([[item.case_id, item.plan.digest, item.refused] for item in self.items])


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What has become of one case, and why."""

    case_id: str
    result: Result
    reason: str | None
    owner: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a batch is."""

    id: str
    by: str
    at: datetime
    choice: Mapping[str, Any]
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Batches:
    """Rolls many cases back, each like one alone."""

    parts: Parts

    async def plan(self, choice: Choice, principal: Principal) -> Batch:
        """What a batch would undo now, case by case; raises NotAllowedToRollBack, BatchTooLarge."""
        async with self.parts.database.transaction() as tx:
            if may_roll_back(self.parts, choice.workflow, principal):
                return Batch(id=None, items=tuple([item for item, _ in await self._items(tx, choice)]))
            await self._tell(tx, "rollback.denied", principal, self.parts.ids(), choice.to_json())
        raise NotAllowedToRollBack

    async def start(self, choice: Choice, why: str, seen: str | None, principal: Principal) -> Batch:
        """Start a batch: one command for each case that is at rest, all in one transaction.

        Raises:
            NotAllowedToRollBack, BatchTooLarge, PlanStale, NothingToRollBack.
        """
        async with self.parts.database.transaction() as tx:
            if may_roll_back(self.parts, choice.workflow, principal):
                return await self._started(tx, choice, why, seen, principal)
            await self._tell(tx, "rollback.denied", principal, self.parts.ids(), choice.to_json())
        raise NotAllowedToRollBack

    async def progress(self, batch_id: str) -> Progress:
        """What has become of each case of a batch, from its commands and cases; raises BatchNotFound."""
        async with self.parts.database.transaction() as tx:
            event, rows = await batch_event(tx, batch_id), await batch_items(tx, batch_id)
        if event is None or event["data"].get("batch") != batch_id:
            raise BatchNotFound
        refused = [
            Outcome(case_id=case_id, result=Result.REFUSED, reason=why, owner=None)
            for case_id, why in event["data"]["refused"].items()
        ]
        outcomes = (*map(_outcome, rows), *refused)
        return Progress(
            id=batch_id,
            by=event["actor"],
            at=event["at"],
            choice=event["data"]["choice"],
            outcomes=outcomes,
        )

    async def _started(
        self, tx: Transaction, choice: Choice, why: str, seen: str | None, principal: Principal
    ) -> Batch:
        items = await self._items(tx, choice, lock=True)
        batch = Batch(id=self.parts.ids(), items=tuple([item for item, _ in items]))
        assert batch.id is not None
        if seen is not None and seen != batch.digest:
            raise PlanStale
        startable = [(item, case) for item, case in items if item.refused is None]
        if not startable:
            raise NothingToRollBack
        wish = Wish(by=principal, why=why, at=self.parts.clock(), batch=batch.id)
        for item, case in startable:
            await Rollbacks(self.parts).begin(tx, case, item.plan, wish)
        refused = {item.case_id: item.refused for item in batch.items if item.refused}
        told: dict[str, Any] = {"batch": batch.id, "choice": choice.to_json(), "digest": batch.digest}
        told |= {"cases": len(startable), "refused": refused}
        await self._tell(tx, "rollback.requested", principal, batch.id, told)
        return batch

    async def _items(
        self, tx: Transaction, choice: Choice, *, lock: bool = False
    ) -> Sequence[tuple[Item, Case]]:
        """The cases in the order of their ids, in which they are locked too."""
        case_ids = await cases_of(tx, choice, MOST_CASES + 1)
        if len(case_ids) > MOST_CASES:
            raise BatchTooLarge
        now, rollbacks, found = self.parts.clock(), Rollbacks(self.parts), []
        for case_id in case_ids:
            case = await get_case(tx, case_id, lock=lock)
            plan = await rollbacks.plan_for(tx, case, now)
            refused = await rollbacks.obstacle(tx, case) or _pointless(plan)
            found.append((Item(case_id=case_id, plan=plan, refused=refused), case))
        return found

    async def _tell(
        self, tx: Transaction, kind: str, principal: Principal, name: str, data: dict[str, Any]
    ) -> None:
        told = Event(
            id=name, case_id=None, kind=kind, actor=principal.actor, at=self.parts.clock(), data=data
        )
        await tell(tx, told)


def _pointless(plan: Plan) -> str | None:
    """Why there is nothing to start: the reasons for which its deeds stay done."""
    if plan.steps:
        return None
    return ", ".join(sorted({str(item.lasts) for item in plan.items})) or "nothing_to_roll_back"


def _outcome(row: Mapping[str, Any]) -> Outcome:
    """What a command has come to; if the case has been rolled back again since, where that stands."""
    status, reason = Status(row["status"]), row["reason"]
    match status:
        case Status.ROLLED_BACK:
            result = Result.DONE
        case Status.WAITING_REVIEW | Status.WAITING_INFO:
            result = Result.WAITING_REVIEW
        case Status.ESCALATED if reason == "partly_rolled_back":
            result = Result.PARTLY
        case _ if row["done_at"] is None or status in {Status.RUNNING, Status.APPROVED, Status.EXECUTED}:
            result = Result.UNDER_WAY
        case _:
            result = Result.FAILED
    return Outcome(case_id=row["case_id"], result=result, reason=reason, owner=row["owner"])
