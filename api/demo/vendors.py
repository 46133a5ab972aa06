"""The vendors of the demo: clean, rejected, with something missing, named by a list, with two accounts."""

from collections.abc import Mapping

from api.demo.scenario import Doors, Scenario, Sent, event
from api.show import console, vendor_table
from graphs.clock import utc_now
from graphs.wiring import Parts
from nodes.shapes import Json
from tools.contract import Call
from tools.sandbox.database import open_sandbox
from tools.sandbox.vendors.cast import CAST
from tools.sandbox.vendors.papers import as_text, papers_of
from tools.sandbox.vendors.staging import company_of
from tools.sandbox.vendors.uploads import upload

ENDS = {
    "clean_pdf": "closed",
    "clean_text": "rejected",
    "missing_bank_letter": "closed",
    "nearly_sanctioned": "closed",
    "other_account": "closed",
    "sanctioned": "escalated",
    "injection": "uncertain",
}
"""The vendors that apply, and where the case of each must end."""

REJECTED = {"clean_text": "The bank does not confirm the account."}
"""Whom the people reject, and why."""
_ANSWERS = "missing_bank_letter"


def _event(scene: str) -> Json:
    data = {"vendor_id": CAST[scene].vendor_id}
    return event(f"vendor-{scene}", "com.countersign.vendor.applied", data)


async def _answered(doors: Doors, _parts: Parts, sent: Mapping[str, str]) -> None:
    """Once it was asked, the vendor sends its letter in, and the portal says that there is news."""
    case = await doors.shop.case(sent[_ANSWERS])
    if case["status"] != "waiting_info":
        return
    scene = CAST[_ANSWERS]
    letter = papers_of(company_of(scene, doors.began_at))["bank_letter"]
    async with open_sandbox(doors.company, clock=utc_now) as company:
        await upload(
            company,
            vendor_id=scene.vendor_id,
            kind="bank_letter",
            file_name="bank_letter.txt",
            content_type="text/plain",
            content=as_text(letter),
        )
    news = event("vendor-news", "com.countersign.case.informed", {}) | {"subject": case["id"]}
    await doors.shop.send(news)


async def _misplaced(parts: Parts, _doors: Doors, _sent: Mapping[str, str]) -> list[str]:
    """Vendors that are not what their case came to, asked of the register itself."""
    described = parts.registry.describe("vendors.get")
    vendors = []
    for scene in ENDS:
        wanted = described.arguments.model_validate({"vendor_id": CAST[scene].vendor_id})
        found = await parts.registry.call(parts.capability, described.name, wanted, Call(key="demo"))
        vendors.append(found.model_dump(mode="json"))
    console.print(vendor_table(vendors))
    wanted_active = {CAST[scene].vendor_id for scene, end in ENDS.items() if end == "closed"}
    return [
        f"vendor {vendor['vendor_id']} is {vendor['status']}"
        for vendor in vendors
        if (vendor["status"] == "active") is not (vendor["vendor_id"] in wanted_active)
    ]


SCENARIO = Scenario(
    workflow="vendor",
    says="7 vendors: clean, odd, listed, silent at first, and one that gives orders",
    people={
        "lena": ("legal",),
        "ines": ("finance",),
        "omar": ("finance",),
        "petra": ("procurement",),
        "carl": ("compliance",),
    },
    cases={scene: Sent(_event(scene), end) for scene, end in ENDS.items()},
    refused={"a vendor without an id": _event("silent") | {"data": {}}},
    rejected=REJECTED,
    meanwhile=_answered,
    check=_misplaced,
)
