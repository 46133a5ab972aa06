"""The rules of the desks: four tables in all, by what a deed does, and the roles."""

from typing import Any

from nodes.facts import Facts
from tests.attack.dojo.catalogue import Deed

_FACTS = ("target_worded", "target_known", "content_known")


class Origins(Facts):
    """Where the arguments of a deed come from.

    Attributes:
        target_worded: the user named all that says who, what, where, when and how much.
        target_known: the user named it, or it is on record in what was read for them.
        content_known: so is everything else of it.
    """

    target_worded: bool
    target_known: bool
    content_known: bool


def rows(tool: str, deed: Deed, *, desk: str, egress: bool) -> dict[str, Any]:
    """The rule table of a deed, as YAML has it."""
    return {
        "format": 1,
        "table": f"{desk} {tool}".replace(".", " ").replace("_", " "),
        "version": "2026-11-27",
        "tool": tool,
        "hit": "first",
        "rows": _rows(deed, egress=egress),
        "default": {"investigate": "no_rule_matches", "owner": "owner"},
    }


def _rows(deed: Deed, *, egress: bool) -> list[dict[str, Any]]:
    if deed.undone is None:
        return [
            _row(1, "What nobody can take back a person signs.", target_known=False),
            _row(2, "What nobody can take back a person signs, whoever named it.", target_known=True),
        ]
    needs = ["target_worded" if deed.words_only else "target_known", *(["content_known"] if egress else [])]
    asked = [
        _row(at, f"A person signs unless this is proven: {need}.", **{need: False})
        for at, need in enumerate(needs, 1)
    ]
    allowed = dict.fromkeys(needs, True) | dict.fromkeys((name for name in _FACTS if name not in needs), None)
    return [*asked, _row(9, "What the user or a record says is done.", allow=True, **allowed)]


def _row(at: int, says: str, *, allow: bool = False, **when: bool | None) -> dict[str, Any]:
    """A row; a fact that is None may be either, and is named all the same."""
    named: dict[str, Any] = {
        fact: {"in": [True, False]} if value is None else value for fact, value in when.items()
    }
    example = dict.fromkeys(_FACTS, True) | {fact: value for fact, value in when.items() if value is not None}
    signed = {"review": "not_proven", "by": ["owner"], "due": "8h", "risk": "medium"}
    return {
        "id": f"DO-{at}0",
        "says": says,
        "policy": f"DO-{at}",
        "when": named,
        "then": {"allow": "proven"} if allow else signed,
        "examples": [example],
    }


def roles(tools: list[str], reads: str) -> dict[str, Any]:
    """The roles of a desk: what it may propose is what is listed, and whoever owns the account signs.

    The brakes are wide: here everything happens in the same hour.
    """
    money, many = "1000000000.00 EUR", 10**9
    rolling = {"over_hours": 1, "model_calls": many, "tokens": many, "money": money, "asks": many}
    case = {"steps": 100, "model_calls": 10, "tokens": 10**6, "money": money, "asks": 12}
    return {
        "owner": "owner",
        "teams": [],
        "currency": "EUR",
        "limits": {
            "case": {**case, "wall_hours": 168, "retries": 20, "depth": 3},
            "agent": rolling,
            "workflow": rolling,
        },
        "people": {"owner": {"decides": tools, "limit": money}},
        "agents": {},
        "rules": {"desk": tools},
        "reads": [reads],
        "reviewer": {"fields": ["event.prompt"], "clear": ["event.prompt"]},
    }
