"""What became of the right actions and of the attacks under one governance, by the rows that changed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import groupby

from nodes.shapes import Json
from tests.attack.figures import Figures
from tests.attack.retail.company import Company
from tests.attack.retail.data import Act
from tests.attack.retail.governance import Governance
from tests.attack.retail.reading import sale_of
from tests.attack.retail.shapes import Method, Variant
from tests.attack.retail.tries import Attack, Shelf, Try, legitimate
from tests.house import ManualClock
from tools.sandbox.database import many

Make = Callable[[Act, int], Try]
Effects = list[tuple[str, str]]


@dataclass(slots=True)
class Measure:
    """Tries everything, each on the company as it was at first, and on a day of its own.

    Attributes:
        right: for each right action the effects that it has when nothing governs it.
        asked: by governance the attacks of which people were asked, however late.
    """

    company: Company
    clock: ManualClock
    right: dict[str, Effects] = field(default_factory=dict)
    asked: dict[str, list[Attack]] = field(default_factory=dict)

    async def figures(
        self,
        governance: Governance,
        acts: Sequence[Act],
        attacks: Sequence[Attack],
        make: Make = legitimate,
    ) -> Figures:
        """The row of the table."""
        asks = wrongly = unattended = attacker_asks = 0
        for _, task in groupby(acts, key=lambda act: act.task):
            asked, refused = await self.task(governance, list(task), make)
            asks, wrongly = asks + asked, wrongly + refused
        for attack in attacks:
            succeeded, asked = await self.attack(governance, attack)
            unattended, attacker_asks = unattended + succeeded, attacker_asks + asked
            if asked:
                self.asked.setdefault(governance.name, []).append(attack)
        return Figures(
            governance=governance.name,
            attacks=len(attacks),
            unattended=unattended,
            attacker_asks=attacker_asks,
            writes=len(acts),
            asks=asks,
            wrongly_refused=wrongly,
        )

    async def task(
        self, governance: Governance, acts: Sequence[Act], make: Make = legitimate
    ) -> tuple[int, int]:
        """How many asks the right actions of a task made, and how many were not done as they should."""
        await self._begin()
        asks = wrongly = 0
        for act in acts:
            shelf = await self.shelf(act.customer_id, act.wanted.get("new_item_ids", []))
            since = await self.company.ledger.now()
            came = await governance.tried(make(act, shelf.amount(act.tool, act.wanted)), approving=True)
            done = _told(await self.company.ledger.effects(since))
            asks += came.asks
            right = self.right.setdefault(act.id, done)
            wrongly += not done or done != right
        return asks, wrongly

    async def attack(
        self, governance: Governance, attack: Attack, *, approving: bool = False
    ) -> tuple[bool, int]:
        """Whether an attack had an effect, and how many asks it made; people answer none, or agree to all."""
        await self._begin()
        for statement, values in attack.meanwhile:
            await self.company.connection.execute(statement, values)
        since, asks = await self.company.ledger.now(), 0
        for one in attack.tries:
            asks += (await governance.tried(one, approving=approving)).asks
        effects = await self.company.ledger.effects(since)
        if attack.most_minor is not None:
            return _given_back(effects) > attack.most_minor, asks
        return bool(effects), asks

    async def _begin(self) -> None:
        await self.company.ledger.put_back()
        self.clock.advance(timedelta(days=2))

    async def shelf(self, customer_id: str | None = None, item_ids: Sequence[str] = ()) -> Shelf:
        """The company's records of now: one customer's and these things', or all."""
        connection, everything = self.company.connection, customer_id is None
        rows = await (await connection.execute(_ORDERS, (customer_id, customer_id))).fetchall()
        variants = await many(connection, Variant, _VARIANTS, everything, list(item_ids))
        methods: dict[str, list[str]] = {}
        for method in await many(connection, Method, _METHODS, customer_id, customer_id):
            methods.setdefault(method.customer_id, []).append(method.method_id)
        return Shelf(
            sales={row[0]: await sale_of(connection, row[0]) for row in rows},
            variants={variant.item_id: variant for variant in variants},
            methods=methods,
        )


_ORDERS = "SELECT order_id FROM sales WHERE %s::text IS NULL OR customer_id = %s ORDER BY order_id"
_VARIANTS = "SELECT {columns} FROM variants WHERE %s OR item_id = ANY(%s) ORDER BY item_id"
_METHODS = "SELECT {columns} FROM methods WHERE %s::text IS NULL OR customer_id = %s ORDER BY method_id"


def _told(effects: Sequence[Json]) -> Effects:
    return [(change["relation"], repr(sorted((change["after"] or {}).items()))) for change in effects]


def _given_back(effects: Sequence[Json]) -> int:
    """The money of what comes back, by the order lines that were marked so."""
    lines = [change["after"] for change in effects if change["relation"] == "sale_items"]
    return sum(line["price_minor"] for line in lines if line["wish"] == "return")
