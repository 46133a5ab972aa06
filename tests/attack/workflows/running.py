"""Running a case to its rest, with nobody deciding or with people who approve whatever they are asked."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import psycopg

from checkpoints.cases import Case, Status
from checkpoints.embedded import EmbeddedPostgres
from checkpoints.errors import AlreadyVoted
from checkpoints.reviews import Review
from checkpoints.votes import VoteKind
from graphs.catalogue import find_kits
from graphs.clock import Clock
from graphs.closing import NotEligible
from graphs.companies import Company, sandbox_company
from graphs.decisions import Ballot, Decisions, OverrideReason
from graphs.intake import Intake
from graphs.people import PeopleFile, Person, write_people
from graphs.roles import load_roles
from graphs.settings import Settings
from graphs.wiring import open_parts
from nodes.event import EventRefused
from nodes.permissions import Kind, Principal
from tests.attack.figures import CROWD
from tests.attack.workflows.company import Books, Rows
from tests.attack.workflows.goals import GOALS
from tests.attack.workflows.obeying import Obeying
from tests.attack.workflows.places import ERROR, Place, Planting
from tests.attack.workflows.scenes import SMALL_QUESTION, STAGES
from tests.attack.workflows.speaking import Voice, in_process
from tests.conftest import AS_OF
from tests.databases import OURS, SANDBOX, clone
from tests.house import SHOP, House, ManualClock, at_once
from tests.stories.on_call import finish, recover
from tools.contract import Tool

_EACH = 6
"""So many people hold each role: what one may sign in a day is soon used up."""
_MOST_ROUNDS = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """What became of one case.

    Attributes:
        rows: what changed in the company's books.
        asks: by tool how many reviews were opened.
        votes: how many approvals were given.
        writes: how many deeds were done.
        reached: how often the planted text was read or heard.
        heard: how often an agent read it as an order.
        obeyed: how often an agent obeyed it.
        strangers: the ids of records of somebody else that an agent was shown.
        rests: where the case came to rest, with its reason.
    """

    rows: Rows
    asks: Counter[str]
    votes: int
    writes: int
    reached: int
    heard: int
    obeyed: int
    strangers: frozenset[str]
    rests: str


@dataclass(slots=True)
class Attacked:
    """A house whose agents obey and whose company carries a planted text; every run leaves it as it was."""

    workflow: str
    house: House
    books: Books
    planting: Planting
    brain: Obeying
    people: tuple[Principal, ...]
    numbers: "count[int]" = field(default_factory=count)
    runs: int = 0
    scene_ids: frozenset[str] = frozenset()

    async def run(self, scene: str, place: Place | None, text: str, *, approve: bool = False) -> Run:
        """One case of a scene, with a text at a place."""
        self.runs += 1
        self.scene_ids = frozenset(map(str, STAGES[self.workflow].event(scene, scene).data.values()))
        self.brain.begin(place, text)
        self.planting.plant(None if place is None or place.path == ERROR else place, text)
        event = STAGES[self.workflow].event(scene, f"{scene}-{next(self.numbers)}")
        try:
            case, _ = await Intake(self.house.parts).receive(event, SHOP)
        except EventRefused as refused:
            return await self._told([], 0, f"refused: {refused.reason}")
        if place is not None and place.path == ERROR:
            self.planting.plant(place, text)
        await self.house.work()
        votes = await self._approved(case.id) if approve else 0
        case = await self.house.case(case.id)
        if self.workflow == "incident" and case.status is Status.WAITING_INFO:
            case = await self._followed_up(scene, case)
        cases = [case.id, *await self._children(case.id)]
        return await self._told(cases, votes, f"{case.status}: {case.reason}")

    async def _told(self, cases: list[str], votes: int, rests: str) -> Run:
        asks = Counter(
            row["tool"]
            for row in await self.house.rows("SELECT tool FROM reviews WHERE case_id = ANY (%s)", cases)
        )
        writes = 0
        for case_id in cases:
            writes += sum(effect.state == "done" for effect in await self.house.effects(case_id))
        rows = await self.books.changed()
        strangers = await self.books.strangers(self.brain.shown, self.scene_ids)
        await self.books.reset()
        return Run(
            rows=rows,
            asks=asks,
            votes=votes,
            writes=writes,
            reached=self.planting.reached + self.brain.slipped,
            heard=self.brain.heard,
            obeyed=self.brain.obeyed,
            strangers=strangers,
            rests=rests,
        )

    async def _children(self, case_id: str) -> list[str]:
        query = "SELECT id FROM cases WHERE parent_id = %s"
        return [row["id"] for row in await self.house.rows(query, case_id)]

    async def _followed_up(self, scene: str, case: Case) -> Case:
        """The team does what is owed and the service recovers: then the incident is over."""
        place = self.planting.place
        self.planting.plant(None, "")
        await finish(self.house, scene)
        await recover(self.house, scene)
        self.planting.place = place
        return await self.house.informed(case.id, f"news-{next(self.numbers)}")

    async def _approved(self, case_id: str) -> int:
        votes = 0
        for _ in range(_MOST_ROUNDS):
            given = 0
            for own in (case_id, *await self._children(case_id)):
                for review in await self.house.open_reviews(own):
                    given += await self._approval_of(review)
            if not given:
                break
            votes += given
            await self.house.work()
        return votes

    async def _approval_of(self, review: Review) -> int:
        kind = VoteKind.APPROVE if review.against is None else VoteKind.OVERRIDE
        reason = None if review.against is None else OverrideReason.GOODWILL
        ballot = Ballot(
            kind=kind, digest=review.digest, comment="Approved like all others.", reason_code=reason
        )
        roles = {str(rung["role"]) for rung in review.ladder}
        for who in self.people:
            if who.roles & roles:
                try:
                    await Decisions(self.house.parts).vote(review.id, ballot, who)
                except (NotEligible, AlreadyVoted):
                    continue
                return 1
        return 0


@asynccontextmanager
async def attacked(
    postgres: EmbeddedPostgres, home: Path, workflow: str, voice: Voice = in_process
) -> AsyncIterator[Attacked]:
    """A house of its own for some runs of one workflow, whose agents' model is reached by this voice."""
    clock, planting, obeying = ManualClock(AS_OF), Planting(), Obeying(GOALS[workflow])
    people = everybody()
    file = home / "people.yaml"
    write_people(
        file,
        PeopleFile(people=[Person(id=one.id, name=one.name, roles=sorted(one.roles)) for one in people]),
    )
    async with clone(postgres, OURS) as ours, clone(postgres, SANDBOX) as company:
        async with await psycopg.AsyncConnection.connect(company, autocommit=True) as connection:
            await connection.execute(SMALL_QUESTION.encode())
        books = await Books.watched(company)
        settings = Settings(database_url=ours, sandbox_url=company, home=home, people_file=file, room=CROWD)
        async with (
            open_parts(settings, company=planted_by(planting), clock=clock, sleep=at_once) as parts,
            voice(obeying) as brain,
        ):
            house = House(replace(parts, brain=brain))
            yield Attacked(workflow, house, books, planting, obeying, people)
        await books.close()


def planted_by(planting: Planting) -> Company:
    """The sandbox company, whose reads carry what is planted."""

    @asynccontextmanager
    async def planted(address: str, clock: Clock) -> AsyncIterator[Iterable[Tool]]:
        async with sandbox_company(address, clock) as tools:
            yield [planting.planted(tool) for tool in tools]

    return planted


def everybody() -> tuple[Principal, ...]:
    """Some people for every role of every workflow."""
    roles = sorted({role for kit in find_kits() for role in load_roles(kit.package).people})
    return tuple(
        Principal(
            id=f"{role}-{number}".replace("_", "-"),
            kind=Kind.PERSON,
            name=f"{role} {number}",
            roles=frozenset({role}),
        )
        for number in range(_EACH)
        for role in roles
    )
