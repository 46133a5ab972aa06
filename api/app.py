"""The application: routers, access and errors put together around the parts."""

from collections.abc import Iterable

from fastapi import APIRouter, Depends, FastAPI

from api import (
    audit,
    cases,
    connectors,
    delegations,
    dossier,
    events,
    exceptions,
    halts,
    health,
    metrics,
    notifications,
    personal,
    record,
    review_acts,
    reviews,
    rollbacks,
    rules,
    schedules,
    stream,
    tools,
    triggers,
)
from api.access import require_access
from api.arrivals import Arrivals
from api.bodies import LimitBodies
from api.errors import PROBLEMS, body_too_large, body_too_late, handle_errors
from api.rates import Buckets, Rates
from api.stream import Live
from api.traffic import CountRequests
from graphs.exposition import Exposition
from graphs.wiring import Parts


def create_app(parts: Parts) -> FastAPI:
    """The HTTP application on opened parts."""
    parts_of_it = (
        *(events, cases, stream, review_acts, reviews, delegations, rules),
        *(notifications, personal, record, dossier, rollbacks, exceptions, halts),
        *(connectors, schedules, triggers, tools, audit, health, metrics),
    )
    app = _application(parts, [part.router for part in parts_of_it])
    app.state.live = Live(parts)
    return app


def create_worker_app(parts: Parts) -> FastAPI:
    """What a worker answers on a port of its own: how it is, and what it has done."""
    return _application(parts, [health.router, metrics.router])


def _application(parts: Parts, routers: Iterable[APIRouter]) -> FastAPI:
    app = FastAPI(
        title="Countersign",
        summary="Governed agentic workflows: agents propose, rules decide who must sign, people countersign.",
        version="0.1.0",
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(require_access)],
        responses=PROBLEMS,
    )
    app.state.parts = parts
    app.state.arrivals = Arrivals(parts)
    app.state.exposition = Exposition(parts)
    app.state.rates = Rates(
        addresses=Buckets(parts.address_rate, parts.clock),
        principals=Buckets(parts.principal_rate, parts.clock),
    )
    for router in routers:
        app.include_router(router)
    app.add_middleware(LimitBodies, refusal=body_too_large, late=body_too_late)
    app.add_middleware(CountRequests, meter=parts.meter)
    handle_errors(app)
    return app
