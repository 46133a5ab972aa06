"""What the rules for restarting a service and rolling back a deployment may read."""

from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from pydantic import Field

from graphs.incident.opening import analysed, analysis_of, recorded, still_open
from graphs.incident.records import Hint, Suspect
from nodes.action import Proposal
from nodes.agent import Percent
from nodes.facts import Fact, Facts
from nodes.records import Records
from nodes.shapes import Json
from tools.sandbox.operations.names import Tier
from tools.sandbox.operations.services import Service, ServiceActions

COUNTED = timedelta(hours=1)


class RestartFacts(Facts):
    """What the rules for a restart may read.

    Attributes:
        recommended: by the analyst.
        hinted: the records point to it by themselves.
    """

    drifting: ClassVar[frozenset[str]] = frozenset({"restarts_last_hour"})

    incident_open: bool
    recommended: bool
    hinted: bool
    confidence_percent: Percent
    restarts_last_hour: Annotated[int, Field(ge=0)]
    tier: Tier


class RollbackFacts(Facts):
    """What the rules for a rollback may read.

    Attributes:
        recommended: by the analyst.
        hinted: the records point to it by themselves.
        replaceable: it is the live deployment, and has replaced a version that can be put back.
        agrees: the analyst names this very deployment.
    """

    incident_open: bool
    recommended: bool
    hinted: bool
    confidence_percent: Percent
    replaceable: bool
    agrees: bool
    minutes_before_alert: Annotated[int, Field(ge=0)]
    tier: Tier


def restart_facts(records: Records, _proposal: Proposal, arguments: Json, now: datetime) -> dict[str, Fact]:
    """Whether the analyst recommends it, how often it was tried, and how much hangs on the service."""
    actions = records["actions"]
    assert isinstance(actions, ServiceActions)
    tried = sum(one.kind == "restart" and one.done_at > now - COUNTED for one in actions.actions)
    return _shared(records, arguments, "restart", now) | {
        "restarts_last_hour": recorded(tried, "actions.actions", now),
    }


def rollback_facts(records: Records, _proposal: Proposal, arguments: Json, now: datetime) -> dict[str, Fact]:
    """Whether the analyst recommends it and means this deployment, and whether it can be replaced."""
    suspect, said = records["suspect"], analysis_of(records)
    assert isinstance(suspect, Suspect)
    replaceable = suspect.status == "live" and suspect.previous_version is not None
    agrees = said.related_deployment == arguments["deployment_id"]
    return _shared(records, arguments, "rollback", now) | {
        "replaceable": recorded(replaceable, "deployments.deployments", now),
        "agrees": analysed(agrees, "related_deployment", now),
        "minutes_before_alert": recorded(suspect.minutes_before_alert, "deployments.deployments", now),
    }


def _shared(records: Records, arguments: Json, action: str, now: datetime) -> dict[str, Fact]:
    service, hint, said = records["service"], records["hint"], analysis_of(records)
    assert isinstance(service, Service)
    assert isinstance(hint, Hint)
    return {
        "incident_open": still_open(records, arguments, now),
        "recommended": analysed(said.action == action, "action", now),
        "hinted": recorded(hint.action == action, "hint.action", now),
        "confidence_percent": analysed(said.confidence_percent, "confidence_percent", now),
        "tier": recorded(service.tier, "service.tier", now),
    }
