"""Customers: who buys at the company."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from tools.contract import Arguments, Call, Effect, FieldClass, Marked, Record, RecordNotFound, Tool, Trust
from tools.sandbox.database import Connection, Sandbox, exists, one

# [0-9] and not \d, which matches the digits of every script
CustomerId = Annotated[str, Field(pattern=r"^C-[0-9]{5}$", max_length=7)]


class Tier(StrEnum):
    """How good a customer is to the company."""

    STANDARD = "standard"
    SILVER = "silver"
    GOLD = "gold"


class AccountStatus(StrEnum):
    """Whether a customer's account can be used."""

    ACTIVE = "active"
    CLOSED = "closed"


class Customer(Record):
    """A customer; the name is whatever they typed."""

    customer_id: str
    name: Annotated[str, Marked(field_class=FieldClass.PERSONAL, trust=Trust.UNTRUSTED)]
    email: Annotated[str, Marked(field_class=FieldClass.PERSONAL)]
    tier: Tier
    status: AccountStatus
    country: str
    created_at: datetime


class GetCustomer(Arguments):
    """Which customer to get."""

    customer_id: CustomerId


_GET = "SELECT {columns} FROM customers WHERE customer_id = %s"


def customers_tools(sandbox: Sandbox) -> tuple[Tool, ...]:
    """The tools of the customer records."""

    async def get(arguments: GetCustomer, _call: Call) -> Customer:
        async with sandbox.reading() as connection:
            customer = await one(connection, Customer, _GET, arguments.customer_id)
        if customer is None:
            raise RecordNotFound(f"there is no customer {arguments.customer_id}")
        return customer

    return (
        Tool(
            name="customers.get",
            version="1",
            purpose="Get a customer: name, e-mail, tier and whether the account is active.",
            effect=Effect.READ,
            arguments=GetCustomer,
            result=Customer,
            perform=get,
            idempotent=True,
        ),
    )


async def require_customer(connection: Connection, customer_id: str) -> None:
    """Raise RecordNotFound unless there is such a customer."""
    if not await exists(connection, "SELECT FROM customers WHERE customer_id = %s", customer_id):
        raise RecordNotFound(f"there is no customer {customer_id}")
