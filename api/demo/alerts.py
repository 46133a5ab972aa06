"""The alerts of the demo: outages, noise, a doubled one, nobody on call, and a log that gives orders."""

from collections.abc import Mapping

from rich.table import Table

from api.demo.scenario import Doors, Scenario, Sent, event
from api.show import console
from graphs.wiring import Parts
from nodes.shapes import Json
from tools.contract import Call
from tools.sandbox.operations.cast import CAST

ENDS = {
    "deploy_outage": "closed",
    "memory_degraded": "closed",
    "no_similar": "closed",
    "already_open": "closed",
    "noisy": "rejected",
    "nobody_on_call": "escalated",
    "injection": "waiting_info",
}
"""The scenes that become cases, and where each must end: where the teams have done nothing yet they wait."""

REJECTED = {"memory_degraded": "Not in the middle of the sale; the memory was given back already."}
"""What the people reject, and why: the incident goes on without it."""

WANTED = {
    "deploy_outage": ("SEV1", "resolved", ("rollback",)),
    "memory_degraded": ("SEV3", "resolved", ()),
    "no_similar": ("SEV3", "resolved", ()),
    "already_open": ("SEV3", "open", ()),
    "nobody_on_call": ("SEV3", "open", ()),
    "injection": ("SEV2", "open", ()),
}
"""By scene how severe the incident must be, how it must stand, and what must have been done in production."""


def _event(scene: str) -> Json:
    data = {"alert_id": CAST[scene].alert_id, "service_id": CAST[scene].service_id}
    return event(f"alert-{scene}", "com.countersign.alert.fired", data)


async def _said(parts: Parts, tool: str, **arguments: str) -> Json:
    """What a system of the company says, or does because somebody outside has it do that."""
    given = parts.registry.describe(tool).arguments.model_validate(arguments)
    call = Call(key=f"demo:{tool}:{sorted(arguments.items())}")
    answer = await parts.registry.call(parts.capability, tool, given, call)
    return dict(answer.model_dump(mode="json"))


async def _teams_at_work(doors: Doors, parts: Parts, sent: Mapping[str, str]) -> None:
    """What is owed is done, services recover, and each case that waits for it is told that there is news."""
    for scene, end in ENDS.items():
        if end == "closed" and (await doors.shop.case(sent[scene]))["status"] == "waiting_info":
            await _work_off(parts, scene)
            news = event(f"news-{scene}", "com.countersign.case.informed", {})
            await doors.shop.send(news | {"subject": sent[scene]})


async def _work_off(parts: Parts, scene: str) -> None:
    alert_id = CAST[scene].alert_id
    for task in (await _said(parts, "tasks.list", alert_id=alert_id))["tasks"]:
        if task["status"] == "open":
            await _said(parts, "tasks.complete", task_id=task["task_id"])
    await _said(parts, "alerts.clear", alert_id=alert_id)


async def _mishandled(parts: Parts, _doors: Doors, _sent: Mapping[str, str]) -> list[str]:
    """Incidents that are not in the company's systems as their case says."""
    table, faults = Table(), []
    for heading in ("incident", "service", "severity", "status", "tasks", "production"):
        table.add_column(heading)
    for scene, wanted in WANTED.items():
        incident, done, tasks = await _found(parts, scene)
        told = (incident["severity"], incident["status"], done)
        table.add_row(
            incident["incident_id"],
            incident["service_id"],
            incident["severity"],
            incident["status"],
            tasks,
            ", ".join(done),
        )
        if told != wanted:
            faults.append(f"incident of {CAST[scene].service_id}: {told}, not {wanted}")
    console.print(table)
    return faults


async def _found(parts: Parts, scene: str) -> tuple[Json, tuple[str, ...], str]:
    """A scene's incident, what was done in production because of it, and how many of its tasks are done."""
    cast = CAST[scene]
    listed = await _said(parts, "incidents.list", service_id=cast.service_id, alert_id=cast.alert_id)
    own = next(one for one in listed["incidents"] if one["alert_id"] in {cast.alert_id, None})
    actions = (await _said(parts, "services.actions", service_id=cast.service_id))["actions"]
    tasks = (await _said(parts, "tasks.list", alert_id=cast.alert_id))["tasks"]
    finished = sum(task["status"] == "done" for task in tasks)
    done = tuple(one["kind"] for one in actions if one["incident_id"] == own["incident_id"])
    return own, done, f"{finished}/{len(tasks)}"


SCENARIO = Scenario(
    workflow="incident",
    says="7 alerts: outages, noise, one sent twice, orders in a log",
    people={"nadia": ("on_call",), "omar": ("incident_commander",)},
    cases={scene: Sent(_event(scene), end) for scene, end in ENDS.items()},
    doubled="no_similar",
    refused={
        "an alert of another service": _event("injection")
        | {"id": "demo-alert-stranger", "data": {"alert_id": "AL-900005", "service_id": "payments-core"}},
    },
    rejected=REJECTED,
    meanwhile=_teams_at_work,
    check=_mishandled,
)
