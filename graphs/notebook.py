"""The workbench: a whole Countersign for a notebook, on a database of its own that goes with it.

It knows no other database, whatever the environment says, and it decides nothing: whoever votes is in its own
people file, and every act goes through the use cases that the API calls.
"""

import hashlib
import os
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from checkpoints.case_events import case_events
from checkpoints.cases import get_case
from checkpoints.commands import due_commands
from checkpoints.effects import effects_of
from checkpoints.reviews import ReviewStatus, list_reviews
from checkpoints.votes import VoteKind, votes_on
from graphs.closing import unfit
from graphs.decisions import Ballot, Decisions, OverrideReason
from graphs.edits import Edits
from graphs.intake import CloudEvent, Intake
from graphs.people import PeopleFile, Person, write_people
from graphs.personal import PersonalData
from graphs.record.decision_record import decision_record
from graphs.runner import Runner
from graphs.settings import Settings
from graphs.views.cases import CaseView, StoryView, TimelineView
from graphs.views.reviews import DifferenceView, ReviewView
from graphs.views.rules import VerdictView
from graphs.wiring import Parts, open_parts
from nodes.judge import VERDICTS
from nodes.permissions import Kind, Principal
from nodes.shapes import Json

PEOPLE: Mapping[str, Sequence[str]] = {
    "lee": ["support_lead"],
    "max": ["support_lead"],
    "finn": ["finance"],
    "fay": ["finance"],
    "tess": ["team_lead"],
}
"""Who works here unless others are named."""
STARTS_AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
_SENDER = Principal(
    id="notebook", kind=Kind.SERVICE, name="A notebook", scopes=frozenset({"cases:start", "cases:read"})
)


class NothingToDecide(Exception):
    """No review of this case is open."""


@dataclass(slots=True)
class BenchClock:
    """A clock that stands still until it is moved, so that the same cells show the same times."""

    now: datetime

    def __call__(self) -> datetime:
        """The time."""
        return self.now


