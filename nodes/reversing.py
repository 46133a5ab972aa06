"""Whether deeds can be taken back, as rules and reviewers see it: what cannot be is never automatic."""

from collections.abc import Iterable
from dataclasses import replace

from nodes.rules import Outcome, RuleTable
from nodes.strict_yaml import TableUnfit
from nodes.workflow import Ruling, Workflow
from tools.contract import Reversibility, Tool, ToolNotAdmitted
from tools.registry import Registry


def needs_people(tool: Tool) -> bool:
    """Whether nothing of this tool may be done by rule alone."""
    return tool.reversibility is Reversibility.IRREVERSIBLE


def undo_text(tool: Tool) -> str:
    """How a deed can be taken back, in words for a reviewer."""
    match tool.reversibility:
        case Reversibility.REVERSIBLE if tool.undo is not None:
            return f"Can be undone by {tool.undo.tool} within {tool.undo.window}."
        case Reversibility.EXTERNALLY_REVERSIBLE:
            return f"Can be undone outside only. {tool.undone_outside}"
        case _:
            return "Cannot be undone."


def too_bold(table: RuleTable, tool: Tool) -> list[str]:
    """The rows that would let a deed go by themselves that nobody can take back."""
    return _allowing(table, tool.name) if needs_people(tool) else []


def _too_bold(table: RuleTable, name: str, registry: Registry) -> list[str]:
    """The same by the tool's name; one from outside that is not there yet will be irreversible."""
    try:
        return too_bold(table, registry.describe(name))
    except ToolNotAdmitted:
        return _allowing(table, name)


def _allowing(table: RuleTable, name: str) -> list[str]:
    return [
        f"row {row.id}: allows {name}, which is irreversible: it needs people"
        for row in table.rows
        if row.then.outcome is Outcome.ALLOW
    ]


def held_to_tools(workflow: Workflow, registry: Registry) -> Workflow:
    """The workflow whose tables, the shipped ones and all that are read later, are held against its tools.

    Raises:
        TableUnfit: a shipped table allows what is irreversible.
    """
    rulings = {name: _held(ruling, name, registry) for name, ruling in workflow.rulings.items()}
    return replace(workflow, rulings=rulings)


def _held(ruling: Ruling, tool: str, registry: Registry) -> Ruling:
    def read(text: str, source: str) -> RuleTable:
        table = ruling.read(text, source)
        _require(_too_bold(table, tool, registry), source)
        return table

    _require(_too_bold(ruling.table, tool, registry), ruling.table.name)
    return replace(ruling, read=read)


def _require(found: Iterable[str], source: str) -> None:
    if lines := [f"{source}: {one}" for one in found]:
        raise TableUnfit("\n".join(lines))
