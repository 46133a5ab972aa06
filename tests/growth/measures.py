"""What is measured at each size: what people and workers do all day, each several times, in milliseconds."""

import random
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

from checkpoints.audit import timeline
from checkpoints.audit_proofs import prove_consistency, prove_inclusion
from checkpoints.audit_tree import grow_tree
from checkpoints.case_events import case_events
from checkpoints.cases import Status, get_case, list_cases
from checkpoints.database import Transaction
from checkpoints.effects import effects_of
from checkpoints.gauges import read_gauges
from checkpoints.pruning import Pruner
from checkpoints.reaper import Reaper
from checkpoints.review_queue import Filter, Sort
from checkpoints.reviews import list_reviews
from checkpoints.votes import VoteKind
from graphs.clockwork import Clockwork
from graphs.deadlines import Deadlines
from graphs.dealer import Dealer
from graphs.decisions import Ballot, Decisions
from graphs.halting import Switch
from graphs.intake import Intake
from graphs.personal import PersonalData
from graphs.queue_view import QueueView
from graphs.reconciler import Reconciler
from graphs.record.decision_record import decision_record
from tests import bench
from tests.growth.filled import Filled
from tests.house import LEE, SHOP, House, refund_event

TIMES = 21
RECENT = 1000
"""Of the last so many finished cases are those whose pages are looked at."""
_DEAD_AFTER = timedelta(seconds=30)

Deed = Callable[[], Awaitable[Any]]


