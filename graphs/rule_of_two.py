"""The rule of two: no agent reads text from outside, sees sensitive data, and writes without a person.

Two of these are bearable; all three let whoever wrote the text do what they like with what the agent sees.
The rule is proven on what roles list, records are marked as and tables allow, before anything runs.
"""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel

from nodes.agent import AgentRole
from nodes.marks import mark_of
from nodes.permissions import Verb
from nodes.rules import Outcome
from nodes.undoing import DEED, Deed
from nodes.workflow import Workflow, WorkflowUnfit
from tools.contract import Effect, FieldClass, ToolNotAdmitted, Trust
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


def _alone(workflow: Workflow, registry: Registry, role: AgentRole) -> Iterator[str]:
    """What an agent proposes and a row allows."""
    for tool, ruling in workflow.rulings.items():
        proposes = workflow.permissions.decide((f"agent:{role.name}",), Verb.PROPOSE, tool).allowed
        if proposes and _result(registry, tool) and registry.describe(tool).effect is not Effect.READ:
            for row in ruling.table.rows:
                if row.then.outcome is Outcome.ALLOW:
                    yield f"{tool} by row {row.id}"
