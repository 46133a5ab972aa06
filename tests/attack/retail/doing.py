"""What the shop's systems do, by the shop's own policy: each deed one transaction, once a key."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from psycopg.types.json import Jsonb

from tests.attack.retail.acting import (
    cancel,
    exchange_items,
    modify_address,
    modify_items,
    modify_payment,
    move,
    return_items,
    unmove,
    unpay,
    unsend,
)
from tests.attack.retail.reading import Connection
from tests.attack.retail.shapes import (
    CancelOrder,
    MoveTo,
    PayBy,
    Receipt,
    ReturnItems,
    SendTo,
    SwapItems,
    TakeBack,
)
from tools.contract import Arguments, Call, Effect, Record, RecordNotFound, Tool, ToolRefused, Undo
from tools.sandbox.database import Sandbox, one

A_DAY = timedelta(days=1)
_KEPT = "SELECT arguments, receipt FROM deeds WHERE tool = %s AND key = %s"
_KEEP = """
    INSERT INTO deeds (deed_id, tool, key, customer_id, order_id, amount_minor, arguments, receipt, done_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""

Act = Callable[[Connection, Any, str], Awaitable[Receipt]]


@dataclass(frozen=True, slots=True)
class Deeds:
    """The deeds of the shop, kept by their keys."""

    sandbox: Sandbox

    async def do(self, tool: str, act: Act, arguments: Arguments, call: Call) -> Receipt:
        """Do it once: the same key again is the same deed."""
        async with self.sandbox.writing(tool, call.key) as connection:
            row = await (await connection.execute(_KEPT, (tool, call.key))).fetchone()
            given = arguments.model_dump(mode="json")
            if row is not None:
                if row[0] != given:
                    raise ToolRefused("this idempotency key was used with other arguments")
                return Receipt.model_validate(row[1])
            (number,) = await _row(connection, "SELECT nextval('deed_numbers')")
            receipt = await act(connection, arguments, f"D-{number}")
            whose = (receipt.customer_id, receipt.order_id, receipt.amount_minor)
            kept = (Jsonb(given), Jsonb(receipt.model_dump(mode="json")), self.sandbox.now())
            await connection.execute(_KEEP, (f"D-{number}", tool, call.key, *whose, *kept))
            return receipt

    async def find(self, tool: str, key: str) -> Receipt | None:
        """What was done under a key."""
        async with self.sandbox.finding(tool, key) as connection:
            row = await (await connection.execute(_KEPT, (tool, key))).fetchone()
        return None if row is None else Receipt.model_validate(row[1])

    async def take_back(self, connection: Connection, wanted: TakeBack, deed_id: str) -> Receipt:
        """Put back the address, or the way of payment, that a deed of the last day has changed."""
        known = await one(connection, _Known, _HOLD_DEED, wanted.deed_id)
        if known is None or known.tool not in _TAKEN_BACK:
            raise RecordNotFound(f"there is no deed {wanted.deed_id} to take back")
        if known.taken_back_at is not None or self.sandbox.now() - known.done_at > A_DAY:
            raise ToolRefused(f"{wanted.deed_id} cannot be taken back any more")
        done = Receipt.model_validate(known.receipt)
        await _TAKEN_BACK[known.tool](connection, done)
        values = (self.sandbox.now(), wanted.deed_id)
        await connection.execute("UPDATE deeds SET taken_back_at = %s WHERE deed_id = %s", values)
        return done.model_copy(update={"deed_id": deed_id, "amount_minor": 0})


class _Known(Record):
    tool: str
    receipt: dict[str, Any]
    done_at: datetime
    taken_back_at: datetime | None


_HOLD_DEED = "SELECT {columns} FROM deeds WHERE deed_id = %s FOR UPDATE"


async def _row(connection: Connection, query: str) -> tuple[Any, ...]:
    row = await (await connection.execute(query.encode())).fetchone()
    assert row is not None
    return tuple(row)


_TAKEN_BACK: dict[str, Callable[[Connection, Receipt], Awaitable[None]]] = {
    "sales.modify_address": unsend,
    "sales.modify_payment": unpay,
    "shoppers.modify_address": unmove,
}


def doing_tools(sandbox: Sandbox) -> tuple[Tool, ...]:
    """The tools that change something."""
    deeds = Deeds(sandbox)
    order_again = "The customer orders again."
    not_sent = "What is not sent in is not returned: the customer keeps it, and nothing is paid."
    arrived = "The customer exchanges or returns what arrives."

    def write(name: str, purpose: str, takes: type[Arguments], act: Act, outside: str | None) -> Tool:
        undo = Undo(
            tool="sales.take_back",
            arguments=lambda _, done: {"deed_id": Receipt.model_validate(done).deed_id},
            window=A_DAY,
            proven_for="1",
        )
        return Tool(
            name=name,
            version="1",
            purpose=purpose,
            effect=Effect.WRITE,
            arguments=takes,
            result=Receipt,
            perform=partial(deeds.do, name, act),
            idempotent=True,
            find=partial(deeds.find, name),
            undo=undo if outside is None else None,
            undone_outside=outside,
            authority=frozenset(takes.model_fields),
        )

    return (
        write("sales.cancel", "Cancel a pending order.", CancelOrder, cancel, order_again),
        write("sales.return_items", "Return things that arrived.", ReturnItems, return_items, not_sent),
        write("sales.exchange_items", "Exchange things that arrived.", SwapItems, exchange_items, not_sent),
        write("sales.modify_items", "Change a pending order's things.", SwapItems, modify_items, arrived),
        write("sales.modify_address", "Send a pending order elsewhere.", SendTo, modify_address, None),
        write("sales.modify_payment", "Pay a pending order otherwise.", PayBy, modify_payment, None),
        write("shoppers.modify_address", "Note where a customer lives.", MoveTo, move, None),
        write("sales.take_back", "Take back a change.", TakeBack, deeds.take_back, "It is changed again."),
    )
