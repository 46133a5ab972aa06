"""The rule of two: no agent reads text from outside, sees sensitive data, and writes without a person.

Two of these are bearable; all three let whoever wrote the text do what they like with what the agent sees.
The rule is proven on what roles list, records are marked as and tables allow, before anything runs. An agent
writes what it proposes, and also what fixed steps propose in its words: those are listed as `said`.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel

from graphs.closed_world import drawing, node_at, routes_of, tools_listed
from graphs.flow import Builder
from nodes.agent import AgentRole
from nodes.ask import agent_of
from nodes.execute import execute
from nodes.lane import steps_of
from nodes.marks import mark_of
from nodes.permissions import Verb
from nodes.rules import Outcome
from nodes.undoing import DEED, Deed
from nodes.workflow import Ruling, Workflow, WorkflowUnfit
from tools.contract import Effect, FieldClass, Tool, ToolNotAdmitted, Trust
from tools.registry import Registry

Models = Mapping[str, type[BaseModel] | None]
"""By name what a record is; None of a tool from outside that nobody has admitted: it may hold anything."""
_OF_AN_UNDO: Models = {DEED: Deed}


def require_rule_of_two(workflow: Workflow, registry: Registry) -> None:
    """Raise WorkflowUnfit if a role lists what there is not, or an agent holds all three."""
    models = _models(workflow, registry)
    for place, fields in (
        *((f"agent {name}", role.view.fields) for name, role in workflow.agents.items()),
        ("the reviewer", workflow.reviewer_view.fields),
    ):
        if unknown := [path for path in fields if not _exists(models, path)]:
            raise WorkflowUnfit(f"{workflow.name}: {place} lists what there is not: {', '.join(unknown)}")
    for role in workflow.agents.values():
        outside = next(_outside(workflow, models, role), None)
        sensitive = next((path for path in role.view.fields if _sensitive(models, role, path)), None)
        alone = next(_alone(workflow, registry, role), None)
        if outside and sensitive and alone:
            raise WorkflowUnfit(
                f"{workflow.name}: agent {role.name} reads text from outside ({outside}), sees sensitive data"
                f" ({sensitive}) and writes without a person ({alone}): take one of the three away"
                f"{_drawn(workflow.build(), role.name, alone.tool)}"
            )


def _models(workflow: Workflow, registry: Registry) -> Models:
    return {
        "event": workflow.event,
        **{source.name: _result(registry, source.tool) for source in workflow.sources},
        **workflow.derived,
        **{name: role.output for name, role in workflow.agents.items()},
        **_OF_AN_UNDO,
    }


def _exists(models: Models, path: str) -> bool:
    name, _, field = path.partition(".")
    model = models.get(name)
    return name in models if model is None else field in model.model_fields


def _result(registry: Registry, tool: str) -> type[BaseModel] | None:
    try:
        return registry.describe(tool).result
    except ToolNotAdmitted:
        return None


def _outside(
    workflow: Workflow, models: Models, role: AgentRole, asked: tuple[str, ...] = ()
) -> Iterator[str]:
    """The fields by which text from outside reaches an agent, its own or through what others have said."""
    for path in role.view.fields:
        name, _, field = path.partition(".")
        model = models[name]
        if model is None:
            yield path
            continue
        mark = mark_of(model, field)
        if mark.field_class is FieldClass.SECRET:
            continue
        if mark.field_class is FieldClass.PERSONAL and path not in role.view.clear:
            continue  # masked
        if name in workflow.agents and name not in asked:
            if any(_outside(workflow, models, workflow.agents[name], (*asked, role.name))):
                yield path
        elif mark.trust is Trust.UNTRUSTED or _within(model.model_fields[field].annotation):
            yield path


def _within(annotation: Any) -> bool:
    """Whether a type holds records in which a field that is not masked is from outside."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, info in annotation.model_fields.items():
            mark = mark_of(annotation, name)
            seen = mark.field_class in {FieldClass.PUBLIC, FieldClass.INTERNAL}
            if seen and (mark.trust is Trust.UNTRUSTED or _within(info.annotation)):
                return True
    return any(_within(part) for part in get_args(annotation))


def _sensitive(models: Models, role: AgentRole, path: str) -> bool:
    name, _, field = path.partition(".")
    model = models[name]
    personal = model is None or mark_of(model, field).field_class is FieldClass.PERSONAL
    return path in role.view.clear and personal


@dataclass(frozen=True, slots=True)
class _Alone:
    """A write that a row allows: of what an agent proposes, or of what is proposed in its words."""

    tool: str
    row: str
    argument: str = ""

    def __str__(self) -> str:
        words = f", whose {self.argument} is in its words" if self.argument else ""
        return f"{self.tool}{words} by row {self.row}"


def _alone(workflow: Workflow, registry: Registry, role: AgentRole) -> Iterator[_Alone]:
    """What an agent writes and a row allows."""
    for name, ruling in workflow.rulings.items():
        if _result(registry, name) is None or registry.describe(name).effect is Effect.READ:
            continue
        proposes = workflow.permissions.decide((f"agent:{role.name}",), Verb.PROPOSE, name).allowed
        argument = next(_in_words(workflow, ruling, registry.describe(name), role.name), "")
        for row in ruling.table.rows if proposes or argument else ():
            if row.then.outcome is Outcome.ALLOW:
                yield _Alone(name, row.id, "" if proposes else argument)


def _in_words(workflow: Workflow, ruling: Ruling, tool: Tool, agent: str) -> Iterator[str]:
    """The arguments that may be an agent's words and that the judge would let pass.

    What a concluded record says rests on whoever the ruling hears. An argument of authority, or one that
    leaves the house, is never let pass by rule alone when it is somebody's word.
    """
    taken = {name: names for name, names in ruling.said.items() if name in tool.arguments.model_fields}
    for argument, names in taken.items():
        judged = tool.effect is Effect.EGRESS or argument in tool.authority
        by = {agent for name in names for agent in ((name,) if name in workflow.agents else ruling.hears)}
        if agent in by and not judged:
            yield argument


def _drawn(graph: Builder, agent: str, tool: str) -> str:
    """The way from the step that asks an agent to the one that writes, with a drawing; nothing if none is."""
    path = _way(graph, agent, tool)
    return f"\n  {' → '.join(path)}\n{drawing(graph, path)}" if path else ""


def _way(graph: Builder, agent: str, tool: str) -> tuple[str, ...]:
    routes = dict(routes_of(graph))
    asking = [step for step in graph.nodes if agent_of(node_at(graph, step)) == agent]
    paths: deque[tuple[str, ...]] = deque((step,) for step in asking)
    seen = set(asking)
    while paths:
        path = paths.popleft()
        if _writes(graph, path[-1], tool):
            return path
        for step in sorted(routes.get(path[-1], set()) - seen):
            seen.add(step)
            paths.append((*path, step))
    return ()


def _writes(graph: Builder, step: str, tool: str) -> bool:
    if step not in graph.nodes:
        return False
    if (lane := steps_of(node_at(graph, step))) is not None:
        return any(_writes(lane, inner, tool) for inner in lane.nodes)
    return node_at(graph, step) is execute and tool in tools_listed(graph, step)
