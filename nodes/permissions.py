"""Who may decide what, up to which amount: one place, asked for the list and at the vote."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from nodes.shapes import Json
from tools.money import Money


class Kind(StrEnum):
    """What a principal is: only a person can decide."""

    PERSON = "person"
    SERVICE = "service"


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """Who is asking. Roles are a person's; scopes are a service's."""

    id: str
    kind: Kind
    name: str
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()

    @property
    def actor(self) -> str:
        """As the record names it."""
        return f"{self.kind}:{self.id}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewerRole:
    """A role for people in one workflow, with the most that one decision may be about."""

    name: str
    limit: Money


@dataclass(frozen=True, kw_only=True, slots=True)
class Eligibility:
    """Whether somebody may decide, as which role, and why or why not."""

    allowed: bool
    role: str | None
    why: str


def may_decide(
    principal: Principal,
    *,
    ladder: list[Json],
    amount: Money | None,
    involved: frozenset[str],
    roles: Mapping[str, ReviewerRole],
) -> Eligibility:
    """Whether this principal may vote on a review with this ladder and amount.

    Args:
        principal: who asks.
        ladder: the review's rungs, `{role, people, why}`.
        amount: what the action is about, if it is about money.
        involved: actors of the lineage (who asked, proposed, edited): none of them is a second pair of eyes.
        roles: the workflow's roles for people.
    """
    if principal.kind is not Kind.PERSON:
        return Eligibility(allowed=False, role=None, why="only people decide")
    if principal.actor in involved:
        return Eligibility(allowed=False, role=None, why="whoever asked for it cannot approve it")
    wanted = [rung["role"] for rung in ladder]
    held = [roles[name] for name in wanted if name in principal.roles and name in roles]
    if not held:
        return Eligibility(allowed=False, role=None, why=f"needs the role {' or '.join(wanted)}")
    within = next((role for role in held if covers(role.limit, amount)), None)
    if within is None:
        return Eligibility(allowed=False, role=None, why=f"{amount} exceeds the limit of {held[0].limit}")
    return Eligibility(allowed=True, role=within.name, why=f"as {within.name}, up to {within.limit}")


def covers(limit: Money, amount: Money | None) -> bool:
    """Whether a limit is enough for an amount; a limit in another currency never is."""
    return amount is None or (limit.currency == amount.currency and amount <= limit)
