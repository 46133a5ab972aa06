"""The incident's rules: each boundary from both sides, in its table; and what follows from records alone."""

from datetime import UTC, datetime
from functools import cache
from typing import Any, get_args

import pytest

from graphs.incident import KIT
from graphs.incident.following import ResolveFacts, TaskFacts
from graphs.incident.opening import GradeFacts, JoinFacts, OpenFacts, PageFacts
from graphs.incident.policy import (
    DUE,
    FLOORS,
    PAGED,
    SEVERITIES,
    TaskKind,
    cause_of,
    hint_of,
    noise_of,
    owed,
    raised_by,
)
from graphs.incident.production import RestartFacts, RollbackFacts
from graphs.incident.undoing import UndoFacts
from nodes.facts import Facts
from nodes.rules import Outcome, RuleTable, Verdict
from tools.sandbox.operations.alerts import Alert
from tools.sandbox.operations.names import Severity

OPEN: dict[str, Any] = {"open_incidents": 0, "noise": "none", "at_floor": True}
JOIN: dict[str, Any] = {"incident_open": True, "joined_before": False}
PAGE: dict[str, Any] = {"incident_open": True, "floor": "SEV2", "level": "first", "urgency": "phone"}
GRADE: dict[str, Any] = {"incident_open": True, "levels_raised": 1, "confidence_percent": 90}
RESTART: dict[str, Any] = {
    "incident_open": True,
    "recommended": True,
    "hinted": False,
    "confidence_percent": 90,
    "restarts_last_hour": 0,
    "tier": 2,
}
ROLLBACK: dict[str, Any] = {
    "incident_open": True,
    "recommended": True,
    "hinted": False,
    "confidence_percent": 90,
    "replaceable": True,
    "agrees": True,
    "minutes_before_alert": 12,
    "tier": 2,
}
TASK: dict[str, Any] = {"incident_open": True, "planned": True, "kind": "review_cause"}
RESOLVE: dict[str, Any] = {
    "incident_open": True,
    "open_tasks": 0,
    "done_tasks": 1,
    "alert_status": "resolved",
}
UNDO: dict[str, Any] = {"within_window": True, "stands": True}
TABLES: dict[str, tuple[type[Facts], dict[str, Any]]] = {
    "incidents.open": (OpenFacts, OPEN),
    "incidents.join": (JoinFacts, JOIN),
    "incidents.page": (PageFacts, PAGE),
    "incidents.grade": (GradeFacts, GRADE),
    "services.restart": (RestartFacts, RESTART),
    "deployments.rollback": (RollbackFacts, ROLLBACK),
    "tasks.create": (TaskFacts, TASK),
    "incidents.resolve": (ResolveFacts, RESOLVE),
    **dict.fromkeys(
        (
            "incidents.withdraw",
            "incidents.detach",
            "incidents.regrade",
            "incidents.reopen",
            "tasks.withdraw",
            "deployments.redeploy",
        ),
        (UndoFacts, UNDO),
    ),
}
PRODUCTION = ("services.restart", "deployments.rollback", "deployments.redeploy")


@cache
def table(tool: str) -> RuleTable:
    return KIT.workflow().rulings[tool].table


def verdict(tool: str, **changes: Any) -> Verdict:
    """What the table says to the facts of an ordinary case with these changes."""
    facts, usual = TABLES[tool]
    return table(tool).judge(facts(**usual | changes))


def said(tool: str, **changes: Any) -> tuple[Outcome, str]:
    found = verdict(tool, **changes)
    return found.outcome, found.then.reason


def test_every_table_is_tried_here() -> None:
    assert KIT.workflow().rulings.keys() == TABLES.keys()


@pytest.mark.parametrize(
    ("tool", "changes", "outcome", "reason"),
    [
        ("incidents.open", {}, Outcome.ALLOW, "alert_fired"),
        ("incidents.open", {"noise": "flapping"}, Outcome.ALLOW, "alert_fired"),
        ("incidents.open", {"noise": "noisy"}, Outcome.REFUSE, "alert_is_noise"),
        ("incidents.open", {"open_incidents": 1}, Outcome.REFUSE, "incident_already_open"),
        ("incidents.open", {"at_floor": False}, Outcome.INVESTIGATE, "severity_not_by_rule"),
        ("incidents.join", {}, Outcome.ALLOW, "same_service"),
        ("incidents.join", {"incident_open": False}, Outcome.REFUSE, "incident_not_open"),
        ("incidents.join", {"joined_before": True}, Outcome.REFUSE, "alert_joined_before"),
        ("incidents.page", {}, Outcome.ALLOW, "sev2_wakes_first"),
        ("incidents.page", {"level": "second"}, Outcome.REFUSE, "nobody_is_called"),
        ("incidents.page", {"urgency": "push"}, Outcome.INVESTIGATE, "urgency_not_by_rule"),
        ("incidents.page", {"floor": "SEV1", "level": "second"}, Outcome.ALLOW, "sev1_wakes_both"),
        ("incidents.page", {"floor": "SEV3"}, Outcome.INVESTIGATE, "urgency_not_by_rule"),
        ("incidents.page", {"floor": "SEV3", "urgency": "push"}, Outcome.ALLOW, "sev3_tells_first"),
        ("incidents.page", {"floor": "SEV4", "urgency": "push"}, Outcome.REFUSE, "nobody_is_called"),
        ("incidents.page", {"incident_open": False}, Outcome.REFUSE, "incident_not_open"),
        ("tasks.create", {}, Outcome.ALLOW, "owed"),
        ("tasks.create", {"planned": False}, Outcome.REFUSE, "task_not_planned"),
        ("tasks.create", {"incident_open": False}, Outcome.REFUSE, "incident_not_open"),
        ("incidents.resolve", {}, Outcome.ALLOW, "all_done"),
        ("incidents.resolve", {"open_tasks": 1}, Outcome.INVESTIGATE, "followups_open"),
        ("incidents.resolve", {"done_tasks": 0}, Outcome.INVESTIGATE, "no_followups"),
        ("incidents.resolve", {"alert_status": "firing"}, Outcome.INVESTIGATE, "alert_still_fires"),
        ("incidents.resolve", {"incident_open": False}, Outcome.REFUSE, "incident_not_open"),
    ],
)
def test_what_is_done_by_rule_is_done_for_this_alone(
    tool: str, changes: dict[str, Any], outcome: Outcome, reason: str
) -> None:
    assert said(tool, **changes) == (outcome, reason)


