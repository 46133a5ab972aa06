"""Screening: a vendor's name held against the sanctions and watch list, by plain code."""

from typing import Literal

from tools.contract import Arguments, Call, Effect, Record, RecordNotFound, Tool
from tools.sandbox.database import Sandbox, many, one
from tools.sandbox.vendors.names import likeness
from tools.sandbox.vendors.register import Vendor, VendorId

FROM = 70
"""Names less alike than this are no hit."""
ELSEWHERE = 10
"""What a hit loses if the vendor is of none of its countries."""


class Hit(Record):
    """A name of the list that is like the vendor's.

    Attributes:
        score: from 0 to 100 how alike, less what another country takes off.
        same_country: whether the entry names the vendor's country, or none at all.
    """

    entry_id: str
    source: Literal["sanctions", "watch"]
    name: str
    score: int
    same_country: bool


class Screening(Record):
    """What the list has on a vendor; the best score comes first, and is 0 without a hit."""

    vendor_id: str
    score: int
    hits: list[Hit]


class ScreenVendor(Arguments):
    """Which vendor, by the name and country that it applied with."""

    vendor_id: VendorId


class _Entry(Record):
    """An entry of the list with all its names."""

    entry_id: str
    source: Literal["sanctions", "watch"]
    names: list[str]
    countries: list[str]


_VENDOR = "SELECT {columns} FROM vendors WHERE vendor_id = %s"
_LIST = "SELECT {columns} FROM watch_list ORDER BY entry_id"


def screening_tools(sandbox: Sandbox) -> tuple[Tool, ...]:
    """Asking the list."""

    async def screen(arguments: ScreenVendor, _call: Call) -> Screening:
        async with sandbox.reading() as connection:
            vendor = await one(connection, Vendor, _VENDOR, arguments.vendor_id)
            entries = await many(connection, _Entry, _LIST)
        if vendor is None:
            raise RecordNotFound(f"there is no vendor {arguments.vendor_id}")
        compared = (_compared(vendor.legal_name, vendor.country, entry) for entry in entries)
        hits = sorted(
            (hit for hit in compared if hit.score >= FROM), key=lambda hit: (-hit.score, hit.entry_id)
        )
        best = hits[0].score if hits else 0
        return Screening(vendor_id=vendor.vendor_id, score=best, hits=hits)

    return (
        Tool(
            name="vendors.screening",
            version="1",
            purpose="Hold a vendor's name against the sanctions and watch list.",
            effect=Effect.READ,
            arguments=ScreenVendor,
            result=Screening,
            perform=screen,
            idempotent=True,
        ),
    )


def _compared(name: str, country: str, entry: _Entry) -> Hit:
    """An entry by whichever of its names is most like the vendor's."""
    score, listed = max((likeness(name, listed), listed) for listed in entry.names)
    same = not entry.countries or country in entry.countries
    return Hit(
        entry_id=entry.entry_id,
        source=entry.source,
        name=listed,
        score=score if same else max(0, score - ELSEWHERE),
        same_country=same,
    )
