"""The shop's workflow: what a customer asks for, what the clerk makes of it, rules, and one deed."""

from typing import get_args

from graphs.flow import Builder, Flow
from graphs.kit import Judged, Kit, Mind
from nodes.ask import ask
from nodes.propose import propose
from nodes.records import Source, WindowStart
from nodes.retrieve import retrieve
from nodes.shapes import Json
from nodes.windows import Subject
from tests.attack.retail.facts import (
    MoneyFacts,
    PlaceFacts,
    TakenBackFacts,
    deeds_so_far,
    money_facts,
    place_facts,
    taken_back_facts,
)
from tests.attack.retail.wishes import (
    DETAILS,
    Deed,
    Reading,
    Target,
    Wish,
    derive,
    playbook,
    propose_deed,
)

CUSTOMER = Subject(key=lambda event: str(event["customer_id"]), source="history.deeds", entries=deeds_so_far)
MONEY = ("cancel", "return_items", "exchange_items", "modify_items", "modify_payment")


def build() -> Builder:
    """The uncompiled graph; whoever runs it compiles it with a checkpointer."""
    flow = Flow()
    flow.step("retrieve", retrieve, {"ready": "read", "rejected": "rejected"})
    flow.step("read", ask("clerk"), {"ready": "propose", "blocked": "blocked"}, otherwise="uncertain")
    flow.step("propose", propose(propose_deed), {"ready": "judge_act"}, otherwise="uncertain", again="read")
    flow.deed("act", *get_args(Deed), then="closed")
    return flow.built()


SAID = dict.fromkeys(DETAILS, ("clerk",))


def _amount(arguments: Json) -> tuple[int, str]:
    return arguments["amount_minor"], arguments["currency"]


def _money(verb: str) -> Judged:
    return Judged(
        tool=f"sales.{verb}",
        file=f"{verb}.yaml",
        facts=MoneyFacts,
        gather=money_facts,
        own={"customer_id": "customer.customer_id"},
        apart=("order_id",),
        said=SAID,
        amount=_amount,
        subjects={"customer": CUSTOMER},
    )


def _place(tool: str, file: str, *apart: str) -> Judged:
    own = {"customer_id": "customer.customer_id"}
    return Judged(tool=tool, file=file, facts=PlaceFacts, gather=place_facts, own=own, apart=apart, said=SAID)


KIT = Kit(
    package="tests.attack.retail",
    name="retail",
    version="1",
    event_type="com.example.retail.asked",
    event=Wish,
    title=lambda wish: f"A wish about {wish.order_id or 'an account'}",
    sources=(
        Source(name="customer", tool="shoppers.get", arguments={"customer_id": "event.customer_id"}),
        Source(name="orders", tool="sales.list", arguments={"customer_id": "event.customer_id"}),
        Source(name="offers", tool="products.get", arguments={"item_ids": "event.new_item_ids"}, shared=True),
        Source(
            name="history",
            tool="shoppers.history",
            arguments={"customer_id": "event.customer_id", "since": WindowStart("sales.cancel")},
        ),
    ),
    scope=(
        ("customer.customer_id", "event.customer_id"),
        ("customer.methods.customer_id", "event.customer_id"),
        ("orders.customer_id", "event.customer_id"),
        ("orders.orders.customer_id", "event.customer_id"),
        ("history.deeds.customer_id", "event.customer_id"),
    ),
    derive=derive,
    derived={"target": Target},
    judged=(
        *(_money(verb) for verb in MONEY),
        _place("sales.modify_address", "modify_address.yaml", "order_id"),
        _place("shoppers.modify_address", "move.yaml"),
        Judged(
            tool="sales.take_back",
            file="take_back.yaml",
            facts=TakenBackFacts,
            gather=taken_back_facts,
            own={"deed_id": "undo.deed_id"},
        ),
    ),
    agents={"clerk": Mind(Reading, playbook)},
    build=build,
)