@pytest.mark.parametrize(
    ("raised", "outcome", "by"),
    [
        (-3, Outcome.REVIEW, ("incident_commander",)),
        (-1, Outcome.REVIEW, ("incident_commander",)),
        (0, Outcome.REFUSE, ()),
        (1, Outcome.REVIEW, ("on_call",)),
        (2, Outcome.REVIEW, ("on_call",)),
        (3, Outcome.REVIEW, ("on_call",)),
    ],
)
def test_no_model_moves_a_severity_by_itself(raised: int, outcome: Outcome, by: tuple[str, ...]) -> None:
    found = verdict("incidents.grade", levels_raised=raised)
    assert (found.outcome, found.then.ladder) == (outcome, by)


@pytest.mark.parametrize(("percent", "outcome"), [(69, Outcome.REFUSE), (70, Outcome.REVIEW)])
def test_from_70_percent_people_are_asked_about_a_severity(percent: int, outcome: Outcome) -> None:
    assert verdict("incidents.grade", confidence_percent=percent).outcome is outcome


@pytest.mark.parametrize("tool", PRODUCTION)
def test_no_row_lets_production_be_touched_by_itself(tool: str) -> None:
    outcomes = {row.then.outcome for row in table(tool).rows} | {table(tool).default.outcome}
    assert Outcome.REVIEW in outcomes
    assert Outcome.ALLOW not in outcomes


@pytest.mark.parametrize("tool", ["services.restart", "deployments.rollback"])
@pytest.mark.parametrize(
    ("tier", "by"), [(1, ["on_call", "incident_commander"]), (2, ["on_call"]), (3, ["on_call"])]
)
def test_on_tier_1_the_commander_signs_after_the_on_call(tool: str, tier: int, by: list[str]) -> None:
    found = verdict(tool, tier=tier)
    assert found.outcome is Outcome.REVIEW
    assert [rung.role for rung in found.then.steps] == by
    assert [rung.stage for rung in found.then.steps] == list(range(len(by)))


@pytest.mark.parametrize("tool", ["services.restart", "deployments.rollback"])
@pytest.mark.parametrize(
    ("changes", "outcome", "reason"),
    [
        ({"confidence_percent": 70}, Outcome.REVIEW, "production"),
        ({"confidence_percent": 69}, Outcome.INVESTIGATE, "low_confidence"),
        ({"recommended": False}, Outcome.REFUSE, "not_recommended"),
        ({"recommended": False, "confidence_percent": 0}, Outcome.REFUSE, "not_recommended"),
        ({"incident_open": False}, Outcome.REFUSE, "incident_not_open"),
    ],
)
def test_nobody_is_asked_for_what_an_analyst_is_not_sure_of(
    tool: str, changes: dict[str, Any], outcome: Outcome, reason: str
) -> None:
    assert said(tool, **changes) == (outcome, reason)


@pytest.mark.parametrize(
    ("tool", "changes"),
    [("services.restart", {}), ("deployments.rollback", {}), ("deployments.rollback", {"agrees": False})],
)
@pytest.mark.parametrize("percent", [0, 69, 100])
def test_what_the_records_point_to_people_are_asked_for_whatever_the_analyst_says(
    tool: str, changes: dict[str, Any], percent: int
) -> None:
    hinted = {"recommended": False, "hinted": True, "confidence_percent": percent}
    assert said(tool, **hinted, **changes) == (Outcome.REVIEW, "production")


@pytest.mark.parametrize(
    ("minutes", "memory", "hint"),
    [
        (60, False, "rollback"),
        (61, False, "none"),
        (0, True, "rollback"),
        (61, True, "restart"),
        (None, True, "restart"),
        (None, False, "none"),
    ],
)
def test_the_records_point_to_a_deployment_of_the_last_hour_or_to_exhausted_memory(
    minutes: int | None, *, memory: bool, hint: str
) -> None:
    assert hint_of(minutes_before=minutes, memory=memory) == hint


