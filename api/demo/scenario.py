"""A scenario: what the demo sends to one workflow, what its people decide, and what must come of it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from api.client import Client
from graphs.wiring import Parts
from nodes.shapes import Json


@dataclass(frozen=True, kw_only=True, slots=True)
class Doors:
    """The demo's API as its service and its people use it.

    Attributes:
        company: the address of the sandbox company's database, for what happens outside.
    """

    url: str
    company: str
    shop: Client
    people: Mapping[str, Client]
    tokens: Mapping[str, str]
    began_at: datetime


@dataclass(frozen=True, slots=True)
class Sent:
    """An event, and the status in which its case must come to rest."""

    event: Json
    ends: str


async def nothing_meanwhile(_doors: Doors, _parts: Parts, _sent: Mapping[str, str]) -> None:
    """Nothing happens outside while the cases wait."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """One workflow's part of the demo.

    Attributes:
        says: what is sent, in one line.
        people: the demo people it needs, by id, with the roles they have.
        cases: by scene the event and where its case must end.
        doubled: a scene whose event is sent twice, and must stay one case.
        refused: by what is wrong with them the events that must be answered with 422.
        rejected: by scene why people reject; they approve what is not in it.
        meanwhile: what happens outside while cases wait; called again and again, with the case of each scene,
            until all have come to rest.
        check: prints what really happened in the company's systems, and returns what is not as it should be.
    """

    workflow: str
    says: str
    people: Mapping[str, tuple[str, ...]]
    cases: Mapping[str, Sent]
    doubled: str | None = None
    refused: Mapping[str, Json] = field(default_factory=dict)
    rejected: Mapping[str, str] = field(default_factory=dict)
    meanwhile: Callable[[Doors, Parts, Mapping[str, str]], Awaitable[None]] = nothing_meanwhile
    check: Callable[[Parts, Doors, Mapping[str, str]], Awaitable[list[str]]]


def event(name: str, type_: str, data: Json) -> Json:
    """A CloudEvents 1.0 event of the demo's shop; the same name is the same event."""
    return {"specversion": "1.0", "id": f"demo-{name}", "source": "/demo/shop", "type": type_, "data": data}
