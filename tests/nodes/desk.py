"""A case in front of its gateway: the runner's own context, and executions asked for by hand."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from psycopg import AsyncConnection

from checkpoints.audit import Event
from checkpoints.cases import Case
from checkpoints.session import Session, fenced_session
from graphs.contexts import context_on
from graphs.settings import Settings
from nodes.action import Proposal, Ref
from nodes.context import Context
from nodes.execution import Execution
from nodes.shapes import Json
from tests.house import LEE, House
from tools.contract import Arguments, Call, Record, Tool
from tools.registry import Registry
from tools.sandbox.cast import CAST

Perform = Callable[[Tool, Any, Call], Awaitable[Record]]


@dataclass(frozen=True, slots=True)
class Desk:
    """One case at its gateway."""

    context: Context

    async def execute(self, proposal: Proposal, shown: Json | None = None) -> Execution:
        """Hand a proposal to the gateway, as a task of its own."""
        return await self.context.gateway.execute(self.context.case, proposal, shown or {}, self._tell)

    def _tell(self, kind: str, *, actor: str | None = None, **data: Any) -> Event:
        return Event(
            id=str(uuid4()),
            case_id=self.context.case_id,
            kind=kind,
            actor=actor or "gateway",
            at=self.context.clock(),
            data=data,
        )


def desk_on(house: House, case: Case, session: Session) -> Desk:
    """A case's desk on a session."""
    return Desk(context_on(house.parts, case, house.parts.workflows[case.workflow], session))


@asynccontextmanager
async def at_desk(house: House, case: Case) -> AsyncIterator[Desk]:
    """A case's desk, on the thread's own session."""
    async with fenced_session(house.parts.database.engine, case.id) as session:
        yield desk_on(house, case, session)


def wish(case: Case, **changes: Any) -> Proposal:
    """The refund that the refund graph proposes for a case, with something else about it."""
    proposal = Proposal(
        case_id=case.id,
        step="refund",
        revision=1,
        tool="payments.refund",
        tool_version="1",
        arguments={
            "payment_id": Ref("target.payment_id"),
            "order_id": Ref("order.order_id"),
            "customer_id": Ref("customer.customer_id"),
            "amount_minor": Ref("target.amount_minor"),
            "currency": Ref("target.currency"),
            "reason_code": Ref("event.reason_code"),
        },
        proposer="agent:policy",
        reason="It arrived damaged.",
        evidence=("order",),
        advice={"recommends": True, "confidence_percent": 90},
    )
    return replace(proposal, **changes)


def with_arguments(case: Case, **arguments: Any) -> Proposal:
    """The refund with other arguments."""
    return wish(case, arguments={**wish(case).arguments, **arguments})


async def approved(house: House, scene: str) -> tuple[Case, Json]:
    """A case that a lead has approved and nobody has gone on with, and the facts that were shown."""
    case = await house.after(scene)
    review = await house.review(case.id)
    await house.vote(review, LEE)
    return case, dict(review.shown["facts"])


def with_refunds(house: House, perform: Perform, **changes: Any) -> House:
    """The same house with a payment system that refunds like this."""

    async def performed(arguments: Arguments, call: Call) -> Record:
        return await perform(real, arguments, call)

    tools = house.parts.registry._real
    real = tools["payments.refund"]
    registry = Registry(
        replace(tool, perform=performed, **changes) if tool is real else tool for tool in tools.values()
    )
    return House(replace(house.parts, registry=registry, capability=registry.hand_over()))


async def at_the_company(settings: Settings, statement: str, *values: Any) -> None:
    """Change the company's books directly, as one of its own systems would."""
    assert settings.sandbox_url is not None
    async with await AsyncConnection.connect(settings.sandbox_url, autocommit=True) as connection:
        await connection.execute(statement, values)


async def paid(house: House, scene: str) -> list[int]:
    """What really has been refunded on a scene's order, in minor units."""
    return [refund["amount_minor"] for refund in await house.refunds(CAST[scene].order_id)]
