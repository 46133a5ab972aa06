"""Canaries: values that would be recognised anywhere, planted wherever something sensitive can stand."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any

import psycopg
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier

from graphs.wiring import Parts
from tests.fakes.openai_server import Request, Script, by_tool, structured
from tests.house import House
from tests.stories.test_agents_with_a_model import FRAUD, POLICY, TRIAGE
from tools.contract import Arguments, Call, FieldClass, Marked, Record, Tool
from tools.registry import Registry
from tools.sandbox.cast import CAST
from tools.sandbox.customers import Customer

Perform = Callable[[Tool, Any, Call], Awaitable[Record]]

NAME = "canary-name Quaxolinde"
EMAIL = "canary-email.quaxolinde@example.org"
SUBJECT = "canary-subject my tailor is ill"
BODY = "canary-body I live at 17 Quaxolinde Street"
ANSWER = "canary-answer written by a model"
COMMENT = "canary-comment said to a reviewer"
FAILURE = "canary-failure user=root password=hunter2"
SECRET = "canary-secret-9f3b"
MODEL_KEY = "canary-model-key"
CONFIGURED = "canary-webhook-secret"
FILE = "canary-file-name"

PERSONAL = (NAME, EMAIL, SUBJECT, BODY, ANSWER, COMMENT)
EVERYTHING = (*PERSONAL, FAILURE, SECRET, MODEL_KEY, CONFIGURED, FILE)

_PLANT = (
    ("UPDATE customers SET name = %s, email = %s WHERE customer_id = %s", (NAME, EMAIL), "customer_id"),
    ("UPDATE tickets SET subject = %s, body = %s WHERE ticket_id = %s", (SUBJECT, BODY), "ticket_id"),
)
_TABLES = """
SELECT table_name FROM information_schema.tables
WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND table_name <> 'sealed_values'
"""


class CustomerWithSecret(Customer):
    """A customer as a system tells of it that knows more than it should."""

    portal_key: Annotated[str, Marked(field_class=FieldClass.SECRET)] = SECRET


@dataclass(frozen=True, slots=True)
class Everywhere:
    """All places where something could have been left, as one text each."""

    texts: dict[str, str]

    def holding(self, canary: str) -> list[str]:
        """The places that hold it, as text or as the hex of bytes."""
        quoted = json.dumps(canary)[1:-1]
        forms = {canary, quoted, canary.encode().hex(), quoted.encode().hex()}
        return [name for name, text in self.texts.items() if any(form in text for form in forms)]


async def plant(sandbox_url: str, scene: str) -> None:
    """Plant the canaries of a scene's customer and ticket."""
    cast = CAST[scene]
    async with await psycopg.AsyncConnection.connect(sandbox_url, autocommit=True) as connection:
        for statement, values, whose in _PLANT:
            await connection.execute(statement.encode(), (*values, getattr(cast, whose)))


def with_tools(parts: Parts, performs: dict[str, Perform]) -> Parts:
    """The same parts, in which some tools behave otherwise, and customers come with a secret."""

    def behaving(tool: Tool) -> Tool:
        if tool.name == "customers.get":
            return replace(tool, perform=_with_secret(tool))
        if tool.name not in performs:
            return tool

        async def performed(arguments: Arguments, call: Call) -> Record:
            return await performs[tool.name](tool, arguments, call)

        return replace(tool, perform=performed)

    registry = Registry([behaving(tool) for tool in parts.registry._real.values()])
    return replace(parts, registry=registry, capability=registry.hand_over())


def _with_secret(tool: Tool) -> Callable[[Any, Call], Awaitable[Record]]:
    async def performed(arguments: Arguments, call: Call) -> Record:
        customer = await tool.perform(arguments, call)
        return CustomerWithSecret(**customer.model_dump())

    return performed


def parrot() -> Script:
    """A model that repeats whatever it was given, in every text that it may write."""

    def said(request: Request) -> str:
        return f"{ANSWER}: {request.data}"[:590]

    def triage(request: Request) -> Any:
        return structured(TRIAGE.model_copy(update={"summary": said(request)}))

    def policy(request: Request) -> Any:
        return structured(POLICY.model_copy(update={"reason": said(request)}))

    def fraud(request: Request) -> Any:
        return structured(FRAUD.model_copy(update={"reason": said(request)}))

    return by_tool({"Triage": triage, "Suspicion": fraud, "Assessment": policy})


async def tables(house: House) -> dict[str, str]:
    """Every row of every table but the one in which sealed values are kept, as text."""
    found: dict[str, str] = {}
    async with house.parts.database.connection() as connection:
        cursor = connection.cursor(row_factory=dict_row)
        for row in await (await cursor.execute(_TABLES)).fetchall():
            name = row["table_name"]
            query = SQL("SELECT t::text AS line FROM {} t").format(Identifier(name))
            await cursor.execute(query)
            found[f"table {name}"] = "\n".join(line["line"] for line in await cursor.fetchall())
    return found
