"""Who may do what, up to which amount: the one place that decides, for routes, tools, proposals and votes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from nodes.shapes import Json
from tools.contract import ToolRefused
from tools.money import Money


class Kind(StrEnum):
    """What a principal is: only a person can decide."""

    PERSON = "person"
    SERVICE = "service"
    SCHEDULE = "schedule"


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """Who is asking. Roles are a person's; scopes are a service's.

    Attributes:
        human: whose account it is; two accounts of one human are one pair of eyes. A schedule's are those of
            whoever made it.
    """

    id: str
    kind: Kind
    name: str
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    human: str = ""

    @property
    def actor(self) -> str:
        """As the record names it."""
        return f"{self.kind}:{self.id}"

    @property
    def eyes(self) -> str:
        """Whose eyes these are: a human's, by whatever account, or a service's."""
        return self.actor if self.kind is Kind.SERVICE else self.human or self.id


def principal_of(actor: str) -> Principal:
    """A principal as the record names it, without any rights."""
    kind, _, name = actor.partition(":")
    return Principal(id=name, kind=Kind(kind), name=name)


class Verb(StrEnum):
    """What can be permitted."""

    CALL = "call"
    READ = "read"
    PROPOSE = "propose"
    EXECUTE = "execute"
    DECIDE = "decide"
    KEEP = "keep"
    MANAGE = "manage"
    BREAK_GLASS = "break_glass"
    UNMASK = "unmask"
    ERASE = "erase"
    ROLL_BACK = "roll_back"
    RESOLVE = "resolve"
    HALT = "halt"
    SCHEDULE = "schedule"
    ADMIT = "admit"


PERSONAL_DATA = "personal_data"
"""What is unmasked and erased."""
CASES = "cases"
"""What is rolled back."""
SCHEDULES = "schedules"
"""What is added, paused, resumed and removed."""
TOOLS_OUTSIDE = "tools_outside"
"""What is admitted, and withdrawn."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Permission:
    """One thing that a role may do, or with `deny` may not, whatever else it holds.

    Attributes:
        on: a route's name for `call`, `personal_data` for `unmask` and `erase`, `cases` for `roll_back`,
            `schedules` for `schedule`, `tools_outside` for `admit`,
            a kind of target (`everything`, `workflow` …) for `halt`, a tool's for the others.
        limit: the most that one deed may be about; None is without limit.
        per_day: the most that all deeds of a day may be about together; None is without limit.
    """

    verb: Verb
    on: str
    limit: Money | None = None
    per_day: Money | None = None
    deny: bool = False

    def covers(self, amount: Money | None, spent: Sequence[Money] = ()) -> bool:
        """Whether the limits are enough for this beside what was spent; one in another currency never is."""
        if amount is None:
            return True
        if self.limit is not None and not _within(amount, self.limit):
            return False
        if self.per_day is None:
            return True
        total = sum((one for one in spent if one.currency == amount.currency), start=amount)
        return _within(total, self.per_day)


def _within(amount: Money, limit: Money) -> bool:
    return limit.currency == amount.currency and amount <= limit


@dataclass(frozen=True, kw_only=True, slots=True)
class Role:
    """A role: its own permissions, and those of the roles it includes."""

    name: str
    permissions: tuple[Permission, ...] = ()
    includes: tuple[str, ...] = ()


class Considered(NamedTuple):
    """A permission that was looked at for an answer, by the role that was held."""

    role: str
    permission: Permission

    def to_json(self) -> Json:
        """JSON-shaped."""
        permission = self.permission
        return {
            "role": self.role,
            "verb": permission.verb.value,
            "on": permission.on,
            "limit": None if permission.limit is None else str(permission.limit),
            "per_day": None if permission.per_day is None else str(permission.per_day),
            "deny": permission.deny,
        }


class Permit(NamedTuple):
    """An answer: by which role something is allowed, or why it is not, and everything that was considered."""

    allowed: bool
    role: str | None
    why: str
    considered: tuple[Considered, ...]


class NotPermitted(ToolRefused):
    """Somebody asked for a tool that their role does not list; nothing was called."""

    reason = "not_permitted"


class RolesUnfit(Exception):
    """The roles do not hold together; the message names the role."""


