"""What stories about reviews share: more people, another ladder, an edit, a look at the record."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from checkpoints.cases import Case
from checkpoints.reviews import Review
from checkpoints.votes import VoteKind
from graphs.decisions import Ballot, Decisions, OverrideReason
from graphs.edits import Edits
from graphs.people import PeopleFile, Person, write_people
from graphs.roles import read_text
from graphs.rule_changes import RuleChanges
from graphs.settings import Settings
from nodes.permissions import Kind, Principal
from nodes.shapes import Json
from tests.house import PEOPLE, House

RULES = read_text("graphs.refund", "rules.yaml")
RF_91 = "{review: over_automatic_limit, by: [support_lead], above: [finance], due: 8h, risk: medium}"
"""What the shipped table says to a refund between 50 and 500."""


def person(name: str, *roles: str, human: str = "") -> Principal:
    """Somebody of the house."""
    return Principal(
        id=name, kind=Kind.PERSON, name=name.title(), roles=frozenset(roles), human=human or name
    )


MEG = person("meg", "support_lead")
FAY = person("fay", "finance")
TESS = person("tess", "team_lead")
DREW = person("drew", "duty_manager")
KIT = person("kit", "rule_keeper")
KAI = person("kai", "rule_keeper")
NORA = person("nora")
BOT = Principal(id="bot", kind=Kind.SERVICE, name="A bot", scopes=frozenset({"cases:start"}))
EVERYBODY = (*PEOPLE, MEG, FAY, TESS, DREW, KIT, KAI, NORA)


def now_working(settings: Settings, *people: Principal) -> None:
    """From now on exactly these people are in the people file."""
    entries = [
        Person(id=who.id, name=who.name, roles=sorted(who.roles), human=who.human or None) for who in people
    ]
    write_people(settings.people_file, PeopleFile(people=entries))


def without(*gone: Principal) -> tuple[Principal, ...]:
    """Everybody but these."""
    return tuple(who for who in EVERYBODY if who not in gone)


async def ask_instead(
    house: House, then: str, *, by: Principal = KIT, version: str = "another", **changed: str
) -> None:
    """Put a table in force that asks others for a refund between 50 and 500."""
    text = RULES.replace('version: "2026-11-27"', f'version: "{version}"').replace(RF_91, then)
    assert then in text
    for old, new in changed.items():
        text = text.replace(old, new)
    changes = RuleChanges(house.parts)
    draft = await changes.draft("refund", text, "For the test.", by)
    await changes.decide(draft.digest, KAI, approve=True, comment=None)


async def waiting(house: House, scene: str) -> Review:
    """The open review that a scene's event comes to."""
    return await house.review((await house.after(scene)).id)


async def voted(
    house: House, review: Review, who: Principal, kind: VoteKind, reason: OverrideReason | None = None
) -> Review:
    """A vote with its reason code."""
    ballot = Ballot(kind=kind, digest=review.digest, comment="There is a reason.", reason_code=reason)
    return await Decisions(house.parts).vote(review.id, ballot, who)


async def edit(house: House, review: Review, who: Principal, **values: Any) -> Review:
    """Put these arguments in the place of the reviewed ones."""
    return await Edits(house.parts).commit(review.id, review.digest, patch(**values), "Like this.", who)


async def edited(house: House, review: Review, who: Principal, **values: Any) -> Case:
    """The case after this edit and the work that follows from it."""
    await edit(house, review, who, **values)
    await house.work()
    return await house.case(review.case_id)


def patch(**values: Any) -> list[Json]:
    """A replacement an argument."""
    return [{"op": "replace", "path": f"/{name}", "value": value} for name, value in values.items()]


async def told(house: House, case_id: str, *kinds: str) -> list[Json]:
    """The events of these kinds on a case's record, opened, each with its actor among its data."""
    events = await house.opened(case_id, await house.events(case_id))
    return [event["data"] | {"by": event["actor"]} for event in events if event["kind"] in kinds]


async def denials(house: House, case_id: str) -> list[tuple[str, str]]:
    """Who was refused in a case, and why."""
    return [(event["by"], event["why"]) for event in await told(house, case_id, "vote.denied")]


async def standing(house: House, case_id: str) -> Sequence[Json]:
    """Everything that an act on a review could change, the record aside."""
    cases = await house.rows("SELECT status, reason, owner FROM cases WHERE id = %s", case_id)
    reviews = await house.rows("SELECT * FROM reviews WHERE case_id = %s ORDER BY id", case_id)
    votes = await house.rows("SELECT id FROM votes ORDER BY id")
    return [*cases, *reviews, *votes]


def as_service(who: Principal) -> Principal:
    """A service with the roles of a person, as no people file can have it."""
    return replace(who, kind=Kind.SERVICE)
