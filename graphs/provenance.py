"""Provenance as a workflow declares it: which facts tell origins, and whose words an argument may be."""

from nodes.origins import unfit_origins
from nodes.workflow import Workflow, WorkflowUnfit
from tools.contract import ToolNotAdmitted
from tools.registry import Registry


def require_provenance(workflow: Workflow, registry: Registry) -> None:
    """Raise WorkflowUnfit if a fact tells the origin of nothing, or words are nobody's."""
    found = []
    for name, ruling in workflow.rulings.items():
        words = {one for names in ruling.said.values() for one in names}
        if strange := sorted(one for one in words if not workflow.is_said(one)):
            found.append(f"{name}: lists as words what nobody says: {', '.join(strange)}")
        try:
            found += [f"{name}: {one}" for one in unfit_origins(ruling.facts, registry.describe(name))]
        except ToolNotAdmitted:  # what it takes is known once a person has admitted it
            continue
    if found:
        raise WorkflowUnfit("\n".join(f"{workflow.name}: {one}" for one in found))
