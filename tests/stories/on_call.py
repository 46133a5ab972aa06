"""What stories about incidents share: who is on call, alerts that fire, what happens outside meanwhile."""

from typing import Any

from checkpoints.cases import Case
from graphs.intake import CloudEvent, Intake
from nodes.shapes import Json
from tests.house import PEOPLE, SHOP, House
from tests.stories.reviewing import person
from tools.contract import Call
from tools.sandbox.operations.cast import CAST

ALERT = "com.countersign.alert.fired"
ONA = person("ona", "on_call")
OLI = person("oli", "on_call")
IVO = person("ivo", "incident_commander")
EMMA = person("emma", "engineering_manager")
TESS = person("tess", "team_lead")
STAFF = (*PEOPLE, ONA, OLI, IVO, EMMA, TESS)


def alert_event(scene: str, event_id: str | None = None, **data: Any) -> CloudEvent:
    """The event of a cast scene's alert."""
    cast = CAST[scene]
    body = {"alert_id": cast.alert_id, "service_id": cast.service_id}
    return CloudEvent(id=event_id or scene, source="/monitoring", type=ALERT, data=body | data)


async def fired(house: House, scene: str, event_id: str | None = None, **data: Any) -> Case:
    """The case of a scene's alert once all work that can be done without people is done."""
    case, _ = await Intake(house.parts).receive(alert_event(scene, event_id, **data), SHOP)
    await house.work()
    return await house.case(case.id)


async def asked(house: House, tool: str, **arguments: object) -> Json:
    """What a system of the company says, or does where somebody outside has it do that."""
    registry, capability = house.parts.registry, house.parts.capability
    given = registry.describe(tool).arguments.model_validate(arguments)
    key = f"outside:{tool}:{sorted(arguments.items())}"
    answer = await registry.call(capability, tool, given, Call(key=key))
    return dict(answer.model_dump(mode="json"))


async def incidents(house: House, scene: str) -> Json:
    """What the incident system knows of a scene's service and alert."""
    cast = CAST[scene]
    return await asked(house, "incidents.list", service_id=cast.service_id, alert_id=cast.alert_id)


async def incident(house: House, scene: str) -> Json:
    """The one incident that was opened because of a scene's alert."""
    listed = await incidents(house, scene)
    (own,) = [one for one in listed["incidents"] if one["alert_id"] == CAST[scene].alert_id]
    return dict(own)


async def calls(house: House, scene: str) -> list[tuple[str, str]]:
    """Who was called because of a scene's alert, and how."""
    return [(page["target"], page["urgency"]) for page in (await incidents(house, scene))["pages"]]


async def tasks(house: House, scene: str) -> dict[str, Json]:
    """The follow-ups of a scene's incident, by kind."""
    listed = await asked(house, "tasks.list", alert_id=CAST[scene].alert_id)
    return {task["kind"]: task for task in listed["tasks"]}


async def actions(house: House, scene: str) -> list[Json]:
    """What was done to a scene's service in production, by this very incident."""
    listed = await asked(house, "services.actions", service_id=CAST[scene].service_id)
    return [one for one in listed["actions"] if one["incident_id"].startswith("INC-1000")]


async def finish(house: House, scene: str, *but: str) -> None:
    """The team does every follow-up that is open, but those of these kinds."""
    for kind, task in (await tasks(house, scene)).items():
        if task["status"] == "open" and kind not in but:
            await asked(house, "tasks.complete", task_id=task["task_id"])


async def recover(house: House, scene: str) -> None:
    """The monitoring says that the service has recovered."""
    await asked(house, "alerts.clear", alert_id=CAST[scene].alert_id)


async def tools_used(house: House, case_id: str) -> list[str]:
    """What was begun in a case, in order."""
    events = await house.events(case_id)
    return [str(event["data"]["tool"]) for event in events if event["kind"] == "effect.intended"]
