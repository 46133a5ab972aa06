"""All that anybody may do, asked of the code, to be held against what was written by hand."""

from collections.abc import Iterable

from nodes.permissions import Permissions, Verb

STRANGERS = ("agent:", "agent:stranger", "person", "anybody", "")
"""Names that no workflow gives a role to."""


def allowed(
    permissions: Permissions, things: Iterable[str], *others: str
) -> dict[tuple[str, Verb], set[str]]:
    """By role and verb with which of these things it may be done; who may do nothing is left out.

    Asked is every role, whoever should have none, and the others.
    """
    wanted = list(things)
    found = {
        (role, verb): {thing for thing in wanted if permissions.decide((role,), verb, thing).allowed}
        for role in (*permissions.roles, *STRANGERS, *others)
        for verb in Verb
    }
    return {who: may for who, may in found.items() if may}
