"""The gateway killed at every await of an execution: at most one effect, and what is unknown is said."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from checkpoints.cases import Case
from checkpoints.database import open_database
from checkpoints.effects import EffectState
from checkpoints.session import fenced_session
from graphs.settings import Settings
from nodes.execution import End, Execution
from tests.house import House
from tests.kills import killed_at
from tests.nodes.desk import Desk, at_the_company, desk_on, paid, wish, with_refunds
from tools.contract import Call, Record, Tool
from tools.sandbox.cast import CAST

SCENE = "clean_29_90_1"
ORDER = CAST[SCENE].order_id


@dataclass(slots=True)
class Counter:
    """Counts the calls of a payment system that otherwise does its work."""

    calls: int = 0

    async def perform(self, tool: Tool, arguments: Any, call: Call) -> Record:
        self.calls += 1
        return await tool.perform(arguments, call)


@dataclass(frozen=True, slots=True)
class Killed:
    """What a kill left, and what came of going on."""

    effects: tuple[EffectState, ...]
    paid: int
    went_on: Execution
    paid_in_the_end: int
    calls: int


@dataclass(slots=True)
class Killings:
    """Executions killed at their first await, at their second, and so on to the end."""

    house: House
    settings: Settings
    changes: dict[str, Any] = field(default_factory=dict)

    async def all(self) -> list[Killed]:
        found = list[Killed]()
        killed = True
        while killed:
            case = await self.house.send(
                SCENE, event_id=f"kill-{len(found)}", amount_minor=1000, currency="EUR"
            )
            killed, one = await self._one(case, len(found))
            found.append(one)
        assert len(found) > 10, "the execution has hardly waited: nothing was tried"
        return found

    async def _one(self, case: Case, suspension: int) -> tuple[bool, Killed]:
        counter = Counter()
        house = with_refunds(self.house, counter.perform, **self.changes)
        async with self._worker(house, case) as desk:
            killed = await killed_at(suspension, desk.execute(wish(case)))
        effects = tuple(effect.state for effect in await self.house.effects(case.id))
        paid_at_first = len(await paid(self.house, SCENE))
        async with self._worker(house, case) as desk:
            went_on = await desk.execute(wish(case))
        left = Killed(effects, paid_at_first, went_on, len(await paid(self.house, SCENE)), counter.calls)
        await self._wipe()
        return killed, left

    @asynccontextmanager
    async def _worker(self, house: House, case: Case) -> AsyncIterator[Desk]:
        """A desk on a pool of its own: what a kill leaves in it troubles nobody else."""
        async with (
            open_database(house.parts.database.conninfo) as database,
            fenced_session(database.engine, case.id) as session,
        ):
            yield desk_on(house, case, session)

    async def _wipe(self) -> None:
        """Take the refund out of the company's books, for the next case."""
        await at_the_company(self.settings, "DELETE FROM refunds WHERE order_id = %s", ORDER)
        await at_the_company(
            self.settings, "UPDATE payments SET refunded_minor = 0 WHERE order_id = %s", ORDER
        )


@pytest.mark.parametrize("changes", [{}, {"find": None}], ids=["found", "idempotent"])
async def test_a_deed_killed_anywhere_is_done_exactly_once_by_going_on(
    house: House, settings: Settings, changes: dict[str, Any]
) -> None:
    killings = await Killings(house, settings, changes).all()

    assert {killed.paid for killed in killings} == {0, 1}
    assert {killed.went_on.end for killed in killings} == {End.DONE}
    assert {killed.paid_in_the_end for killed in killings} == {1}


async def test_a_deed_that_can_be_found_and_not_repeated_is_found_or_left_to_a_person(
    house: House, settings: Settings
) -> None:
    killings = await Killings(house, settings, {"idempotent": False}).all()

    ends = {(killed.effects, killed.paid, killed.went_on.end) for killed in killings}
    intended = (EffectState.INTENDED,)
    assert ends >= {(intended, 0, End.UNKNOWN), (intended, 1, End.DONE), ((), 0, End.DONE)}
    assert {killed.calls for killed in killings} <= {0, 1}


async def test_a_deed_that_can_be_neither_found_nor_repeated_is_never_tried_twice(
    house: House, settings: Settings
) -> None:
    killings = await Killings(house, settings, {"find": None, "idempotent": False}).all()

    assert {killed.calls for killed in killings} <= {0, 1}
    assert {killed.paid_in_the_end for killed in killings} == {0, 1}
    begun = [killed for killed in killings if killed.effects == (EffectState.INTENDED,)]
    assert begun
    assert {(killed.went_on.end, killed.paid_in_the_end - killed.paid) for killed in begun} == {
        (End.UNKNOWN, 0)
    }


async def test_no_deed_is_done_that_is_not_on_the_record(house: House, settings: Settings) -> None:
    killings = await Killings(house, settings).all()

    assert all(killed.effects for killed in killings if killed.paid)
    assert {state for killed in killings for state in killed.effects} == {
        EffectState.INTENDED,
        EffectState.DONE,
    }
