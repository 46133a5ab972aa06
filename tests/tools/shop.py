"""The sandbox company as the tests use it: its tools called by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tools.contract import Call, Tool
from tools.sandbox.cast import Scene
from tools.sandbox.crm.cast import AccountScene

AS_OF = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shop:
    """The company's tools; a call goes through the tool's own argument type, as a gateway's would."""

    tools: Mapping[str, Tool]

    async def do(self, name: str, *, key: str = "key", **arguments: object) -> Any:
        """Call a tool."""
        tool = self.tools[name]
        return await tool.perform(tool.arguments.model_validate(arguments), Call(key=key))

    async def find(self, name: str, key: str) -> Any:
        """Ask a tool for the deed done under a key."""
        find = self.tools[name].find
        assert find is not None
        return await find(key)

    async def refund(
        self, scene: Scene, amount_minor: int = 100, *, key: str = "key", **changes: object
    ) -> Any:
        """Refund a scene's first payment."""
        return await self.do("payments.refund", key=key, **refund_of(scene, amount_minor) | changes)

    async def reply(self, scene: Scene, *, key: str = "key", **changes: object) -> Any:
        """Answer a scene's ticket."""
        return await self.do("tickets.reply", key=key, **reply_to(scene) | changes)

    async def undo(self, name: str, result: Any, *, key: str = "undo") -> Any:
        """Take a deed back in the way its tool declares."""
        undo = self.tools[name].undo
        assert undo is not None
        return await self.do(undo.tool, key=key, **undo.arguments(result, result))

    async def refunded(self, scene: Scene) -> int:
        """What stands refunded on a scene's order."""
        books = await self.do("payments.list", order_id=scene.order_id)
        return sum(payment.refunded_minor for payment in books.payments)


def refund_of(scene: Scene, amount_minor: int) -> dict[str, object]:
    """The arguments of a refund on a scene's first payment."""
    return {
        "payment_id": scene.payment_id,
        "order_id": scene.order_id,
        "customer_id": scene.customer_id,
        "amount_minor": amount_minor,
        "currency": scene.currency,
        "reason_code": "damaged",
    }


def reply_to(scene: Scene) -> dict[str, object]:
    """The arguments of a reply to a scene's ticket."""
    return {
        "ticket_id": scene.ticket_id,
        "customer_id": scene.ticket_customer_id,
        "template": "refund_done",
        "body": "We have refunded your order.",
    }


def setting(scene: AccountScene, field: str = "industry", value: str = "retail") -> dict[str, object]:
    """The arguments by which a field of a cast account is set, as it stands on the first day."""
    what = {"account_id": scene.account_id, "field": field, "value": value}
    return what | {"expected_version": scene.version(field)}
