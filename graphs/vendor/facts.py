"""What the rules of the vendor workflow may read, and from which record each of it comes."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from graphs.vendor.agents import Extraction, Level, Risk
from graphs.vendor.checks import Checks
from nodes.action import Proposal
from nodes.agent import Percent
from nodes.facts import Fact, Facts
from nodes.records import Records
from nodes.shapes import Json
from tools.contract import Trust
from tools.sandbox.vendors.accounts import VendorAccounts
from tools.sandbox.vendors.clearances import VendorClearances
from tools.sandbox.vendors.documents import VendorDocuments
from tools.sandbox.vendors.register import Vendor
from tools.sandbox.vendors.screening import Screening

Count = Annotated[int, Field(ge=0)]
Standing = Literal["applied", "active", "suspended"]


class EndorsementFacts(Facts):
    """What the rules for endorsing an account may read."""

    vendor_status: Standing
    screening_percent: Percent
    on_file: Literal["none", "same", "other"]
    home_country: bool
    other_accounts: Count
    missing: Count
    doubts: Count
    confidence_percent: Percent


class ClearanceFacts(Facts):
    """What the rules for a department's clearance may read."""

    department: Literal["legal", "finance", "procurement"]
    vendor_status: Standing
    screening_percent: Percent
    screener_risk: Level
    missing: Count
    doubts: Count
    confidence_percent: Percent


class ActivationFacts(Facts):
    """What the rules for activating a vendor may read."""

    vendor_status: Standing
    screening_percent: Percent
    legal_cleared: bool
    finance_cleared: bool
    procurement_cleared: bool
    account_endorsed: bool


class RequestFacts(Facts):
    """What the rules for asking a vendor may read."""

    vendor_status: Standing
    template: str
    by_record: bool
    missing: Count
    turn: Annotated[int, Field(ge=1)]


def endorsement_facts(
    records: Records, proposal: Proposal, arguments: Json, now: datetime
) -> dict[str, Fact]:
    """Whether the account is known, where it is, and what else stands in the documents."""
    accounts, checks = records["accounts"], records["checks"]
    assert isinstance(accounts, VendorAccounts)
    assert isinstance(checks, Checks)
    iban, country = str(arguments["iban"]), _vendor(records).country
    known = "same" if iban in accounts.ibans else "other"
    source, trust = proposal.source_of("iban", records)
    return {
        **_application(records, now),
        **_dossier(checks, now),
        "on_file": _fact(known if accounts.ibans else "none", "accounts.ibans", now),
        "home_country": Fact(value=iban[:2] == country, source=source, trust=trust, at=now),
        "other_accounts": _fact(checks.other_accounts, "documents.pages", now),
        "confidence_percent": _fact(checks.confidence_percent, "extractor", now, Trust.MODEL),
    }


def clearance_facts(records: Records, proposal: Proposal, arguments: Json, now: datetime) -> dict[str, Fact]:
    """Which department, what the screening says, and whether the dossier is whole."""
    checks, risk, extraction = records["checks"], records["screener"], records["extractor"]
    assert isinstance(checks, Checks)
    assert isinstance(risk, Risk)
    assert isinstance(extraction, Extraction)
    source, trust = proposal.source_of("department", records)
    surest = min(extraction.confidence_percent, risk.confidence_percent)
    return {
        **_application(records, now),
        **_dossier(checks, now),
        "department": Fact(value=arguments["department"], source=source, trust=trust, at=now),
        "screener_risk": _fact(risk.risk, "screener.risk", now, Trust.MODEL),
        "confidence_percent": _fact(surest, "screener", now, Trust.MODEL),
    }


def activation_facts(
    records: Records, _proposal: Proposal, arguments: Json, now: datetime
) -> dict[str, Fact]:
    """Who has cleared the documents as they are now, and whether the account is one that was endorsed."""
    clearances, documents, accounts = (records[name] for name in ("clearances", "documents", "accounts"))
    assert isinstance(clearances, VendorClearances)
    assert isinstance(documents, VendorDocuments)
    assert isinstance(accounts, VendorAccounts)
    cleared = {one.department for one in clearances.clearances if one.dossier == documents.digest}
    return {
        **_application(records, now),
        "legal_cleared": _fact("legal" in cleared, "clearances.clearances", now),
        "finance_cleared": _fact("finance" in cleared, "clearances.clearances", now),
        "procurement_cleared": _fact("procurement" in cleared, "clearances.clearances", now),
        "account_endorsed": _fact(
            arguments["account_id"] in accounts.account_ids, "accounts.account_ids", now
        ),
    }


def request_facts(records: Records, proposal: Proposal, arguments: Json, now: datetime) -> dict[str, Fact]:
    """How much is missing, who says so, and how often the vendor was asked before."""
    source, trust = proposal.source_of("items", records)
    return {
        "vendor_status": _fact(str(_vendor(records).status), "vendor.status", now),
        "template": _fact(arguments["template"], "request.template", now),
        "by_record": _fact(trust is Trust.RECORD, source, now),
        "missing": _fact(len(arguments["items"]), source, now, trust),
        "turn": _fact(arguments["turn"], "request.turn", now),
    }


def _application(records: Records, now: datetime) -> dict[str, Fact]:
    screening = records["screening"]
    assert isinstance(screening, Screening)
    return {
        "vendor_status": _fact(str(_vendor(records).status), "vendor.status", now),
        "screening_percent": _fact(screening.score, "screening.score", now),
    }


def _dossier(checks: Checks, now: datetime) -> dict[str, Fact]:
    return {
        "missing": _fact(len(checks.missing), "checks.missing", now, Trust.MODEL),
        "doubts": _fact(len(checks.doubts), "checks.doubts", now, Trust.MODEL),
    }


def _vendor(records: Records) -> Vendor:
    vendor = records["vendor"]
    assert isinstance(vendor, Vendor)
    return vendor


def _fact(value: Any, source: str, now: datetime, trust: Trust = Trust.RECORD) -> Fact:
    return Fact(value=value, source=source, trust=trust, at=now)
