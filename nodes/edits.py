"""Edits of an action: JSON Patches (RFC 6902) on its arguments, and on nothing else."""

from collections.abc import Mapping, Sequence
from typing import Any

import jsonpatch
from jsonpointer import JsonPointerException

from nodes.action import same
from nodes.shapes import Json

OPERATIONS = frozenset({"replace", "add", "remove", "test"})


class PatchUnfit(Exception):
    """The patch does not fit the arguments of the action."""


def edited(arguments: Json, patch: Sequence[Mapping[str, Any]]) -> Json:
    """The arguments that a patch changes, with their new values.

    Raises:
        PatchUnfit: it changes nothing, names what is not there, takes an argument away, or a `test` fails.
    """
    if unknown := {str(step.get("op")) for step in patch} - OPERATIONS:
        raise PatchUnfit(f"no operation of an edit: {', '.join(sorted(unknown))}")
    try:
        after = jsonpatch.apply_patch(arguments, [dict(step) for step in patch])
    except (jsonpatch.JsonPatchException, JsonPointerException, TypeError) as error:
        raise PatchUnfit(f"the patch does not fit the arguments: {error}") from error
    if not isinstance(after, dict) or (missing := arguments.keys() - after.keys()):
        lost = ", ".join(sorted(missing)) if isinstance(after, dict) else "all"
        raise PatchUnfit(f"an edit takes no argument away: {lost}")
    changed = {
        name: value
        for name, value in after.items()
        if name not in arguments or not same(arguments[name], value)
    }
    if not changed:
        raise PatchUnfit("the patch changes nothing")
    return changed


def patch_to(before: Json, after: Json) -> list[dict[str, Any]]:
    """The patch that leads from some arguments to others, a replacement an argument."""
    return [
        {"op": "replace" if name in before else "add", "path": f"/{_escaped(name)}", "value": value}
        for name, value in after.items()
        if name not in before or not same(before[name], value)
    ]


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