@dataclass(slots=True)
class _Numbers:
    """Ids and secrets that count, so that the same cells show the same ones; on no other database."""

    count: int = 0

    def id(self) -> str:
        self.count += 1
        return str(UUID(int=self.count))

    def secret(self) -> str:
        return hashlib.sha256(self.id().encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Workbench:
    """Sends events, has the work done, and lets people look and decide. People are called by their ids."""

    parts: Parts
    clock: BenchClock
    runner: Runner
    _opened: AsyncExitStack

    async def send(self, event_type: str, data: Json, event_id: str | None = None) -> CaseView:
        """The case of an event; raises EventRefused."""
        event = CloudEvent(
            id=event_id or self.parts.ids(), source="/notebook", type=event_type, data=dict(data)
        )
        case, _ = await Intake(self.parts).receive(event, _SENDER)
        return CaseView(case)

    async def work(self) -> None:
        """Do what a worker would do until nothing is left but what waits for people or for later."""
        while due := await self._due():
            for command_id in due:
                await self.runner.carry_out(command_id)

    async def after(self, event_type: str, data: Json) -> CaseView:
        """The case of an event once all is done that can be done without people."""
        case = await self.send(event_type, data)
        await self.work()
        return await self.case(case.id)

    def wait(self, by: timedelta) -> None:
        """Let time pass."""
        self.clock.now += by

    async def case(self, case_id: str) -> CaseView:
        """Where a case stands, and what it did."""
        async with self.parts.database.transaction() as tx:
            return CaseView(await get_case(tx, case_id), tuple(await effects_of(tx, case_id)))

    async def review(self, case_id: str, who: str) -> ReviewView:
        """The case's open review as somebody sees it, which is on the record; raises NothingToDecide."""
        person = self._person(who)
        async with self.parts.database.transaction() as tx:
            page = await list_reviews(tx, limit=1, status=ReviewStatus.OPEN, case_id=case_id)
            if not page.items:
                raise NothingToDecide
            review = page.items[0]
            found = await Decisions(self.parts).eligibility(tx, review, person)
            obstacle = await unfit(tx, self.parts, review, person, review.digest)
            votes = [
                {"person": vote.person, "kind": str(vote.kind), "comment": vote.comment}
                for vote in await votes_on(tx, review.id)
            ]
            whole = {"action": review.action, "shown": review.shown, "votes": votes}
            seen = await PersonalData(self.parts).shown(tx, review, whole, person, eligibility=found)
        allowed = found.allowed and obstacle is None
        return ReviewView(review, seen, _may(who, found.why if obstacle is None else str(obstacle), allowed))

    async def preview(self, view: ReviewView, who: str, **values: Any) -> DifferenceView:
        """What it would come to if somebody put these values in the place of the arguments."""
        person = self._person(who)
        preview = await Edits(self.parts).preview(view.review.id, _patch(values), person)
        async with self.parts.database.transaction() as tx:
            changes = await PersonalData(self.parts).shown(
                tx,
                preview.review,
                list(preview.changes),
                person,
                eligibility=preview.eligibility,
                more=preview.seal.waiting,
            )
        may = _may(who, preview.eligibility.why, preview.eligibility.allowed)
        return DifferenceView(tuple(changes), preview.judgement.verdict.to_json(), may)

    async def edit(self, view: ReviewView, who: str, comment: str, **values: Any) -> CaseView:
        """The case after an edit and the work that follows from it; raises whatever keeps them from it."""
        edits, review = Edits(self.parts), view.review
        await edits.commit(review.id, review.digest, _patch(values), comment, self._person(who))
        await self.work()
        return await self.case(review.case_id)

    async def vote(
        self, view: ReviewView, who: str, kind: str, comment: str | None = None, reason: str | None = None
    ) -> CaseView:
        """The case after a vote on what was seen, and the work that follows from it.

        Raises:
            NotEligible, StaleDigest and whatever else keeps them from it; the attempt is on the record.
        """
        code = None if reason is None else OverrideReason(reason)
        ballot = Ballot(kind=VoteKind(kind), digest=view.review.digest, comment=comment, reason_code=code)
        await Decisions(self.parts).vote(view.review.id, ballot, self._person(who))
        await self.work()
        return await self.case(view.review.case_id)

    async def verdicts(self, case_id: str) -> list[VerdictView]:
        """What the rules said in a case, each time they were asked."""
        return [
            VerdictView(one.data) for one in (await self.timeline(case_id)).events if one.kind in VERDICTS
        ]

    async def timeline(self, case_id: str) -> TimelineView:
        """What happened in a case."""
        async with self.parts.database.transaction() as tx:
            return TimelineView(tuple(await case_events(tx, case_id)))

    async def record(self, case_id: str) -> StoryView:
        """What was decided in a case, and why; what is personal stays sealed."""
        return StoryView(decision_record(case_id, (await self.timeline(case_id)).events))

    async def close(self) -> None:
        """Stop, and throw the database away."""
        await self._opened.aclose()

    async def _due(self) -> list[str]:
        async with self.parts.database.transaction() as tx:
            return await due_commands(tx, self.parts.clock())

    def _person(self, who: str) -> Principal:
        """Somebody as the people file has them now; a stranger has no rights."""
        found = self.parts.people.person(f"{Kind.PERSON}:{who}")
        return found or Principal(id=who, kind=Kind.PERSON, name=who)


async def open_workbench(
    *, workflows: Sequence[str] = (), people: Mapping[str, Sequence[str]] = PEOPLE
) -> Workbench:
    """A workbench for several cells, until it is closed.

    Args:
        workflows: packages with workflows beside the shipped ones.
        people: by id the roles of those who work here.

    Raises:
        PostgresUnavailable, KitUnfit, TableUnfit, WorkflowUnfit: each with one clear line.
    """
    os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")
    clock, numbers = BenchClock(STARTS_AT), _Numbers()
    async with AsyncExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="countersign-"))
        settings = _settings(Path(home), workflows, people)
        parts = await stack.enter_async_context(open_parts(settings, clock=clock, ids=numbers.id))
        parts = replace(parts, secret=numbers.secret)
        return Workbench(parts, clock, Runner(parts), stack.pop_all())


@asynccontextmanager
async def workbench(
    *, workflows: Sequence[str] = (), people: Mapping[str, Sequence[str]] = PEOPLE
) -> AsyncIterator[Workbench]:
    """A workbench for as long as the block lasts; see `open_workbench`."""
    bench = await open_workbench(workflows=workflows, people=people)
    try:
        yield bench
    finally:
        await bench.close()


def _settings(home: Path, workflows: Sequence[str], people: Mapping[str, Sequence[str]]) -> Settings:
    home.chmod(0o755)  # the server's own user passes through it
    known = [Person(id=who, name=who.title(), roles=list(roles)) for who, roles in people.items()]
    write_people(home / "people.yaml", PeopleFile(people=known))
    return Settings(home=home, people_file=home / "people.yaml", workflows=tuple(workflows))


def _patch(values: Mapping[str, Any]) -> list[Json]:
    return [{"op": "replace", "path": f"/{name}", "value": value} for name, value in values.items()]


def _may(who: str, why: str, allowed: bool) -> str:  # noqa: FBT001 - a word of the sentence
    return f"{who} may{'' if allowed else ' not'}: {why}"
