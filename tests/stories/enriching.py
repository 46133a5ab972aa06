"""What stories about enrichment share: its people, its event, what the CRM says, and a colleague at work."""

from dataclasses import dataclass
from typing import Any

import psycopg

from checkpoints.cases import Case
from checkpoints.reviews import Review
from graphs.intake import CloudEvent, Intake
from graphs.settings import Settings
from tests.house import SHOP, House
from tests.stories.reviewing import now_working, person, told
from tools.contract import Call
from tools.sandbox.crm.cast import ACCOUNTS
from tools.sandbox.crm.vocabulary import FIELDS

SAM = person("sam", "sales_ops")
SUE = person("sue", "sales_ops")
LENA = person("lena", "sales_ops_lead")
TEAM = (SAM, SUE, LENA)


def sales_team(settings: Settings) -> None:
    """The people file has the sales team alone."""
    now_working(settings, *TEAM)


def enrichment_event(scene: str, event_id: str = "") -> CloudEvent:
    """The event of a cast account."""
    return CloudEvent(
        id=event_id or scene,
        source="/crm",
        type="com.countersign.account.enrichment_due",
        data={"account_id": ACCOUNTS[scene].account_id},
    )


async def enriched(house: House, scene: str, event_id: str = "") -> Case:
    """The case of an account once all work that can be done without people is done."""
    case, _ = await Intake(house.parts).receive(enrichment_event(scene, event_id), SHOP)
    await house.work()
    return await house.case(case.id)


async def fields(house: House, scene: str) -> dict[str, dict[str, Any]]:
    """What the CRM really says of an account, by field."""
    registry, capability = house.parts.registry, house.parts.capability
    wanted = registry.describe("crm.get_account").arguments.model_validate(
        {"account_id": ACCOUNTS[scene].account_id}
    )
    account = await registry.call(capability, "crm.get_account", wanted, Call(key="test"))
    return {field["field"]: field for field in account.model_dump(mode="json")["fields"]}


async def values(house: House, scene: str) -> dict[str, Any]:
    """By field its value alone."""
    return {name: field["value"] for name, field in (await fields(house, scene)).items()}


async def ends(house: House, case: Case) -> dict[str, tuple[str, str]]:
    """By field how it ended, and why, as the record has it."""
    ended = await told(house, case.id, "field.ended")
    assert len({event["field"] for event in ended}) == len(ended), "a field ends once"
    return {event["field"]: (event["end"], event["reason"]) for event in ended}


def about(review: Review) -> str:
    """The field that a review is about."""
    return str(review.action["arguments"]["field"])


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody who works in the CRM itself, past Countersign."""

    sandbox_url: str

    async def sets(self, scene: str, field: str, value: str, at: object) -> None:
        """Set a field by hand."""
        assert field in FIELDS
        await self._do(
            "UPDATE crm_fields SET value = %s, set_by = 'person:rhea', set_at = %s,"
            " version = nextval('crm_versions') WHERE account_id = %s AND field = %s",
            value,
            at,
            ACCOUNTS[scene].account_id,
            field,
        )

    async def closes(self, scene: str) -> None:
        """Close an account."""
        await self._do(
            "UPDATE crm_accounts SET status = 'closed' WHERE account_id = %s", ACCOUNTS[scene].account_id
        )

    async def _do(self, statement: str, *given: object) -> None:
        async with await psycopg.AsyncConnection.connect(self.sandbox_url, autocommit=True) as connection:
            cursor = await connection.execute(statement.encode(), given)
            assert cursor.rowcount == 1
