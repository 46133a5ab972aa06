"""A workflow of a user's: stock, which a system outside keeps, is set aside for an order."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from graphs.flow import Builder, Flow
from graphs.kit import Judged, Kit
from nodes.action import Proposal, Ref
from nodes.context import Context
from nodes.facts import Fact, Facts
from nodes.propose import propose
from nodes.records import Records, Source
from nodes.retrieve import retrieve
from nodes.shapes import Json
from nodes.state import CaseState
from nodes.workflow import EventData
from tools.contract import Trust
from tools.sandbox.customers import CustomerId
from tools.sandbox.orders import OrderId


class ShelfRequest(EventData):
    """What is to be set aside, for which order."""

    order_id: OrderId
    customer_id: CustomerId
    sku: Annotated[str, Field(pattern=r"^S-[0-9]{1,6}$")]
    quantity: Annotated[int, Field(strict=True, ge=1, le=1000)]


class ShelfFacts(Facts):
    """What the rules may read."""

    enough: bool


def shelf_facts(records: Records, _proposal: Proposal, arguments: Json, now: datetime) -> dict[str, Fact]:
    stock: Any = records["stock"]
    enough = stock.free >= arguments["quantity"]
    return {"enough": Fact(value=enough, source="stock.free", trust=Trust.UNTRUSTED, at=now)}


def reserve(_state: CaseState, context: Context) -> Proposal:
    return Proposal(
        case_id=context.case_id,
        step="reserve",
        revision=1,
        tool="stock.reserve_stock",
        tool_version=context.registry.describe("stock.reserve_stock").version,
        arguments={"sku": Ref("event.sku"), "quantity": Ref("event.quantity")},
        proposer="rule:shelf",
        reason="The order needs it.",
        evidence=("order", "stock"),
    )


def build() -> Builder:
    flow = Flow()
    flow.step("retrieve", retrieve, {"ready": "propose", "rejected": "rejected"})
    flow.step("propose", propose(reserve), {"ready": "judge_reserve"}, otherwise="uncertain")
    flow.deed("reserve", "stock.reserve_stock", then="closed")
    return flow.built()


KIT = Kit(
    package="tests.fakes.shelf",
    name="shelf",
    version="1",
    event_type="com.example.shelf.wanted",
    event=ShelfRequest,
    title=lambda event: f"Set {event.quantity} {event.sku} aside for order {event.order_id}",
    sources=(
        Source(name="order", tool="orders.get", arguments={"order_id": "event.order_id"}),
        Source(name="stock", tool="stock.get_stock", arguments={"sku": "event.sku"}),
    ),
    scope=(("order.customer_id", "event.customer_id"), ("stock.owner", "event.customer_id")),
    judged=(
        Judged(
            tool="stock.reserve_stock",
            file="rules.yaml",
            facts=ShelfFacts,
            gather=shelf_facts,
            own={"sku": "event.sku"},
        ),
    ),
    agents={},
    build=build,
)
