"""What stories about vendors share: their people, their events, and a look into the register."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from checkpoints.cases import Case
from checkpoints.reviews import Review
from checkpoints.votes import VoteKind
from graphs.intake import CloudEvent, Intake
from graphs.settings import Settings
from nodes.permissions import Principal
from tests.house import SHOP, House, ManualClock
from tests.stories.reviewing import now_working, person
from tools.contract import Call
from tools.sandbox.database import open_sandbox
from tools.sandbox.vendors.cast import CAST
from tools.sandbox.vendors.documents import DocumentKind
from tools.sandbox.vendors.papers import as_text, papers_of
from tools.sandbox.vendors.staging import company_of
from tools.sandbox.vendors.uploads import upload

LARA = person("lara", "legal")
FRED = person("fred", "finance")
FIONA = person("fiona", "finance")
PIA = person("pia", "procurement")
PAUL = person("paul", "procurement_lead")
CLEO = person("cleo", "compliance")
TEO = person("teo", "team_lead")
EVERYBODY = (LARA, FRED, FIONA, PIA, PAUL, CLEO, TEO)
DEPARTMENTS = {"legal": LARA, "finance": FRED, "procurement": PIA}


def at_work(settings: Settings) -> None:
    """The people of the vendor workflow are in the people file."""
    now_working(settings, *EVERYBODY)


def vendor_event(scene: str, event_id: str | None = None) -> CloudEvent:
    """The event of a cast vendor that has applied."""
    return CloudEvent(
        id=event_id or f"vendor-{scene}",
        source="/portal",
        type="com.countersign.vendor.applied",
        data={"vendor_id": CAST[scene].vendor_id},
    )


async def applied(house: House, scene: str) -> Case:
    """The case of a vendor once all work that can be done without people is done."""
    case, _ = await Intake(house.parts).receive(vendor_event(scene), SHOP)
    await house.work()
    return await house.case(case.id)


async def reviews(house: House, case: Case) -> dict[str, Review]:
    """The open reviews of a case: by department, or by tool where it is no department's."""
    found = await house.open_reviews(case.id)
    return {str(one.action["arguments"].get("department", one.tool)): one for one in found}


async def endorsed(house: House, case: Case, *who: Principal) -> Case:
    """The case once these people have endorsed its account."""
    for person_ in who or (FRED,):
        case = await house.decided((await reviews(house, case))["vendors.endorse_account"], person_)
    return case


async def decided(house: House, case: Case, department: str, kind: VoteKind = VoteKind.APPROVE) -> Case:
    """The case once a department has decided."""
    return await house.decided((await reviews(house, case))[department], DEPARTMENTS[department], kind)


async def cleared(house: House, case: Case) -> Case:
    """The case once all three departments have cleared the vendor."""
    for department in DEPARTMENTS:
        case = await decided(house, case, department)
    return case


async def sent_in(
    settings: Settings, clock: ManualClock, scene: str, kind: DocumentKind, **changes: Any
) -> None:
    """A minute later the vendor sends in a document as it should be, or with something else in it."""
    company = company_of(CAST[scene], clock())
    clock.advance(timedelta(minutes=1))
    assert settings.sandbox_url is not None
    async with open_sandbox(settings.sandbox_url, clock=clock) as sandbox:
        await upload(
            sandbox,
            vendor_id=CAST[scene].vendor_id,
            kind=kind,
            file_name=f"{kind}_again.txt",
            content_type="text/plain",
            content=as_text(papers_of(replace(company, **changes))[kind]),
        )


async def read(house: House, tool: str, scene: str) -> dict[str, Any]:
    """What the register says about a vendor of the cast."""
    registry, capability = house.parts.registry, house.parts.capability
    arguments = registry.describe(tool).arguments.model_validate({"vendor_id": CAST[scene].vendor_id})
    record = await registry.call(capability, tool, arguments, Call(key="test"))
    return dict(record.model_dump(mode="json"))


async def deeds(house: House, case: Case) -> list[str]:
    """What was done in a case, by the names of the tools."""
    return sorted(effect.tool for effect in await house.effects(case.id) if effect.state == "done")
