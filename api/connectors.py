"""GET /connectors: which systems work, and which are left alone for a while."""

from datetime import datetime

from fastapi import APIRouter

from api.access import Caller, TheParts
from api.shapes import Shape
from nodes.guarded_brain import MODEL
from tools.breakers import Condition

router = APIRouter(tags=["connectors"])


class ConnectorOut(Shape):
    """A connector as this process sees it.

    Attributes:
        condition: `works`, or `rests` after too many failures in a row.
        since: when that began; null for one that this process has not called yet.
        failures: how many calls in a row have failed.
        until: of one that rests, when it is tried again.
    """

    connector: str
    condition: Condition
    since: datetime | None
    failures: int
    until: datetime | None


class ConnectorsOut(Shape):
    """Every connector, by name; `model` is the agents' model."""

    items: list[ConnectorOut]


@router.get("/connectors")
async def list_connectors(parts: TheParts, _caller: Caller) -> ConnectorsOut:
    """How every connector is; that one began to rest or works again is in the log too, from every process."""
    known = {one.connector: ConnectorOut.model_validate(one) for one in parts.breakers.standings()}
    for name in {*(tool.connector for tool in parts.registry), MODEL} - known.keys():
        known[name] = ConnectorOut(
            connector=name, condition=Condition.WORKS, since=None, failures=0, until=None
        )
    return ConnectorsOut(items=[known[name] for name in sorted(known)])
