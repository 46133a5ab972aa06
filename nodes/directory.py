"""Who there is now: people with the roles they hold at this moment, and how they can be told."""

from dataclasses import dataclass
from typing import Protocol

from nodes.permissions import Kind, Principal


class DirectoryUnfit(Exception):
    """Nobody can say at the moment who is who; whoever signed cannot be looked up."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mailbox:
    """Somebody who can be written to."""

    actor: str
    name: str
    email: str


class Directory(Protocol):
    """The people there are; asked again each time, so that a role that is taken away ends at once."""

    def person(self, actor: str) -> Principal | None:
        """The person behind `person:…`, None if there is none (any more); raises DirectoryUnfit."""

    def mailboxes(self, *, role: str | None = None, actor: str | None = None) -> list[Mailbox]:
        """Who holds a role, or is this actor, and has an address; raises DirectoryUnfit."""


def acting_for(actor: str) -> str:
    """Who acts: of `schedule:<id>/person:…` the person who made the schedule."""
    if actor.startswith(f"{Kind.SCHEDULE}:"):
        return actor.partition("/")[2]
    return actor


def eyes_of(directory: Directory, actor: str) -> str:
    """Whose eyes are behind an actor; of an account that is gone, the human whose name it bore."""
    actor = acting_for(actor)
    person = directory.person(actor)
    return actor.removeprefix(f"{Kind.PERSON}:") if person is None else person.eyes
