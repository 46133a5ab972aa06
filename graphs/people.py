"""Who may come in: people and services from a small file, known by hashed, expiring tokens."""

import hashlib
import secrets
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from checkpoints.canonical import digest
from graphs.operators_file import read_file
from nodes.directory import DirectoryUnfit, Mailbox
from nodes.permissions import Kind, Principal

PERSON_PREFIX = "csp_"
SERVICE_PREFIX = "csk_"
_SECRET_BYTES = 32

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,40}$")]


class PeopleFileUnfit(DirectoryUnfit):
    """The people file cannot be used; the message names the file and the field."""


class UnknownToken(Exception):
    """The token is unknown or has expired."""

    def __init__(self) -> None:
        super().__init__("the token is unknown or has expired")


class ExpiredToken(UnknownToken):
    """The token has expired; whoever sent it is not told that it was ever good."""

    def __init__(self, actor: str) -> None:
        super().__init__()
        self.actor = actor


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Token(_Strict):
    """A token as it is kept: its SHA-256, never itself (it has 256 random bits, so a plain hash will do)."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    expires_at: AwareDatetime


class Person(_Strict):
    """Somebody who may decide what their roles cover.

    Attributes:
        human: who it is, where one human has several accounts: they count as one pair of eyes.
        email: where notices for this person go.
    """

    id: Name
    name: Annotated[str, Field(min_length=1, max_length=200)]
    roles: list[Name]
    human: Name | None = None
    email: Annotated[str, Field(pattern=r"^[^@\s<>,;\x00-\x1f]{1,64}@[A-Za-z0-9.-]{1,250}$")] | None = None
    tokens: list[Token] = []


class Service(_Strict):
    """A program that starts and reads cases; it never decides."""

    id: Name
    name: Annotated[str, Field(min_length=1, max_length=200)]
    scopes: list[Annotated[str, Field(pattern="^(cases:(start|read|outcome)|metrics:read)$")]]
    keys: list[Token] = []


class PeopleFile(_Strict):
    """The file's content."""

    people: list[Person] = []
    services: list[Service] = []

    @model_validator(mode="after")
    def _nobody_twice(self) -> "PeopleFile":
        """An entry that is there twice could be revoked in one place and live on in the other."""
        _require_unique("a person", [person.id for person in self.people])
        _require_unique("a service", [service.id for service in self.services])
        kept = [*(person.tokens for person in self.people), *(service.keys for service in self.services)]
        _require_unique("a token", [token.sha256 for tokens in kept for token in tokens])
        return self

    def with_person(self, person: Person) -> "PeopleFile":
        """The content with this person added, or put in the place of whoever has the id."""
        others = [known for known in self.people if known.id != person.id]
        return self.model_copy(update={"people": [*others, person]})

    def with_service(self, service: Service) -> "PeopleFile":
        """The content with this service added, or put in the place of whichever has the id."""
        others = [known for known in self.services if known.id != service.id]
        return self.model_copy(update={"services": [*others, service]})


class People:
    """The people file, read again whenever it changes, so that a revoked token ends at once."""

    def __init__(self, path: Path, clock: Callable[[], datetime]) -> None:
        self._path = path
        self._clock = clock
        self._stamp: tuple[int, int, int] | None = None
        self._content = PeopleFile()
        self._known: dict[str, tuple[Principal, datetime]] = {}

    def principal(self, token: str) -> Principal:
        """Whose token this is; raises UnknownToken, or PeopleFileUnfit if the file is broken."""
        self._refresh()
        known = self._known.get(_hash(token))
        if known is None:
            raise UnknownToken
        if known[1] <= self._clock():
            raise ExpiredToken(known[0].actor)
        return known[0]

    def accounts(self) -> dict[str, dict[str, str]]:
        """By actor, digests of what the account may do and of its keys; raises PeopleFileUnfit."""
        self._refresh()
        people = {
            f"{Kind.PERSON}:{who.id}": _account([*sorted(who.roles), who.human or who.id], who.tokens)
            for who in self._content.people
        }
        services = {
            f"{Kind.SERVICE}:{what.id}": _account(sorted(what.scopes), what.keys)
            for what in self._content.services
        }
        return people | services

    def person(self, actor: str) -> Principal | None:
        """The person behind `person:…`, None if there is none any more; raises PeopleFileUnfit."""
        self._refresh()
        named = [person for person in self._content.people if f"{Kind.PERSON}:{person.id}" == actor]
        return _principal(named[0]) if named else None

    def service(self, name: str) -> Principal | None:
        """The service with this id, None if there is none any more; raises PeopleFileUnfit."""
        self._refresh()
        return next((_program(one) for one in self._content.services if one.id == name), None)

    def mailboxes(self, *, role: str | None = None, actor: str | None = None) -> list[Mailbox]:
        """Who holds a role, or is this actor, and has an address; raises PeopleFileUnfit."""
        self._refresh()
        found = []
        for person in self._content.people:
            who = _principal(person)
            if person.email is not None and (role in who.roles or actor == who.actor):
                found.append(Mailbox(actor=who.actor, name=person.name, email=person.email))
        return found

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._stamp, self._known, self._content = None, {}, PeopleFile()
            return
        except OSError as error:
            raise PeopleFileUnfit(f"{self._path} cannot be read: {error}") from error
        stamp = (status.st_mtime_ns, status.st_ino, status.st_size)
        if stamp != self._stamp:
            self._content = read_people(self._path)
            self._known = _index(self._content)
            self._stamp = stamp


def new_token(prefix: str, life: timedelta, now: datetime) -> tuple[str, Token]:
    """A fresh token, to be shown once, and what is kept of it."""
    token = prefix + secrets.token_urlsafe(_SECRET_BYTES)
    return token, Token(sha256=_hash(token), expires_at=now + life)


def read_people(path: Path) -> PeopleFile:
    """The people file, empty if there is none; raises PeopleFileUnfit."""
    return read_file(path, PeopleFile, PeopleFileUnfit, empty={}) or PeopleFile()


def write_people(path: Path, content: PeopleFile) -> None:
    """Replace the people file in one move, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(
        content.model_dump(mode="json", exclude_none=True), sort_keys=False, allow_unicode=True
    )
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        file.write(text)
    Path(file.name).replace(path)


def _index(content: PeopleFile) -> dict[str, tuple[Principal, datetime]]:
    known: dict[str, tuple[Principal, datetime]] = {}
    for person in content.people:
        who = _principal(person)
        known |= {token.sha256: (who, token.expires_at) for token in person.tokens}
    for service in content.services:
        known |= {key.sha256: (_program(service), key.expires_at) for key in service.keys}
    return known


def _account(roles: list[str], keys: list[Token]) -> dict[str, str]:
    kept = sorted((key.sha256, key.expires_at.isoformat()) for key in keys)
    return {"roles": digest(roles), "keys": digest(kept)}


def _principal(person: Person) -> Principal:
    return Principal(
        id=person.id,
        kind=Kind.PERSON,
        name=person.name,
        roles=frozenset(person.roles),
        human=person.human or person.id,
    )


def _program(service: Service) -> Principal:
    return Principal(id=service.id, kind=Kind.SERVICE, name=service.name, scopes=frozenset(service.scopes))


def _require_unique(what: str, values: list[str]) -> None:
    if len(set(values)) < len(values):
        raise ValueError(f"{what} is there twice")


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
