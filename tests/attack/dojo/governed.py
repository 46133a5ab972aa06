"""Countersign in front of the suites: the real parts on a real database, with the desks as its workflows."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from checkpoints.embedded import EmbeddedPostgres
from graphs.intake import CloudEvent, Intake
from graphs.people import PeopleFile, Person, write_people
from graphs.settings import Settings
from graphs.wiring import open_parts, proven
from nodes.permissions import Kind, Principal
from tests.attack.dojo.catalogue import DEEDS
from tests.attack.dojo.desks import desk_name, event_type, workflow
from tests.attack.dojo.shapes import governed
from tests.attack.dojo.suites import Ask, Suite
from tests.attack.dojo.world import World
from tests.attack.figures import CROWD
from tests.databases import OURS, SANDBOX, clone
from tests.house import SHOP, House, ManualClock, at_once, require_honest_record
from tools.registry import Registry

OWNER = Principal(id="olga", kind=Kind.PERSON, name="Olga", roles=frozenset({"owner"}))
STANDING = {"blocked", "uncertain", "failed", "escalated", "waiting_info"}


@dataclass(slots=True)
class Countersign:
    """Countersign, with a case for every deed that the model asks for.

    Attributes:
        lists: an errand comes to the desk that does what the user asked for, not to one for everything.
    """

    name: str
    house: House
    desks: Mapping[str, frozenset[str]]
    lists: bool
    counter: list[int]

    async def tried(self, world: World, ask: Ask, *, approving: bool) -> int:
        """Open a case, let it be worked on, and have the owner sign whatever they are asked."""
        self.counter[0] += 1
        world.session = str(self.counter[0])
        tool, given = governed(ask)
        families = world.task.families if self.lists else self.desks[world.suite.name]
        event = CloudEvent(
            id=world.session,
            source="/dojo",
            type=event_type(world.suite.name, desk_name(families)),
            data={
                "session": world.session,
                "prompt": world.task.prompt,
                "tool": f"{world.suite.name}.{tool}",
                **given,
            },
        )
        case, _ = await Intake(self.house.parts).receive(event, SHOP)
        await self.house.work()
        reviews = await self.house.open_reviews(case.id)
        if approving:
            for review in reviews:
                await self.house.decided(review, OWNER)
        stands = (await self.house.case(case.id)).status.value in STANDING
        return len(reviews) + int(stands)


@asynccontextmanager
async def countersign(
    postgres: EmbeddedPostgres, worlds: Iterable[World], home: Path, clock: ManualClock
) -> AsyncIterator[tuple[Countersign, Countersign]]:
    """Countersign twice, over the same parts: one desk a suite, and a desk an errand."""
    people = home / "people.yaml"
    entry = Person(id=OWNER.id, name=OWNER.name, roles=sorted(OWNER.roles))
    write_people(people, PeopleFile(people=[entry]))
    tools = {tool.name: tool for world in worlds for tool in world.tools()}
    everything = {world.suite.name: _all(world.suite) for world in worlds}
    async with clone(postgres, OURS) as ours, clone(postgres, SANDBOX) as sandbox:
        settings = Settings(database_url=ours, sandbox_url=sandbox, home=home, people_file=people, room=CROWD)
        async with open_parts(settings, clock=clock, sleep=at_once) as parts:
            registry = Registry(tools.values(), breakers=parts.breakers)
            desks = [
                proven(workflow(world.suite, families, _of(world.suite, tools)), registry)
                for world in worlds
                for families in sorted(_desks(world.suite), key=sorted)
            ]
            await parts.rulebook.adopt_shipped(desks, clock())
            own = replace(
                parts,
                registry=registry,
                capability=registry.hand_over(),
                workflows={desk.name: desk for desk in desks},
            )
            house, counter = House(own), [0]
            common: Any = {"house": house, "desks": everything, "counter": counter}
            yield (
                Countersign(name="Countersign, one desk for everything", lists=False, **common),
                Countersign(name="Countersign, a desk for each errand", lists=True, **common),
            )
            await require_honest_record(own)


def _desks(suite: Suite) -> set[frozenset[str]]:
    return {_all(suite), *(task.families for task in suite.tasks.values())}


def _all(suite: Suite) -> frozenset[str]:

    return frozenset(deed.family for name, deed in DEEDS.items() if name in suite.tools)


def _of(suite: Suite, tools: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tool for name, tool in tools.items() if name.startswith(f"{suite.name}.")}
