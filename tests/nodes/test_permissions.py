"""Permissions: who may decide what, up to which amount; and that taking something away never gives more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nodes import eligibility as eligible
from nodes.directory import acting_for
from nodes.eligibility import Lent
from nodes.permissions import (
    Eligibility,
    Kind,
    Permission,
    Permissions,
    Principal,
    Role,
    RolesUnfit,
    Verb,
    may_decide,
)
from tools.money import Money

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine is shared
LEE = Principal(id="lee", kind=Kind.PERSON, name="Lee", roles=frozenset({"support_lead"}))


def euros(minor: int, currency: str = "EUR") -> Money:
    return Money(amount_minor=minor, currency=currency)


TOOL = "payments.refund"


@dataclass(frozen=True, kw_only=True, slots=True)
class Signer:
    """A role that decides refunds up to a limit."""

    name: str
    limit: Money


def _role(name: str, limit: Money) -> Role:
    return Role(name=name, permissions=(Permission(verb=Verb.DECIDE, on=TOOL, limit=limit),))


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """Everything that `may_decide` is asked with; Lee about 120.00 EUR unless it says otherwise."""

    principal: Principal = LEE
    ladder: tuple[str, ...] = ("support_lead",)
    amount: Money | None = euros(12000)  # noqa: RUF009 - money is frozen
    involved: frozenset[str] = frozenset({"service:shop", "agent:policy"})
    roles: tuple[Signer, ...] = (
        Signer(name="support_lead", limit=euros(50000)),
        Signer(name="finance", limit=euros(10_000_000)),
    )

    def answer(self) -> Eligibility:
        return may_decide(
            self.principal,
            tool=TOOL,
            ladder=[{"role": role, "people": 1, "why": ""} for role in self.ladder],
            amount=self.amount,
            involved=self.involved,
            permissions=Permissions(_role(name, role.limit) for name, role in self.known().items()),
        )

    def known(self) -> Mapping[str, Signer]:
        return {role.name: role for role in self.roles}

    def asked_by(self, **changes: Any) -> "Question":
        return replace(self, principal=replace(self.principal, **changes))


NAMES = ["support_lead", "finance", "auditor"]
MONEY = st.builds(euros, st.integers(-1, 6), st.sampled_from(["EUR", "USD"]))
QUESTIONS = st.builds(
    Question,
    principal=st.builds(
        Principal,
        id=st.sampled_from(["lee", "finn"]),
        kind=st.sampled_from(Kind),
        name=st.just("Somebody"),
        roles=st.frozensets(st.sampled_from([*NAMES, "stranger"])),
        scopes=st.frozensets(st.sampled_from(["reviews:decide"])),
    ),
    ladder=st.lists(st.sampled_from([*NAMES, "nobody"]), max_size=3).map(tuple),
    amount=st.none() | MONEY,
    involved=st.frozensets(st.sampled_from(["person:lee", "person:finn", "service:lee", "agent:policy"])),
    roles=st.lists(
        st.builds(Signer, name=st.sampled_from(NAMES), limit=MONEY), unique_by=lambda role: role.name
    ).map(tuple),
)


def entitled(question: Question) -> bool:
    """Who may decide; said a second time, as one condition."""
    known = question.known()
    return (
        question.principal.kind is Kind.PERSON
        and f"person:{question.principal.id}" not in question.involved
        and any(
            covers(known[name].limit, question.amount)
            for name in question.principal.roles & set(question.ladder) & known.keys()
        )
    )


def covers(limit: Money, amount: Money | None) -> bool:
    if amount is None:
        return True
    return limit.currency == amount.currency and limit.amount_minor >= amount.amount_minor


# --- who may ----------------------------------------------------------------------------------------------


def test_a_lead_decides_what_the_role_covers() -> None:
    answer = Question().answer()

    assert (answer.allowed, answer.role, answer.why) == (
        True,
        "support_lead",
        "as support_lead, up to 500.00 EUR",
    )
    assert [one.to_json() for one in answer.considered] == [
        {
            "role": "support_lead",
            "verb": "decide",
            "on": TOOL,
            "limit": "500.00 EUR",
            "per_day": None,
            "deny": False,
        }
    ]


@pytest.mark.parametrize(("minor", "allowed"), [(49999, True), (50000, True), (50001, False)])
def test_a_limit_holds_to_the_cent(minor: int, *, allowed: bool) -> None:
    assert Question(amount=euros(minor)).answer().allowed is allowed


def test_what_exceeds_the_limit_is_said_with_the_limit() -> None:
    assert Question(amount=euros(50001)).answer().why == "500.01 EUR exceeds the limit of 500.00 EUR"


@pytest.mark.parametrize("minor", [1, 12000, 10**9])
def test_a_limit_says_nothing_about_another_currency(minor: int) -> None:
    assert not Question(amount=euros(minor, "JPY")).answer().allowed


def test_what_is_not_about_money_needs_the_role_alone() -> None:
    assert Question(amount=None).answer().allowed
    assert not Question(amount=None).asked_by(roles=frozenset({"finance"})).answer().allowed


def test_of_two_roles_the_one_that_covers_the_amount_decides() -> None:
    both = Question(amount=euros(64000), ladder=("support_lead", "finance")).asked_by(
        roles=frozenset({"support_lead", "finance"})
    )

    assert (both.answer().allowed, both.answer().role) == (True, "finance")


def test_a_higher_role_is_not_the_one_that_is_asked_for() -> None:
    refused = Question().asked_by(roles=frozenset({"finance"})).answer()

    assert (refused.allowed, refused.role, refused.why) == (False, None, "needs the role support_lead")


def test_a_role_that_the_workflow_does_not_have_decides_nothing() -> None:
    assert not Question(ladder=("cfo",)).asked_by(roles=frozenset({"cfo"})).answer().allowed


def test_a_role_is_not_known_by_part_of_its_name() -> None:
    for name in ("support", "lead", "SUPPORT_LEAD", "support_lead "):
        assert not Question().asked_by(roles=frozenset({name})).answer().allowed


def test_nobody_may_decide_what_asks_for_nobody() -> None:
    assert not Question(ladder=()).answer().allowed


def test_nobody_may_decide_where_no_role_is_known() -> None:
    assert not Question(roles=()).answer().allowed


@UNHURRIED
@given(QUESTIONS)
def test_somebody_may_decide_exactly_if_they_are_entitled(question: Question) -> None:
    assert question.answer().allowed is entitled(question)


@UNHURRIED
@given(QUESTIONS)
def test_an_answer_has_its_reason_and_a_role_only_if_it_is_yes(question: Question) -> None:
    answer = question.answer()

    assert answer.why
    assert (answer.role is not None) is answer.allowed
    assert answer.role is None or answer.role in question.principal.roles & set(question.ladder)


# --- who never may ----------------------------------------------------------------------------------------


@UNHURRIED
@given(QUESTIONS, st.sampled_from([kind for kind in Kind if kind is not Kind.PERSON]))
def test_neither_a_service_nor_a_schedule_ever_decides(question: Question, kind: Kind) -> None:
    answer = question.asked_by(kind=kind).answer()

    assert (answer.allowed, answer.why) == (False, "only people decide")


def test_the_eyes_of_a_schedule_are_those_of_whoever_made_it() -> None:
    schedule = Principal(id="s1/person:lee", kind=Kind.SCHEDULE, name="Morning", human="lee")

    assert (schedule.actor, schedule.eyes, acting_for(schedule.actor)) == (
        "schedule:s1/person:lee",
        LEE.eyes,
        LEE.actor,
    )
    assert acting_for("service:schedule:x/person:lee") == "service:schedule:x/person:lee"


@UNHURRIED
@given(QUESTIONS)
def test_whoever_is_involved_never_decides(question: Question) -> None:
    involved = question.involved | {question.principal.actor}

    assert not replace(question, involved=involved).answer().allowed


def test_a_service_of_the_same_name_is_somebody_else() -> None:
    assert Question(involved=frozenset({"service:lee", "agent:lee", "person:leela"})).answer().allowed


# --- taking away never gives ------------------------------------------------------------------------------


@UNHURRIED
@given(QUESTIONS, st.sampled_from(NAMES))
def test_losing_a_role_never_widens(question: Question, name: str) -> None:
    fewer = question.asked_by(roles=question.principal.roles - {name})

    assert fewer.answer().allowed <= question.answer().allowed


@UNHURRIED
@given(QUESTIONS, st.integers(0, 8))
def test_a_lower_limit_never_widens(question: Question, less: int) -> None:
    lower = tuple(
        replace(role, limit=euros(role.limit.amount_minor - less, role.limit.currency))
        for role in question.roles
    )

    assert replace(question, roles=lower).answer().allowed <= question.answer().allowed


@UNHURRIED
@given(QUESTIONS, st.sampled_from(NAMES))
def test_a_role_less_in_the_workflow_never_widens(question: Question, name: str) -> None:
    fewer = tuple(role for role in question.roles if role.name != name)

    assert replace(question, roles=fewer).answer().allowed <= question.answer().allowed


@UNHURRIED
@given(QUESTIONS, st.integers(0, 8))
def test_a_larger_amount_never_widens(question: Question, more: int) -> None:
    if question.amount is None:
        return
    larger = euros(question.amount.amount_minor + more, question.amount.currency)

    assert replace(question, amount=larger).answer().allowed <= question.answer().allowed


@UNHURRIED
@given(QUESTIONS, st.sampled_from(["person:lee", "person:finn"]))
def test_more_people_involved_never_widens(question: Question, actor: str) -> None:
    more = replace(question, involved=question.involved | {actor})

    assert more.answer().allowed <= question.answer().allowed


@UNHURRIED
@given(QUESTIONS)
def test_scopes_of_a_service_give_a_person_nothing(question: Question) -> None:
    scoped = question.asked_by(scopes=frozenset({"reviews:decide", "support_lead", "*"}))

    assert scoped.answer() == question.answer()


# --- the one place that decides ---------------------------------------------------------------------------

ROLE_NAMES = ["a", "b", "c"]
PERMISSION = st.builds(
    Permission,
    verb=st.sampled_from([Verb.READ, Verb.DECIDE]),
    on=st.sampled_from(["x.y", "x.z"]),
    limit=st.none() | MONEY,
    deny=st.booleans(),
)
ROLES = st.tuples(
    *(
        st.builds(
            Role,
            name=st.just(name),
            permissions=st.lists(PERMISSION, max_size=4).map(tuple),
            includes=st.lists(st.sampled_from(ROLE_NAMES[at + 1 :]), unique=True).map(tuple)
            if ROLE_NAMES[at + 1 :]
            else st.just(()),
        )
        for at, name in enumerate(ROLE_NAMES)
    )
)
ASKED = st.tuples(
    st.lists(st.sampled_from([*ROLE_NAMES, "stranger"]), unique=True),
    st.sampled_from([Verb.READ, Verb.DECIDE]),
    st.sampled_from(["x.y", "x.z"]),
    st.none() | MONEY,
)


@UNHURRIED
@given(ROLES, ASKED, st.sampled_from(ROLE_NAMES), PERMISSION)
def test_a_denial_more_never_widens(roles: tuple[Role, ...], asked: Any, name: str, more: Permission) -> None:
    denying = replace(more, deny=True)
    with_denial = [
        replace(role, permissions=(*role.permissions, denying)) if role.name == name else role
        for role in roles
    ]

    before, after = Permissions(roles).decide(*asked), Permissions(with_denial).decide(*asked)

    assert after.allowed <= before.allowed


@UNHURRIED
@given(ROLES, ASKED)
def test_a_denial_outweighs_whatever_gives(roles: tuple[Role, ...], asked: Any) -> None:
    permit = Permissions(roles).decide(*asked)

    assert not (permit.allowed and any(one.permission.deny for one in permit.considered))
    assert all(one.role in asked[0] for one in permit.considered)


@UNHURRIED
@given(ROLES, ASKED)
def test_what_is_included_is_held_as_if_it_were_ones_own(roles: tuple[Role, ...], asked: Any) -> None:
    def closure(name: str) -> set[str]:
        (role,) = (role for role in roles if role.name == name)
        return {name}.union(*(closure(other) for other in role.includes))

    held, *rest = asked
    everything = sorted(set().union(*(closure(name) for name in held if name in ROLE_NAMES)))
    permissions = Permissions(roles)

    assert permissions.decide(held, *rest).allowed is permissions.decide(everything, *rest).allowed


SUSPENDED = Role(name="suspended", permissions=(Permission(verb=Verb.DECIDE, on=TOOL, deny=True),))


def _decides(*roles: str, lent: Sequence[Lent] = ()) -> Eligibility:
    """Whether Lee with these roles, or with what is lent to them, may sign as a lead."""
    asked = eligible.Question(
        tool=TOOL,
        ladder=[{"role": "support_lead", "people": 1}],
        votes=(),
        amount=euros(12000),
        involved=frozenset(),
        permissions=Permissions([_role("support_lead", euros(50000)), SUSPENDED]),
    )
    return eligible.eligibility(replace(LEE, roles=frozenset(roles)), asked, lent=lent)


def test_a_denial_in_another_role_than_the_one_that_is_asked_holds_too() -> None:
    assert _decides("support_lead").allowed
    denied = _decides("support_lead", "suspended")
    assert (denied.allowed, denied.why) == (False, f"decide {TOOL} is denied")
    assert [one.role for one in denied.considered] == ["suspended"]


def test_who_is_denied_something_neither_borrows_nor_lends_it() -> None:
    lender, denied = (
        replace(LEE, id="max", human="max", roles=frozenset({"support_lead", *more}))
        for more in ([], ["suspended"])
    )
    assert _decides(lent=[Lent(lender, "d-1", None)]).allowed
    assert not _decides("suspended", lent=[Lent(lender, "d-1", None)]).allowed
    assert not _decides(lent=[Lent(denied, "d-1", None)]).allowed


def test_a_cycle_of_roles_is_refused() -> None:
    circle = [
        Role(name="a", includes=("b",)),
        Role(name="b", includes=("c",)),
        Role(name="c", includes=("a",)),
    ]

    with pytest.raises(RolesUnfit, match="a includes b includes c includes a"):
        Permissions(circle)


def test_a_role_that_there_is_not_is_refused() -> None:
    with pytest.raises(RolesUnfit, match="a: includes 'b'"):
        Permissions([Role(name="a", includes=("b",))])


def test_without_any_role_nothing_is_permitted() -> None:
    for verb in Verb:
        assert not Permissions([]).decide(["anybody", "", "*"], verb, "*").allowed