@pytest.mark.parametrize(
    ("done", "cause"),
    [((), "unknown"), (("restart",), "capacity"), (("restart", "rollback"), "deployment")],
)
def test_a_cause_is_what_people_had_done_about_it(done: tuple[str, ...], cause: str) -> None:
    assert cause_of(frozenset(done)) == cause


@pytest.mark.parametrize(("tried", "outcome"), [(2, Outcome.REVIEW), (3, Outcome.INVESTIGATE)])
def test_the_fourth_restart_of_an_hour_is_not_asked_for(tried: int, outcome: Outcome) -> None:
    assert verdict("services.restart", restarts_last_hour=tried).outcome is outcome


@pytest.mark.parametrize(
    ("changes", "outcome", "reason"),
    [
        ({"minutes_before_alert": 1440}, Outcome.REVIEW, "production"),
        ({"minutes_before_alert": 1441}, Outcome.INVESTIGATE, "deployment_long_before"),
        ({"agrees": False}, Outcome.INVESTIGATE, "another_deployment"),
        ({"replaceable": False}, Outcome.REFUSE, "deployment_not_live"),
    ],
)
def test_only_the_deployment_that_explains_it_is_rolled_back(
    changes: dict[str, Any], outcome: Outcome, reason: str
) -> None:
    assert said("deployments.rollback", **changes) == (outcome, reason)


@pytest.mark.parametrize("tool", [tool for tool, (facts, _) in TABLES.items() if facts is UndoFacts])
def test_what_stands_is_taken_back_in_time(tool: str) -> None:
    expected = Outcome.REVIEW if tool in PRODUCTION else Outcome.ALLOW
    assert verdict(tool).outcome is expected
    assert said(tool, within_window=False) == (Outcome.REFUSE, "window_over")
    assert said(tool, stands=False) == (Outcome.REFUSE, "nothing_to_undo")


# What follows from records alone


def test_the_floor_is_this_for_every_tier_and_impact() -> None:
    impacts = ("outage", "degraded", "none")
    found = {tier: [FLOORS[tier, impact] for impact in impacts] for tier in (1, 2, 3)}  # type: ignore[index] # literals
    assert found == {
        1: ["SEV1", "SEV2", "SEV3"],
        2: ["SEV2", "SEV3", "SEV4"],
        3: ["SEV3", "SEV4", "SEV4"],
    }


def test_levels_are_counted_from_the_floor() -> None:
    levels = [[raised_by(severity, floor) for severity in SEVERITIES] for floor in SEVERITIES]
    assert levels == [[0, -1, -2, -3], [1, 0, -1, -2], [2, 1, 0, -1], [3, 2, 1, 0]]


def test_what_is_planned_is_what_the_escalation_policy_allows() -> None:
    for severity, planned in PAGED.items():
        for level in ("first", "second"):
            for urgency in ("phone", "push"):
                found = verdict("incidents.page", floor=severity, level=level, urgency=urgency)
                assert (found.outcome is Outcome.ALLOW) is ((level, urgency) in planned)


def an_alert(impact: str, status: str, firings: int) -> Alert:
    at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    return Alert(
        alert_id="AL-000001",
        service_id="any-service",
        kind="latency",
        title="Slow",
        summary="Slow",
        customer_impact=impact,  # type: ignore[arg-type] # a literal
        status=status,  # type: ignore[arg-type] # a literal
        firings_24h=firings,
        fired_at=at,
        resolved_at=at if status == "resolved" else None,
    )


@pytest.mark.parametrize(
    ("impact", "status", "firings", "noise"),
    [
        ("none", "resolved", 9, "none"),
        ("none", "resolved", 10, "noisy"),
        ("none", "firing", 10, "none"),
        ("degraded", "resolved", 10, "flapping"),
        ("degraded", "firing", 3, "none"),
        ("degraded", "firing", 4, "flapping"),
        ("outage", "firing", 1, "none"),
    ],
)
def test_noise_is_what_nobody_notices_and_flapping_what_somebody_does(
    impact: str, status: str, firings: int, noise: str
) -> None:
    assert noise_of(an_alert(impact, status, firings)) == noise


def test_every_incident_owes_something_and_each_kind_has_its_due_date() -> None:
    assert DUE.keys() == set(get_args(TaskKind))
    quiet = owed(severity="SEV4", noise="none", done=frozenset(), known=True)
    assert quiet == ["review_cause"]
    everything = owed(severity="SEV1", noise="flapping", done=frozenset({"rollback", "restart"}), known=False)
    assert set(everything) == set(get_args(TaskKind))


@pytest.mark.parametrize(("severity", "owes"), [("SEV1", True), ("SEV2", True), ("SEV3", False)])
def test_of_sev1_and_sev2_a_postmortem_is_owed(severity: Severity, *, owes: bool) -> None:
    kinds = owed(severity=severity, noise="none", done=frozenset(), known=True)
    assert ("write_postmortem" in kinds) is owes
