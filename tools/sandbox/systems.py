"""The systems of the sandbox company: whose tables are founded, and what is in them on that day."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from tools.sandbox.company import company
from tools.sandbox.crm.founding import crm_rows
from tools.sandbox.operations.past import operations
from tools.sandbox.product_events.rows import product_events
from tools.sandbox.rows import Table
from tools.sandbox.staging import staged
from tools.sandbox.vendors.staging import vendor_rows


@dataclass(frozen=True, kw_only=True, slots=True)
class System:
    """A system of the company.

    Attributes:
        package: where its `schema.sql` lies.
        table: a table of it that has rows once it is founded.
        rows: its rows from a seed, the day, and how many customers the company has; parents before children.
    """

    package: str
    table: str
    rows: Callable[[int, datetime, int], Iterable[Table]]


def _shop(seed: int, as_of: datetime, customers: int) -> Iterator[Table]:
    yield from company(seed=seed, as_of=as_of, customers=customers).tables()
    yield from staged(as_of).tables()


SYSTEMS = (
    System(package="tools.sandbox", table="customers", rows=_shop),
    System(package="tools.sandbox.crm", table="crm_accounts", rows=crm_rows),
    System(package="tools.sandbox.product_events", table="product_events", rows=product_events),
    System(package="tools.sandbox.operations", table="services", rows=operations),
    System(package="tools.sandbox.vendors", table="vendors", rows=vendor_rows),
)
"""In the order in which they refer to each other."""