class Permissions:
    """Roles with what they may do. What nobody gave is denied; a denial outweighs whatever gives."""

    def __init__(self, roles: Iterable[Role]) -> None:
        """Take the roles apart; raises RolesUnfit for an unknown role or a cycle of them."""
        self.roles: Mapping[str, Role] = {role.name: role for role in roles}
        self._held: dict[tuple[str, Verb, str], list[Permission]] = {}
        for name in self.roles:
            for permission in self._flat(name, ()):
                self._held.setdefault((name, permission.verb, permission.on), []).append(permission)

    def decide(
        self,
        held: Iterable[str],
        verb: Verb,
        on: str,
        amount: Money | None = None,
        spent: Sequence[Money] = (),
    ) -> Permit:
        """Whether somebody with these roles may do this, about this amount, beside what they spent."""
        considered = []
        given: str | None = None
        denied = False
        for role in held:
            for permission in self._held.get((role, verb, on), ()):
                considered.append(Considered(role, permission))
                if permission.deny:
                    denied = True
                elif given is None and permission.covers(amount, spent):
                    given = role
        if denied:
            return Permit(False, None, f"{verb} {on} is denied", tuple(considered))
        if given is None:
            return Permit(False, None, _lacking(verb, on, amount, considered), tuple(considered))
        return Permit(True, given, f"as {given}", tuple(considered))

    def denials(self, held: Iterable[str], verb: Verb, on: str) -> tuple[Considered, ...]:
        """What denies this to somebody with these roles, whichever of them gives it."""
        return tuple(
            Considered(role, permission)
            for role in sorted(held)
            for permission in self._held.get((role, verb, on), ())
            if permission.deny
        )

    def _flat(self, name: str, path: tuple[str, ...]) -> list[Permission]:
        if name in path:
            raise RolesUnfit(f"{' includes '.join((*path[path.index(name) :], name))}: a cycle of roles")
        if name not in self.roles:
            raise RolesUnfit(f"{path[-1]}: includes {name!r}, which is no role")
        role = self.roles[name]
        inherited = [one for other in role.includes for one in self._flat(other, (*path, name))]
        return [*role.permissions, *inherited]


def _lacking(verb: Verb, on: str, amount: Money | None, considered: list[Considered]) -> str:
    limited = [one.permission for one in considered if not one.permission.covers(amount)]
    for permission in limited:
        if permission.limit is not None and amount is not None and not _within(amount, permission.limit):
            return f"{amount} exceeds the limit of {permission.limit}"
    daily = [one.permission.per_day for one in considered if one.permission.per_day is not None]
    return f"{amount} exceeds what is left of {daily[0]} a day" if daily else f"no role gives {verb} {on}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Eligibility:
    """Whether somebody may decide, as which role, why or why not, and on which grounds.

    Attributes:
        rung: the place on the ladder that an approval would fill.
        on_behalf_of: whose right it is, if it is lent.
        delegation: by which it is lent.
        humans: whose eyes an approval counts for.
        involved: no right would help: these eyes had a part in it, have signed already, or are denied it.
    """

    allowed: bool
    role: str | None
    why: str
    considered: tuple[Considered, ...] = ()
    rung: int | None = None
    on_behalf_of: str | None = None
    delegation: str | None = None
    humans: tuple[str, ...] = ()
    involved: bool = False


def may_decide(
    principal: Principal,
    *,
    tool: str,
    ladder: list[Json],
    amount: Money | None,
    involved: frozenset[str],
    permissions: Permissions,
    spent: Sequence[Money] = (),
) -> Eligibility:
    """Whether this principal may vote on a review with this ladder and amount.

    Args:
        principal: who asks.
        tool: what would run.
        ladder: the rungs that are still open, `{role, people, why}`.
        amount: what the action is about, if it is about money.
        involved: actors or eyes of the lineage (who asked, proposed, edited, wrote the rule, signed): none
            of them is a second pair of eyes.
        permissions: the workflow's.
        spent: what this principal has signed for in the last day.
    """
    if principal.kind is not Kind.PERSON:
        return Eligibility(allowed=False, role=None, why="only people decide")
    if principal.actor in involved or principal.eyes in involved:
        why = "whoever asked for it, proposed or edited it, or wrote its rule cannot sign it"
        return Eligibility(allowed=False, role=None, why=why, involved=True)
    if denials := permissions.denials(principal.roles, Verb.DECIDE, tool):
        why = f"{Verb.DECIDE} {tool} is denied"
        return Eligibility(allowed=False, role=None, why=why, considered=denials, involved=True)
    wanted = [rung["role"] for rung in ladder]
    held = [name for name in wanted if name in principal.roles and name in permissions.roles]
    if not held:
        return Eligibility(allowed=False, role=None, why=f"needs the role {' or '.join(wanted)}")
    permit = permissions.decide(held, Verb.DECIDE, tool, amount, spent)
    why = permit.why if permit.role is None else _by(permit)
    return Eligibility(allowed=permit.allowed, role=permit.role, why=why, considered=permit.considered)


def _by(permit: Permit) -> str:
    limits = [one.permission.limit for one in permit.considered if one.role == permit.role]
    largest = max((limit for limit in limits if limit), key=lambda limit: limit.amount_minor, default=None)
    return permit.why if largest is None else f"{permit.why}, up to {largest}"
