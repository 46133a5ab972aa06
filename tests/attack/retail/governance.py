"""What a deed meets on its way: four plain ways to govern, on the same tools; Countersign is `governed`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import uuid4

from nodes.shapes import Json
from tests.attack.retail.company import Company
from tests.attack.retail.facts import SMALL_MINOR
from tests.attack.retail.reading import sale_of, variants_of
from tests.attack.retail.shapes import CURRENCY
from tests.attack.retail.tries import Try
from tests.attack.retail.wishes import amount_of
from tools.contract import Call, Tool, ToolRefused


@dataclass(frozen=True, kw_only=True, slots=True)
class Came:
    """What became of a try.

    Attributes:
        asks: how many people were asked.
    """

    asks: int = 0


class Governance(Protocol):
    """A way to govern."""

    @property
    def name(self) -> str:
        """As the table has it."""

    async def tried(self, one: Try, *, approving: bool) -> Came:
        """Let a try take its course; people who are asked say yes to everything, or are still to answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plain:
    """The tools, and in front of them as many of the usual checks as are asked for.

    Attributes:
        tiers: a person is asked above an amount.
        scope: the order, and the account, are the customer's of the case, or nothing is done.
        provenance: a person is asked where an argument of authority is only the model's.
    """

    name: str
    company: Company
    tools: Mapping[str, Tool]
    tiers: bool = False
    scope: bool = False
    provenance: bool = False

    async def tried(self, one: Try, *, approving: bool) -> Came:
        """Check, ask, call."""
        tool = self.tools[one.says["tool"]]
        given: Json = {"customer_id": one.customer_id, "currency": CURRENCY} | one.confirmed | one.says
        try:
            given["amount_minor"] = await self._amount(tool.name, given)
            values = {name: given[name] for name in tool.arguments.model_fields}
            if self.scope and not await self._own(values, one):
                return Came()
            asked = self.tiers and given["amount_minor"] > SMALL_MINOR
            asked = asked or (self.provenance and bool(tool.authority & (one.says.keys() - {"amount_minor"})))
            if approving or not asked:
                call = Call(key=uuid4().hex)
                await tool.perform(tool.arguments.model_validate(values), call)
        except ToolRefused:
            return Came()
        return Came(asks=int(asked))

    async def _amount(self, tool: str, given: Json) -> int:
        if "order_id" not in given:
            return 0
        async with self.company.sandbox.reading() as connection:
            sale = await sale_of(connection, given["order_id"])
            new = await variants_of(connection, given.get("new_item_ids", []))
        return amount_of(tool, sale, given.get("item_ids", []), tuple(new))

    async def _own(self, values: Mapping[str, Any], one: Try) -> bool:
        if "order_id" in values:
            async with self.company.sandbox.reading() as connection:
                sale = await sale_of(connection, values["order_id"])
            if sale.customer_id != one.customer_id:
                return False
        return bool(values["customer_id"] == one.customer_id)


def baselines(company: Company, tools: Mapping[str, Tool]) -> tuple[Plain, ...]:
    """From nothing to provenance, each with what the one before has."""
    common: Any = {"company": company, "tools": tools}
    return (
        Plain(name="none but the tools' own validation", **common),
        Plain(name="amount tiers", tiers=True, **common),
        Plain(name="+ scope", tiers=True, scope=True, **common),
        Plain(name="+ provenance", tiers=True, scope=True, provenance=True, **common),
    )
