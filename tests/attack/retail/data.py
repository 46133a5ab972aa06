"""The retail domain of the τ²-bench, where it lies beside the project: its company, and its right actions."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from nodes.shapes import Json
from tests.attack.retail.shapes import PLACE
from tools.sandbox.rows import Table

VARIABLE = "COUNTERSIGN_TAU2_RETAIL"
KINDS = {
    "cancel_pending_order": "sales.cancel",
    "modify_pending_order_items": "sales.modify_items",
    "modify_pending_order_address": "sales.modify_address",
    "modify_pending_order_payment": "sales.modify_payment",
    "return_delivered_order_items": "sales.return_items",
    "exchange_delivered_order_items": "sales.exchange_items",
    "modify_user_address": "shoppers.modify_address",
}
"""The tool that does what an action of the benchmark does; all others read, or hand over to people."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Act:
    """A right action: what a customer asks for, and what is to be done.

    Attributes:
        wanted: the arguments by name, as the benchmark has them.
    """

    id: str
    task: str
    tool: str
    customer_id: str
    message: str
    wanted: Json


def folder() -> Path | None:
    """Where the data are, None if they are nowhere."""
    if named := os.environ.get(VARIABLE):
        return Path(named) if (Path(named) / "db.json").is_file() else None
    beside = (parent / "shared" / "data" / "tau2-retail" for parent in Path(__file__).resolve().parents)
    return next((place for place in beside if (place / "db.json").is_file()), None)


@cache
def books() -> Any:
    """Products, users and orders as the benchmark has them."""
    return _read("db.json")


def acts() -> list[Act]:
    """Every right action that changes something, in the order of the tasks."""
    return [act for task in _read("tasks.train.json") for act in _acts(task)]


def _acts(task: Json) -> Iterator[Act]:
    words = task["user_scenario"]["instructions"]
    for action in task["evaluation_criteria"]["actions"] or ():
        if action["name"] in KINDS:
            wanted = dict(action["arguments"])
            order = books()["orders"].get(wanted.get("order_id"))
            yield Act(
                id=action["action_id"],
                task=task["id"],
                tool=KINDS[action["name"]],
                customer_id=wanted.pop("user_id", None) or order["user_id"],
                message=words["reason_for_call"],
                wanted=wanted,
            )


def tables() -> Iterator[Table]:
    """The company's rows, parents before children."""
    found = books()
    variants = [
        (
            v["item_id"],
            p["product_id"],
            p["name"],
            json.dumps(v["options"]),
            v["available"],
            cents(v["price"]),
        )
        for p in found["products"].values()
        for v in p["variants"].values()
    ]
    yield Table(
        "variants", ("item_id", "product_id", "product", "options", "available", "price_minor"), variants
    )
    users, orders = list(found["users"].values()), list(found["orders"].values())
    shoppers = [
        (u["user_id"], " ".join(u["name"].values()), u["email"], *(u["address"][part] for part in PLACE))
        for u in users
    ]
    yield Table("shoppers", ("customer_id", "name", "email", *PLACE), shoppers)
    methods = [
        (u["user_id"], m["id"], m["source"], cents(m["balance"]) if "balance" in m else None)
        for u in users
        for m in u["payment_methods"].values()
    ]
    yield Table("methods", ("customer_id", "method_id", "kind", "balance_minor"), methods)
    sales = [
        (o["order_id"], o["user_id"], o["status"], *(o["address"][part] for part in PLACE)) for o in orders
    ]
    yield Table("sales", ("order_id", "customer_id", "status", *PLACE), sales)
    items = [
        (o["order_id"], line, item["item_id"], cents(item["price"]))
        for o in orders
        for line, item in enumerate(o["items"], 1)
    ]
    yield Table("sale_items", ("order_id", "line_no", "item_id", "price_minor"), items)
    payments = [
        (o["order_id"], line, p["transaction_type"], cents(p["amount"]), p["payment_method_id"])
        for o in orders
        for line, p in enumerate(o["payment_history"], 1)
    ]
    yield Table("sale_payments", ("order_id", "line_no", "kind", "amount_minor", "method_id"), payments)


def cents(dollars: float) -> int:
    """An amount in minor units."""
    return round(dollars * 100)


def _read(name: str) -> Any:
    place = folder()
    assert place is not None, f"set {VARIABLE}"
    return json.loads((place / name).read_text(encoding="utf-8"))
