"""Access: one table says for each route who may call it; a route that is not in it answers nobody."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.routing import APIRoute

from api.arrivals import Arrivals
from api.rates import Rates
from checkpoints.audit import Event, tell
from graphs.people import UnknownToken
from graphs.wiring import Parts
from nodes.permissions import Kind, Permission, Permissions, Permit, Principal, Role, Verb


class Unauthenticated(Exception):
    """A valid token is needed: send it as 'Authorization: Bearer …'."""


class Forbidden(Exception):
    """Your token does not allow this."""


ANYBODY, ANY_PERSON = "anybody", "person"
"""The roles of everybody, and of people with a role; a service has those of its scopes."""

ROUTES = {
    ANYBODY: ("live", "ready", "openapi"),
    ANY_PERSON: (
        "receive_event",
        "list_cases",
        "get_case",
        "get_timeline",
        "list_verdicts",
        "list_reviews",
        "get_review",
        "cast_vote",
        "count_reviews",
        "stream_reviews",
        "preview_edit",
        "claim_review",
        "release_review",
        "assign_review",
        "give_information",
        "decide_many",
        "list_delegations",
        "add_delegation",
        "revoke_delegation",
        "verify_audit",
        "get_head",
        "get_inclusion_proof",
        "get_consistency_proof",
        "list_rule_tables",
        "get_rule_table",
        "draft_rule_table",
        "decide_rule_table",
        "list_notifications",
        "retry_notification",
        "list_halts",
        "press_halt",
        "release_halt",
        "unmask_case",
        "erase_in_case",
        "get_record",
        "add_outcome",
        "get_dossier",
        "unmask_dossier",
        "roll_back_case",
        "roll_back_many",
        "get_rollbacks",
        "withdraw_vote",
        "list_exceptions",
        "retry_exception",
        "resolve_exception",
        "cancel_exception",
        "hand_over_exception",
        "cancel_case",
        "move_case",
        "list_connectors",
        "list_schedules",
        "list_triggers",
        "add_schedule",
        "remove_schedule",
        "pause_schedule",
        "resume_schedule",
        "list_tools",
        "admit_tool",
        "withdraw_tool",
    ),
    "cases:start": ("receive_event", "give_information"),
    "cases:read": ("list_cases", "get_case", "get_timeline", "list_verdicts", "get_record", "get_dossier"),
    "cases:outcome": ("add_outcome",),
    "metrics:read": ("scrape",),
}

PERMISSIONS = Permissions(
    Role(name=name, permissions=tuple(Permission(verb=Verb.CALL, on=route) for route in routes))
    for name, routes in ROUTES.items()
)


def roles_at_the_door(principal: Principal | None) -> tuple[str, ...]:
    """The roles by which somebody calls routes: a person's own roles say what they may decide, not here."""
    if principal is None:
        return (ANYBODY,)
    if principal.kind is Kind.PERSON:
        return (ANYBODY, ANY_PERSON) if principal.roles else (ANYBODY,)
    return (ANYBODY, *sorted(principal.scopes & ROUTES.keys() - {ANYBODY, ANY_PERSON}))


def may_call(principal: Principal | None, route: str) -> Permit:
    """Whether this principal, or nobody in particular, may call a route."""
    return PERMISSIONS.decide(roles_at_the_door(principal), Verb.CALL, route)


async def get_parts(request: Request) -> Parts:
    """The parts this application runs on; a coroutine, since FastAPI gives others a thread of their own."""
    return _parts(request)


async def require_access(request: Request) -> None:
    """Let a request through if the table says so; every route of the application stands behind this.

    Raises:
        TooManyRequests: by this address, or by this principal.
        Unauthenticated: no token, or one that is unknown or expired, which is on the record.
        Forbidden: the token does not allow this route; the attempt is on the record.
    """
    rates: Rates = request.app.state.rates
    rates.require_address(request)
    route = request.scope["route"]
    assert isinstance(route, APIRoute)
    if may_call(None, route.name).allowed:
        return
    principal = await _authenticated(request, route.name)
    rates.require_principal(principal.actor)
    if not may_call(principal, route.name).allowed:
        await _record_denial(_parts(request), principal, route.name)
        raise Forbidden
    request.state.principal = principal


async def get_caller(request: Request) -> Principal:
    """Whom `require_access` let through; a route that is open to all has none."""
    principal: Principal = request.state.principal
    return principal


def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


async def _authenticated(request: Request, route: str) -> Principal:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated
    arrivals: Arrivals = request.app.state.arrivals
    try:
        principal = _parts(request).people.principal(token.strip())
    except UnknownToken as error:
        await arrivals.refused(error, route)
        raise Unauthenticated(str(error)) from error
    await arrivals.signed_in(principal, route)
    return principal


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
