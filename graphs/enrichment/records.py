"""The enrichment's event, what is derived for each field, and the facts that its rules may read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel

from graphs.enrichment.agents import NewsReading
from graphs.enrichment.sources import Sources, compared, gives_orders, tells_of_upheaval
from nodes.action import Proposal, Ref
from nodes.agent import Percent
from nodes.facts import Fact, Facts
from nodes.records import Records
from nodes.shapes import Json
from nodes.workflow import EventData
from tools.contract import Record, Trust
from tools.sandbox.accounts.records import Account, AccountId, FieldValue, Relations
from tools.sandbox.accounts.sources import CompanyNews, Firmographics
from tools.sandbox.crm.vocabulary import FieldName


@dataclass(frozen=True, kw_only=True, slots=True)
class Topic:
    """A field that is enriched.

    Attributes:
        agent: whose finding the value is, under the field's own name.
        lasts: after how long a value is stale.
    """

    agent: str
    lasts: timedelta

    def value(self, field: str) -> str:
        """The reference to the value that is proposed."""
        return f"{self.agent}.{field}"


TOPICS: Mapping[FieldName, Topic] = {
    "industry": Topic(agent="profiler", lasts=timedelta(days=730)),
    "employees_band": Topic(agent="profiler", lasts=timedelta(days=365)),
    "headquarters_country": Topic(agent="profiler", lasts=timedelta(days=730)),
    "segment": Topic(agent="segmenter", lasts=timedelta(days=365)),
    "website": Topic(agent="profiler", lasts=timedelta(days=365)),
}
"""The fields, in the order in which they are looked at."""


class EnrichmentDue(EventData):
    """An account that is to be looked at: by the clock, or because somebody asks for it."""

    account_id: AccountId


class FieldTarget(Record):
    """A field as it stands: what would be overwritten, and at which version."""

    field: FieldName
    value: str | None
    set_by: str
    expected_version: int
    standing: Literal["empty", "stale", "fresh"]


class FieldFacts(Facts):
    """What the rules for setting a field may read.

    Attributes:
        value_from: the finding that belongs to the field, a person's edit, or anything else.
        standing: `same` if the field says so already.
        sources: whether the register of companies and the company's website both say the same, as fixed code
            reads them; of a segment, what the size comes to.
        news: whether there is any, about whom, whether it tells of an upheaval, and whether it gives orders.
        confidence_percent: how sure the agent is of this very field.
    """

    field: FieldName
    account_status: Literal["active", "closed", "merged"]
    value_from: Literal["finding", "person", "elsewhere"]
    standing: Literal["empty", "stale", "fresh", "same"]
    set_by_person: bool
    sources: Sources
    existing_customer: bool
    news: Literal["none", "about_company", "about_another", "upheaval", "gives_orders"]
    confidence_percent: Percent


def derive(records: Records, now: datetime) -> Mapping[str, BaseModel]:
    """Each field of the account as it stands now, under its own name."""
    account = records["account"]
    assert isinstance(account, Account)
    return {value.field: _target(value, now) for value in account.fields}


def _target(value: FieldValue, now: datetime) -> FieldTarget:
    stale = now - value.set_at > TOPICS[value.field].lasts
    return FieldTarget(
        field=value.field,
        value=value.value,
        set_by=value.set_by,
        expected_version=value.version,
        standing="empty" if value.value is None else "stale" if stale else "fresh",
    )


def due(records: Records) -> list[FieldName]:
    """The fields that are empty or stale, in order."""
    return [name for name in TOPICS if target_of(records, name).standing != "fresh"]


def target_of(records: Records, field: FieldName) -> FieldTarget:
    """A field as it stands."""
    target = records[field]
    assert isinstance(target, FieldTarget)
    return target


def field_facts(records: Records, proposal: Proposal, arguments: Json, now: datetime) -> dict[str, Fact]:
    """The facts of one field, by the arguments as resolved: what the proposal says of itself is nothing."""
    field: FieldName = arguments["field"]
    account, relations, known = records["account"], records["relations"], records["firmographics"]
    assert isinstance(account, Account)
    assert isinstance(relations, Relations)
    assert isinstance(known, Firmographics)
    target, topic = target_of(records, field), TOPICS[field]
    same = target.value == arguments["value"]
    percent = getattr(records[topic.agent], f"{field}_percent")

    def fact(value: Any, source: str, trust: Trust = Trust.RECORD) -> Fact:
        return Fact(value=value, source=source, trust=trust, at=now)

    return {
        "field": fact(field, f"{field}.field"),
        "account_status": fact(account.status, "account.status"),
        "value_from": fact(_value_from(proposal, field, topic.value(field)), "proposal"),
        "standing": fact("same" if same else target.standing, "account.fields"),
        "set_by_person": fact(
            target.value is not None and target.set_by.startswith("person:"), "account.fields"
        ),
        "sources": fact(compared(known, field, arguments["value"]), "firmographics"),
        "existing_customer": fact(relations.group_is_customer, "relations.group_is_customer"),
        "news": fact(news_of(records), "news_reader", Trust.MODEL),
        "confidence_percent": fact(percent, f"{topic.agent}.{field}_percent", Trust.MODEL),
    }


def _value_from(proposal: Proposal, field: str, finding: str) -> str:
    """Where the value comes from: whose word it is decides which confidence speaks for it.

    An edit puts another value in its place, and never in another place.
    """
    value, place = proposal.arguments["value"], ("field", "expected_version")
    if any(proposal.arguments[name] != Ref(f"{field}.{name}") for name in place):
        return "elsewhere"
    if isinstance(value, Ref):
        return "finding" if value.path == finding else "elsewhere"
    return "person" if "value" in proposal.edits else "elsewhere"


def news_of(records: Records) -> str:
    """What there is of news; fixed code reads it too, so that no model can be talked out of the worst."""
    news, reading, known = records["news"], records["news_reader"], records["firmographics"]
    assert isinstance(news, CompanyNews)
    assert isinstance(reading, NewsReading)
    assert isinstance(known, Firmographics)
    if reading.gives_orders or gives_orders(news):
        return "gives_orders"
    if tells_of_upheaval(news, known):
        return "upheaval"
    if not news.items:
        return "none"
    return "about_company" if reading.about_this_company else "about_another"
