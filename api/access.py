"""Access: one table says for each route who may call it; a route that is not in it answers nobody."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.routing import APIRoute

from api.people import People, UnknownToken
from checkpoints.audit import Event, tell
from graphs.wiring import Parts
from nodes.permissions import Kind, Principal


class Unauthenticated(Exception):
    """A valid token is needed: send it as 'Authorization: Bearer …'."""


class Forbidden(Exception):
    """Your token does not allow this."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """Who may call a route: people with any role, services with this scope, or everybody."""

    people: bool = False
    scope: str | None = None
    open: bool = False

    def allows(self, principal: Principal) -> bool:
        """Whether this principal may call the route."""
        if principal.kind is Kind.PERSON:
            return self.people and bool(principal.roles)
        return self.scope is not None and self.scope in principal.scopes


ROUTES = {
    "receive_event": Access(people=True, scope="cases:start"),
    "list_cases": Access(people=True, scope="cases:read"),
    "get_case": Access(people=True, scope="cases:read"),
    "get_timeline": Access(people=True, scope="cases:read"),
    "list_verdicts": Access(people=True, scope="cases:read"),
    "list_reviews": Access(people=True),
    "get_review": Access(people=True),
    "cast_vote": Access(people=True),
    "verify_audit": Access(people=True),
    "live": Access(open=True),
    "ready": Access(open=True),
    "openapi": Access(open=True),
}


def get_parts(request: Request) -> Parts:
    """The parts this application runs on."""
    parts: Parts = request.app.state.parts
    return parts


async def require_access(request: Request) -> None:
    """Let a request through if the table says so; every route of the application stands behind this.

    Raises:
        Unauthenticated: no token, or one that is unknown or expired.
        Forbidden: the token does not allow this route; the attempt is on the record.
    """
    route = request.scope["route"]
    assert isinstance(route, APIRoute)
    access = ROUTES.get(route.name, Access())
    if access.open:
        return
    principal = _authenticated(request)
    if not access.allows(principal):
        await _record_denial(get_parts(request), principal, route.name)
        raise Forbidden
    request.state.principal = principal


def get_caller(request: Request) -> Principal:
    """Whom `require_access` let through; a route that is open to all has none."""
    principal: Principal = request.state.principal
    return principal


def _authenticated(request: Request) -> Principal:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    people: People = request.app.state.people
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated
    try:
        return people.principal(token.strip())
    except UnknownToken as error:
        raise Unauthenticated(str(error)) from error


async def _record_denial(parts: Parts, principal: Principal, route: str) -> None:
    denied = Event(
        id=parts.ids(),
        case_id=None,
        kind="access.denied",
        actor=principal.actor,
        at=parts.clock(),
        data={"route": route},
    )
    async with parts.database.transaction() as tx:
        await tell(tx, denied)


Caller = Annotated[Principal, Depends(get_caller)]
TheParts = Annotated[Parts, Depends(get_parts)]
