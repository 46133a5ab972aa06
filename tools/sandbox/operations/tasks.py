"""Follow-up tasks: what a team owes after an incident, by when; withdrawn if it was planned in error."""

from datetime import datetime, timedelta
from typing import Literal

from pydantic import AwareDatetime

from tools.contract import Arguments, Call, Effect, Record, Tool, ToolRefused, Undo
from tools.sandbox.database import Connection, Sandbox, exists, many
from tools.sandbox.deeds import Deed, of_result, there, written
from tools.sandbox.operations.names import AlertId, Code, IncidentId, TaskId, Team

WITHDRAWABLE = timedelta(hours=72)


class Task(Record):
    """A follow-up of an incident, whose it is, and by when it is due."""

    task_id: TaskId
    incident_id: IncidentId
    kind: Code
    team: Team
    due_at: datetime
    status: Literal["open", "done", "withdrawn"]
    created_at: datetime
    done_at: datetime | None


class AlertTasks(Record):
    """The follow-ups of the incident that was opened because of an alert."""

    alert_id: AlertId
    tasks: tuple[Task, ...]


class ListTasks(Arguments):
    """Because of which alert."""

    alert_id: AlertId


class CreateTask(Arguments):
    """What is to be done after which incident, by whom and until when."""

    incident_id: IncidentId
    kind: Code
    team: Team
    due_at: AwareDatetime


class NameTask(Arguments):
    """Which task."""

    task_id: TaskId


_LIST = """
    SELECT {columns} FROM followup_tasks
    WHERE incident_id IN (SELECT incident_id FROM incidents WHERE alert_id = %s AND status <> 'withdrawn')
    ORDER BY due_at, task_id
"""
_CREATED_UNDER = "SELECT {columns} FROM followup_tasks WHERE idempotency_key = %s"
_THEIRS = """
    SELECT FROM incidents JOIN services USING (service_id)
    WHERE incident_id = %s AND team = %s AND status = 'open' FOR UPDATE OF incidents
"""
_CREATE = """
    INSERT INTO followup_tasks (incident_id, kind, team, due_at, status, created_at, idempotency_key)
    VALUES (%s, %s, %s, %s, 'open', %s, %s) RETURNING {columns}
"""
_HOLD = "SELECT {columns} FROM followup_tasks WHERE task_id = %s FOR UPDATE"
_WITHDRAWN_UNDER = "SELECT {columns} FROM followup_tasks WHERE withdrawal_key = %s"
_WITHDRAW = """
    UPDATE followup_tasks SET status = 'withdrawn', withdrawal_key = %s WHERE task_id = %s RETURNING {columns}
"""
_COMPLETED_UNDER = "SELECT {columns} FROM followup_tasks WHERE completion_key = %s"
_COMPLETE = """
    UPDATE followup_tasks SET status = 'done', done_at = %s, completion_key = %s
    WHERE task_id = %s RETURNING {columns}
"""


class _Doing:
    """The deeds themselves, within the transaction that holds their key."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def create(self, connection: Connection, wanted: CreateTask, key: str) -> Task:
        if not await exists(connection, _THEIRS, wanted.incident_id, wanted.team):
            raise ToolRefused(f"{wanted.incident_id} is no open incident of a service of {wanted.team}")
        what = (wanted.incident_id, wanted.kind, wanted.team, wanted.due_at)
        return await written(connection, Task, _CREATE, *what, self._sandbox.now(), key)

    async def withdraw(self, connection: Connection, wanted: NameTask, key: str) -> Task:
        task = await _open(connection, wanted.task_id)
        if self._sandbox.now() - task.created_at > WITHDRAWABLE:
            raise ToolRefused(f"{task.task_id} is older than {WITHDRAWABLE}")
        return await written(connection, Task, _WITHDRAW, key, task.task_id)

    async def complete(self, connection: Connection, wanted: NameTask, key: str) -> Task:
        task = await _open(connection, wanted.task_id)
        return await written(connection, Task, _COMPLETE, self._sandbox.now(), key, task.task_id)


async def _open(connection: Connection, task_id: str) -> Task:
    task = await there(connection, Task, f"task {task_id}", _HOLD, task_id)
    if task.status != "open":
        raise ToolRefused(f"{task_id} is {task.status}")
    return task


def tasks_tools(sandbox: Sandbox) -> tuple[Tool, ...]:
    """The tools of the tracker; whoever has done a task says so there themselves."""
    doing = _Doing(sandbox)

    async def listed(arguments: ListTasks, _call: Call) -> AlertTasks:
        async with sandbox.reading() as connection:
            tasks = await many(connection, Task, _LIST, arguments.alert_id)
        return AlertTasks(alert_id=arguments.alert_id, tasks=tuple(tasks))

    creating, withdrawing, completing = (
        Deed(sandbox=sandbox, name=name, result=Task, done_under=under, write=write)
        for name, under, write in (
            ("tasks.create", _CREATED_UNDER, doing.create),
            ("tasks.withdraw", _WITHDRAWN_UNDER, doing.withdraw),
            ("tasks.complete", _COMPLETED_UNDER, doing.complete),
        )
    )
    return (
        Tool(
            name="tasks.list",
            version="1",
            purpose="List the follow-up tasks of the incident that was opened because of an alert.",
            effect=Effect.READ,
            arguments=ListTasks,
            result=AlertTasks,
            perform=listed,
            idempotent=True,
        ),
        Tool(
            name="tasks.create",
            version="1",
            purpose="Give the team that owns an incident's service a task with a due date.",
            effect=Effect.WRITE,
            arguments=CreateTask,
            result=Task,
            perform=creating.perform,
            idempotent=True,
            find=creating.find,
            undo=Undo(
                tool="tasks.withdraw", arguments=of_result("task_id"), window=WITHDRAWABLE, proven_for="1"
            ),
            authority=frozenset(CreateTask.model_fields),
        ),
        Tool(
            name="tasks.withdraw",
            version="1",
            purpose="Withdraw a task that is open and younger than three days.",
            effect=Effect.WRITE,
            arguments=NameTask,
            result=Task,
            perform=withdrawing.perform,
            idempotent=True,
            find=withdrawing.find,
            undone_outside="Somebody writes the task down again.",
            authority=frozenset({"task_id"}),
        ),
        Tool(
            name="tasks.complete",
            version="1",
            purpose="Say that a task is done.",
            effect=Effect.WRITE,
            arguments=NameTask,
            result=Task,
            perform=completing.perform,
            idempotent=True,
            find=completing.find,
            undone_outside="Somebody writes the task down again.",
            authority=frozenset({"task_id"}),
        ),
    )
