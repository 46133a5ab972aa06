"""The account enrichment of the demo: clean, contradicting, misled, a customer's, nothing to do."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from api.demo.scenario import Doors, Scenario, Sent, event
from api.show import console
from graphs.wiring import Parts
from nodes.shapes import Json
from tools.contract import Call
from tools.sandbox.crm.cast import ACCOUNTS
from tools.sandbox.crm.vocabulary import FIELDS

WANTED: Mapping[str, Mapping[str, str]] = {
    "clean": {
        "industry": "software",
        "employees_band": "50_249",
        "headquarters_country": "DE",
        "segment": "mid_market",
    },
    "clean_large": {
        "industry": "energy",
        "employees_band": "5000_plus",
        "headquarters_country": "DE",
        "segment": "enterprise",
    },
    "homonym": {
        "industry": "logistics",
        "employees_band": "50_249",
        "headquarters_country": "DE",
        "segment": "mid_market",
    },
    "contradicting": {
        "industry": "logistics",
        "employees_band": "10_49",
        "headquarters_country": "DE",
        "segment": "smb",
        "website": "www.marek-4.example.com",
    },
    "existing_customer": {
        "industry": "manufacturing",
        "employees_band": "50_249",
        "headquarters_country": "DE",
        "segment": "strategic",
    },
    "injection": {},
    "set_by_person": {},
    "merged": {},
}
"""The scenes that become cases, all of which must close, and by scene what we must have written."""
_SHOWN = {
    "industry": "industry",
    "employees_band": "employees",
    "headquarters_country": "country",
    "segment": "segment",
}
"""The fields that are printed, and what stands above them; what we have written is bold."""
REJECTED = {"injection": "The article is not to be trusted."}


def _event(scene: str) -> Json:
    data = {"account_id": ACCOUNTS[scene].account_id}
    return event(f"account-{scene}", "com.countersign.account.enrichment_due", data)


async def _miswritten(parts: Parts, _doors: Doors, _sent: Mapping[str, str]) -> list[str]:
    """Accounts whose fields in the CRM are not what their case came to."""
    table = Table("account", *_SHOWN.values())
    faults = []
    for scene, wanted in WANTED.items():
        values = await _fields(parts, scene)
        written = {name: one["value"] for name, one in values.items() if one["set_by"] == "countersign"}
        said = {name: str(values[name]["value"] or "-") for name in _SHOWN}
        shown = [f"[bold]{value}[/]" if name in written else value for name, value in said.items()]
        table.add_row(ACCOUNTS[scene].name, *shown)
        if written != wanted:
            faults.append(f"account {scene}: we have written {written}, not {dict(wanted)}")
    console.print(table)
    return faults


async def _fields(parts: Parts, scene: str) -> dict[str, dict[str, Any]]:
    """An account's fields, asked of the CRM itself, in the order of their names in it."""
    arguments = parts.registry.describe("crm.get_account").arguments
    wanted = arguments.model_validate({"account_id": ACCOUNTS[scene].account_id})
    account = await parts.registry.call(parts.capability, "crm.get_account", wanted, Call(key="demo"))
    found = {one["field"]: one for one in account.model_dump(mode="json")["fields"]}
    return {name: found[name] for name in FIELDS}


SCENARIO = Scenario(
    workflow="enrichment",
    says="9 accounts: clean, contradicting, misled, a customer's, not there",
    people={"rhea": ("sales_ops",), "paul": ("sales_ops_lead",)},
    cases={scene: Sent(_event(scene), "closed") for scene in WANTED},
    doubled="clean",
    refused={
        "an account that is not there": _event("clean")
        | {"id": "demo-none", "data": {"account_id": "A-00000"}}
    },
    rejected=REJECTED,
    check=_miswritten,
)
