"""What travels through a graph: JSON shapes only, nothing personal in clear, and writable by an attacker."""

from collections.abc import Callable, Mapping
from typing import Annotated, TypedDict

from langgraph.channels import Topic

from nodes.shapes import Json


def merged(before: Json | None, after: Json) -> Json:
    """Both, the later one winning key by key: how findings of several agents come together."""
    return {**(before or {}), **after}


class CaseState(TypedDict, total=False):
    """The state of a case.

    Attributes:
        case: `{id, workflow, version, title, opened_by, event, parent, rollback}`, to be shown; nodes read
            the Context's instead.
        findings: for each agent role what it said.
        proposal: the action proposed last; references, not values.
        verdict: what the rules said to it, with the action as resolved.
        outcome: the word that the last deciding node routes by.
        result: what the last execution came to.
        step: the node that said `outcome`; from it a case is tried again.
        lanes: for each lane what it came to, `{outcome, result}`.
        skipped: for each deed that a rollback could not take back, why.
        standing: `{status, reason, owner}` for the case row.
        record: the events of the last step, projected with its checkpoint.
    """

    case: Json
    findings: Annotated[Json, merged]
    proposal: Json
    verdict: Json
    outcome: str
    result: Json
    step: str
    lanes: Annotated[Json, merged]
    skipped: Annotated[Json, merged]
    standing: Json
    record: Annotated[list[Json], Topic(dict, accumulate=False)]


def standing(status: str, reason: str | None = None, owner: str | None = None) -> Json:
    """Where a case stands, for the `standing` channel."""
    return {"status": status, "reason": reason, "owner": owner}


def route(to: Mapping[str, str], otherwise: str) -> tuple[Callable[[CaseState], str], list[str]]:
    """A router by `outcome` that cannot raise, and the nodes it can lead to.

    A router that raises makes a resumed LangGraph graph end silently; so an unknown word goes `otherwise`.
    """

    def chosen(state: CaseState) -> str:
        return to.get(str(state.get("outcome")), otherwise)

    return declared(chosen), sorted({*to.values(), otherwise})


def declared(chosen: Callable[[CaseState], str]) -> Callable[[CaseState], str]:
    """A router of ours: it never leads but where it says."""
    chosen.declared = True  # type: ignore[attr-defined]
    return chosen


def is_route(function: object) -> bool:
    """Whether this is a router of ours."""
    return getattr(function, "declared", False) is True
