"""Countersign in front of the second company: the real parts, with the shop's tools and its one workflow."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from checkpoints.cases import Case
from checkpoints.embedded import EmbeddedPostgres
from checkpoints.reviews import Review
from graphs.clock import Clock
from graphs.companies import sandbox_company
from graphs.intake import CloudEvent, Intake
from graphs.people import PeopleFile, Person, write_people
from graphs.settings import Settings
from graphs.wiring import open_parts
from tests.attack.figures import CROWD
from tests.attack.retail import workflow
from tests.attack.retail.governance import Came
from tests.attack.retail.tries import Obeying, Try
from tests.databases import OURS, SANDBOX, clone
from tests.house import FINN, LEE, SHOP, House, ManualClock, at_once, require_honest_record
from tools.contract import Tool

STANDING = {"blocked", "uncertain", "failed", "escalated", "waiting_info"}


@dataclass(slots=True)
class Countersign:
    """Countersign, with a clerk that obeys whatever it reads."""

    house: House
    name: str = "Countersign"
    sent: int = 0

    async def tried(self, one: Try, *, approving: bool) -> Came:
        """Open a case, let it be worked on, and have people sign whatever they are asked."""
        self.sent += 1
        event = CloudEvent(id=str(self.sent), source="/retail", type=workflow.KIT.event_type, data=one.event)
        case, _ = await Intake(self.house.parts).receive(event, SHOP)
        await self.house.work()
        asks = 0
        while reviews := await self.house.open_reviews(case.id):
            asks += len(reviews)
            if not approving:
                return Came(asks=asks)
            for review in reviews:
                await self._sign(review)
        return Came(asks=asks + int(_stands(await self.house.case(case.id))))

    async def _sign(self, review: Review) -> None:
        await self.house.decided(review, FINN if review.roles == ["finance"] else LEE)


def _stands(case: Case) -> bool:
    """Whether somebody has to find a way out: they are asked too."""
    return case.status.value in STANDING


@asynccontextmanager
async def countersign(
    postgres: EmbeddedPostgres, tools: tuple[Tool, ...], home: Path, clock: ManualClock
) -> AsyncIterator[Countersign]:
    """Countersign for this company; afterwards its record must be honest."""
    people = home / "people.yaml"
    entries = [Person(id=who.id, name=who.name, roles=sorted(who.roles)) for who in (LEE, FINN)]
    write_people(people, PeopleFile(people=entries))

    @asynccontextmanager
    async def with_the_shop(address: str, clock_: Clock) -> AsyncIterator[Iterable[Tool]]:
        async with sandbox_company(address, clock_) as own:
            yield (*own, *tools)

    async with clone(postgres, OURS) as ours, clone(postgres, SANDBOX) as sandbox:
        settings = Settings(
            database_url=ours,
            sandbox_url=sandbox,
            home=home,
            people_file=people,
            workflows=(workflow.__name__,),
            room=CROWD,
        )
        async with open_parts(settings, company=with_the_shop, clock=clock, sleep=at_once) as parts:
            yield Countersign(House(replace(parts, brain=Obeying())))
            await require_honest_record(parts)
