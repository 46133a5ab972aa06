"""What the rules for opening, joining, calling and grading may read."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from graphs.incident.agents import Analysis
from graphs.incident.policy import Level, Noise, raised_by
from graphs.incident.records import Floor, PlannedPage, incident_id
from nodes.action import Proposal
from nodes.agent import Percent
from nodes.facts import Fact, Facts
from nodes.records import Records
from nodes.shapes import Json
from tools.contract import Trust
from tools.sandbox.operations.incidents import ServiceIncidents
from tools.sandbox.operations.names import Severity, Urgency


class OpenFacts(Facts):
    """What the rules for opening an incident may read."""

    open_incidents: Annotated[int, Field(ge=0)]
    noise: Noise
    at_floor: bool


class JoinFacts(Facts):
    """What the rules for joining an alert to an incident may read."""

    incident_open: bool
    joined_before: bool


class PageFacts(Facts):
    """What the rules for calling the on-call may read."""

    incident_open: bool
    floor: Severity
    level: Level
    urgency: Urgency


class GradeFacts(Facts):
    """What the rules for another severity may read; `levels_raised` counts from the floor."""

    incident_open: bool
    levels_raised: Annotated[int, Field(ge=-3, le=3)]
    confidence_percent: Percent


def recorded(value: Any, source: str, now: datetime) -> Fact:
    """A fact that our systems say."""
    return Fact(value=value, source=source, trust=Trust.RECORD, at=now)


def analysed(value: Any, field: str, now: datetime) -> Fact:
    """A fact that the analyst says."""
    return Fact(value=value, source=f"incident_analyst.{field}", trust=Trust.MODEL, at=now)


def still_open(records: Records, arguments: Json, now: datetime) -> Fact:
    """Whether the incident that the deed names is the case's own, and open."""
    own = incident_id(records)
    return recorded(own is not None and own == arguments["incident_id"], "incidents.incidents", now)


def analysis_of(records: Records) -> Analysis:
    """What the analyst said last, as the log has it."""
    said = records["incident_analyst"]
    assert isinstance(said, Analysis)
    return said


def _floor(records: Records) -> Floor:
    floor = records["severity"]
    assert isinstance(floor, Floor)
    return floor


def _listed(records: Records) -> ServiceIncidents:
    listed = records["incidents"]
    assert isinstance(listed, ServiceIncidents)
    return listed


def open_facts(records: Records, _proposal: Proposal, arguments: Json, now: datetime) -> dict[str, Fact]:
    """How many incidents of the service are open, whether the alert is noise, and the severity by rule."""
    floor = _floor(records)
    open_ = sum(one.status == "open" for one in _listed(records).incidents)
    return {
        "open_incidents": recorded(open_, "incidents.incidents", now),
        "noise": recorded(floor.noise, "alert.firings_24h", now),
        "at_floor": recorded(arguments["severity"] == floor.floor, "severity.floor", now),
    }


def join_facts(records: Records, _proposal: Proposal, arguments: Json, now: datetime) -> dict[str, Fact]:
    """Whether the incident that the alert would join is open, and whether it has joined one before."""
    listed = _listed(records)
    open_ = {one.incident_id for one in listed.incidents if one.status == "open"}
    return {
        "incident_open": recorded(arguments["incident_id"] in open_, "incidents.incidents", now),
        "joined_before": recorded(bool(listed.joined), "incidents.joined", now),
    }


def page_facts(records: Records, _proposal: Proposal, arguments: Json, now: datetime) -> dict[str, Fact]:
    """How severe it is at least, and which planned call this is; of what is not planned nothing is known."""
    meant = (arguments["target"], arguments["urgency"])
    planned = [one for one in records.values() if isinstance(one, PlannedPage)]
    level = next((one.level for one in planned if (one.target, one.urgency) == meant), None)
    return {
        "incident_open": still_open(records, arguments, now),
        "floor": recorded(_floor(records).floor, "severity.floor", now),
        "level": recorded(level, "service.on_call", now),
        "urgency": recorded(arguments["urgency"], "severity.floor", now),
    }


def grade_facts(records: Records, _proposal: Proposal, arguments: Json, now: datetime) -> dict[str, Fact]:
    """By how many levels the proposed severity is above the floor, and how sure the analyst is."""
    levels = raised_by(arguments["severity"], _floor(records).floor)
    confidence = analysis_of(records).confidence_percent
    return {
        "incident_open": still_open(records, arguments, now),
        "levels_raised": analysed(levels, "severity", now),
        "confidence_percent": analysed(confidence, "confidence_percent", now),
    }
