"""How long a verdict with its full trace takes, and a permission, beside a plain chain of ifs for scale."""

import timeit
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table

from graphs.refund import KIT
from graphs.refund.records import RefundFacts
from nodes.facts import checked
from nodes.permissions import Verb
from tools.money import Money

CALLS, REPEATS = 2000, 7


def plain(facts: RefundFacts) -> str:
    """The refund's rules as a programmer would have written them without a table: no trace, no version."""
    if facts.fraud_signals >= 1 or facts.customer_status == "closed" or facts.amount.currency != "EUR":
        return "investigate"
    if not facts.in_payment_currency or facts.window_total.currency != "EUR" or facts.captured_payments == 0:
        return "investigate"
    if facts.amount.amount_minor <= 0 or facts.exceeds_refundable:
        return "refuse"
    if facts.order_status != "delivered" or facts.days_since_delivery is None:
        return "investigate"
    if facts.days_since_delivery > {"standard": 30, "silver": 45, "gold": 60}[facts.tier]:
        return "refuse"
    if facts.captured_payments > 1 or not facts.agent_recommends or facts.confidence_percent < 70:
        return "investigate"
    small = facts.window_total.amount_minor < 5000 and facts.asked_by == "author"
    return "allow" if small else "review"


def measure() -> dict[str, float]:
    """Microseconds a call, the best of several rounds: what else the machine does only ever adds."""
    workflow = KIT.workflow()
    table = workflow.rulings["payments.refund"].table
    (row,) = (row for row in table.rows if row.id == "RF-92")  # judged last, so every row has its trace
    facts = checked(RefundFacts, row.examples[0])
    assert isinstance(facts, RefundFacts)
    amount = Money(amount_minor=12000, currency="EUR")
    return {
        "a chain of ifs": _microseconds(lambda: plain(facts)),
        "a verdict with its full trace": _microseconds(lambda: table.judge(facts)),
        "a permission": _microseconds(
            lambda: workflow.permissions.decide(("support_lead",), Verb.DECIDE, "payments.refund", amount)
        ),
    }


def _microseconds(call: Callable[[], Any]) -> float:
    return min(timeit.repeat(call, number=CALLS, repeat=REPEATS)) / CALLS * 1e6


def show() -> None:
    """Print the figures."""
    table = Table(title=f"Rules: best of {REPEATS} x {CALLS} calls", title_justify="left")
    table.add_column("what")
    table.add_column("µs", justify="right")
    for name, taken in measure().items():
        table.add_row(name, f"{taken:.2f}")
    Console(width=100).print(table)
