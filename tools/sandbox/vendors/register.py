"""The register: who applies, as what and from where, and what is required of such a vendor."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from tools.contract import Arguments, Call, Effect, FieldClass, Marked, Record, RecordNotFound, Tool, Trust
from tools.sandbox.database import Sandbox, one

VendorId = Annotated[str, Field(pattern=r"^V-[0-9]{5}$", max_length=7)]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$", max_length=2)]
Kind = Literal["goods", "services", "logistics"]
Item = Annotated[str, Field(pattern=r"^(document|field):[a-z_]{1,40}$", max_length=60)]
"""What can be required of a vendor: a document of a kind, or what one of the documents has to say."""


class VendorStatus(StrEnum):
    """Where a vendor stands with the company."""

    APPLIED = "applied"
    ACTIVE = "active"
    SUSPENDED = "suspended"


class Vendor(Record):
    """A vendor as it applied: its own words about itself."""

    vendor_id: str
    legal_name: Annotated[str, Marked(field_class=FieldClass.PERSONAL, trust=Trust.UNTRUSTED)]
    kind: Kind
    country: str
    contact_email: Annotated[str, Marked(field_class=FieldClass.PERSONAL, trust=Trust.UNTRUSTED)]
    status: VendorStatus
    applied_at: datetime


class Requirements(Record):
    """What a vendor of a kind and country has to show: the company's own list."""

    kind: str
    country: str
    items: list[str]


class GetVendor(Arguments):
    """Which vendor."""

    vendor_id: VendorId


class ListRequirements(Arguments):
    """For vendors of which kind and country."""

    kind: Kind
    country: Country


_GET = "SELECT {columns} FROM vendors WHERE vendor_id = %s"
_REQUIRED = """
    SELECT kind, country, array_agg(item ORDER BY item) AS items FROM vendor_requirements
    WHERE kind = %s AND country = %s GROUP BY kind, country
"""


def register_tools(sandbox: Sandbox) -> tuple[Tool, ...]:
    """Reading the register."""

    async def get(arguments: GetVendor, _call: Call) -> Vendor:
        async with sandbox.reading() as connection:
            vendor = await one(connection, Vendor, _GET, arguments.vendor_id)
        if vendor is None:
            raise RecordNotFound(f"there is no vendor {arguments.vendor_id}")
        return vendor

    async def required(arguments: ListRequirements, _call: Call) -> Requirements:
        async with sandbox.reading() as connection:
            found = await one(connection, Requirements, _REQUIRED, arguments.kind, arguments.country)
        if found is None:  # of which nothing is written nothing can be complete
            raise RecordNotFound(f"nothing says what {arguments.kind} of {arguments.country} need")
        return found

    return (
        Tool(
            name="vendors.get",
            version="1",
            purpose="Get a vendor as it applied: name, kind, country, contact, status.",
            effect=Effect.READ,
            arguments=GetVendor,
            result=Vendor,
            perform=get,
            idempotent=True,
        ),
        Tool(
            name="vendors.requirements",
            version="1",
            purpose="List which documents and details a vendor of a kind and country has to show.",
            effect=Effect.READ,
            arguments=ListRequirements,
            result=Requirements,
            perform=required,
            idempotent=True,
        ),
    )