@dataclass(slots=True)
class Measures:
    """The deeds that are measured on a filled house, by name; each call is another case's."""

    filled: Filled
    chance: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311 - which case is looked at
    _new: Any = field(default_factory=lambda: count(0))
    _dear: Any = field(default_factory=lambda: iter(bench.REVIEWED))

    @property
    def house(self) -> House:
        """Whose deeds they are."""
        return self.filled.house

    async def deeds(self) -> dict[str, Deed]:
        """Everything that is measured, in the order in which it is printed."""
        numbers = self.chance.sample(
            range(max(1, self.filled.cases - RECENT), self.filled.cases + 1), TIMES + 1
        )
        tails = "SELECT id FROM cases WHERE id > %s ORDER BY id LIMIT 1"
        recent = iter([(await self.house.rows(tails, f"{number:08x}"))[0]["id"] for number in numbers])
        seqs = "SELECT id FROM audit_events WHERE seq > %s ORDER BY seq LIMIT 1"
        told = [self.chance.randrange(self.filled.leaves) for _ in range(TIMES + 1)]
        events = iter([(await self.house.rows(seqs, place))[0]["id"] for place in told])
        (one,) = await self.house.rows("SELECT id FROM reviews WHERE status = 'open' ORDER BY id LIMIT 1")
        (old,) = await self.house.rows("SELECT id FROM reviews WHERE status <> 'open' ORDER BY id LIMIT 1")
        waiting = iter([await self._waiting() for _ in range(TIMES + 1)])
        return {
            "queue page": lambda: self._page(Filter()),
            "queue page, mine": lambda: self._page(Filter(), mine=True),
            "search, what all have": lambda: self._page(Filter(search="refund damaged")),
            "search, what one has": lambda: self._page(Filter(search=one["id"])),
            "search among decided ones": lambda: self._page(Filter(search=old["id"], status=None)),
            "dashboard counts": self._counts,
            "page of cases": self._cases,
            "case page": lambda: self._case(next(recent)),
            "starting a case": self._start,
            "deciding a case": lambda: self._decide(next(waiting)),
            "audit proof": lambda: self._proof(next(events)),
            "a round of upkeep": self._upkeep,
        }

    @asynccontextmanager
    async def _tx(self) -> AsyncIterator[Transaction]:
        async with self.house.parts.database.transaction() as tx:
            yield tx

    async def _page(self, wanted: Filter, *, mine: bool = False) -> None:
        view = QueueView(self.house.parts)
        async with self._tx() as tx:
            page = await view.page(tx, wanted, LEE, sort=Sort.NEWEST, limit=50, mine=mine)
        assert page.items

    async def _counts(self) -> None:
        parts = self.house.parts
        async with self._tx() as tx:
            await QueueView(parts).counts(tx, LEE)
        await read_gauges(parts.database, parts.clock(), _DEAD_AFTER)

    async def _cases(self) -> None:
        async with self._tx() as tx:
            for status in (None, Status.CLOSED, Status.WAITING_REVIEW):
                await list_cases(tx, limit=50, status=status, workflow="refund")

    async def _case(self, case_id: str) -> None:
        async with self._tx() as tx:
            await get_case(tx, case_id)
            await list_reviews(tx, limit=200, case_id=case_id)
            await effects_of(tx, case_id)
            assert await timeline(tx, case_id, limit=101)
            assert decision_record(case_id, await case_events(tx, case_id)).ended is not None

    async def _start(self) -> None:
        case_id, command = await self._received("clean_29_90_1", next(self._new))
        await self.house.runner.carry_out(command)
        assert (await self.house.case(case_id)).status is Status.CLOSED

    async def _decide(self, review_id: str) -> None:
        async with self._tx() as tx:
            (review,) = (await list_reviews(tx, limit=1, case_id=review_id)).items
        await Decisions(self.house.parts).vote(
            review.id, Ballot(kind=VoteKind.APPROVE, digest=review.digest), LEE
        )
        (command,) = await self.house.rows(_OPEN, review.case_id)
        await self.house.runner.carry_out(command["id"])
        assert (await self.house.case(review.case_id)).status is Status.CLOSED

    async def _waiting(self) -> str:
        case_id, command = await self._received("clean_120_00_1", next(self._dear))
        await self.house.runner.carry_out(command)
        return case_id

    async def _received(self, scene: str, number: int) -> tuple[str, str]:
        event = refund_event(scene, event_id=f"scale-{number}", **bench.ids_of(number))
        case, _ = await Intake(self.house.parts).receive(event, SHOP)
        (command,) = await self.house.rows(_OPEN, case.id)
        return case.id, command["id"]

    async def _proof(self, event_id: str) -> None:
        async with self._tx() as tx:
            await prove_inclusion(tx, event_id)
            await prove_consistency(tx, self.filled.leaves // 2)

    async def _upkeep(self) -> None:
        parts = self.house.parts
        reaper = Reaper(database=parts.database, queue=parts.queue, clock=parts.clock, dead_after=_DEAD_AFTER)
        pruner = Pruner(database=parts.database, clock=parts.clock, after=parts.prune_after)
        rounds: Sequence[Deed] = (
            *(reaper.reap, reaper.reconcile, pruner.prune, Reconciler(parts).run, Deadlines(parts).run),
            *(Switch(parts).wake, Clockwork(parts).run, Dealer(parts).deal_out),
            lambda: PersonalData(parts).forget(parts.retention),
            self._grown,
        )
        for one in rounds:
            await one()

    async def _grown(self) -> None:
        async with self.house.parts.database.connection() as connection:
            await grow_tree(connection, self.house.parts.clock, self.house.parts.signer)


_OPEN = "SELECT id FROM commands WHERE case_id = %s AND done_at IS NULL"


async def measured(houses: Sequence[Filled], times: int = TIMES) -> list[dict[str, float]]:
    """For each house the median of each deed in milliseconds, once warm.

    The houses take turns, so that whatever else the machine is doing meets all of them.
    """
    all_deeds = [await Measures(one).deeds() for one in houses]
    found: list[dict[str, float]] = [{} for _ in houses]
    for name in all_deeds[0]:
        took: list[list[float]] = [[] for _ in houses]
        for turn in range(times + 1):
            for place, deeds in enumerate(all_deeds):
                milliseconds = await _milliseconds(deeds[name])
                if turn:
                    took[place].append(milliseconds)
        for place, one in enumerate(took):
            found[place][name] = statistics.median(one)
    return found


async def _milliseconds(deed: Deed) -> float:
    began = time.perf_counter()
    await deed()
    return (time.perf_counter() - began) * 1000
