"""Reviews under everything at once: whatever people, time, crashes and forgers do, the promises hold."""

import asyncio
import os
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from langgraph.errors import InvalidUpdateError
from langgraph.types import Command

from checkpoints.cases import Case
from checkpoints.embedded import EmbeddedPostgres
from checkpoints.errors import CheckpointsError, StaleHead, ThreadIsBusy
from checkpoints.reviews import Review
from checkpoints.votes import VoteKind
from graphs.acts import Acts, NothingAbove, NotWaitingForInfo
from graphs.closing import NotEligible, ReviewClaimed, ReviewExpired, ReviewParked
from graphs.deadlines import Deadlines
from graphs.decisions import Ballot, Decisions, NothingToOverride, OverrideRequired
from graphs.edits import EditRefused, Edits, EditUnfit, TooManyEdits
from graphs.intake import Intake
from graphs.lending import DelegationUnfit, Lending
from nodes.edits import PatchUnfit
from tests.bites.forger import forge, forging
from tests.house import House, refund_event
from tests.kills import killed_at
from tests.stories.oracle import Account, Limits
from tests.stories.review_world import ACCOUNTS, LADDERS, World
from tools.money import Money

EXAMPLES = int(os.environ.get("COUNTERSIGN_MACHINE_EXAMPLES", "10"))
"""How many lives of a house are tried; a nightly run takes more."""
SCENES = (
    "clean_49_99",
    "clean_50_00",
    "clean_120_00_1",
    "clean_320_50",
    "clean_500_00",
    "clean_500_01",
    "clean_640_00_1",
    "clean_640_00_2",
    "clean_1250_00",
)
REFUSALS = (
    CheckpointsError,
    DelegationUnfit,
    EditRefused,
    EditUnfit,
    NotEligible,
    NothingAbove,
    NothingToOverride,
    NotWaitingForInfo,
    OverrideRequired,
    PatchUnfit,
    ReviewClaimed,
    ReviewExpired,
    ReviewParked,
    TooManyEdits,
)
"""The named states of affairs that somebody may be told; anything else is a fault."""

NAMES = [*ACCOUNTS, "shop"]
who = st.sampled_from(NAMES)
whom = st.sampled_from(sorted(ACCOUNTS))
nth = st.integers(0, 7)
PAIRS = [("fay", "fay_two"), ("lee", "lee_two"), ("finn", "nora"), ("gus", "kit"), ("fay", "lee_two")]
"""Two accounts of one human; a lender and whom they lend to; who opened a case, and who wrote the rules."""
AMOUNTS = st.sampled_from([4999, 5000, 12000, 30000, 50000, 50001, 60000, 60001, 64000])
SIGNING = st.sampled_from(
    [VoteKind.APPROVE] * 4 + [VoteKind.OVERRIDE, VoteKind.BREAK_GLASS] * 2 + [VoteKind.REJECT]
)


class Reviews(RuleBasedStateMachine):
    """One life of a house."""

    postgres: EmbeddedPostgres
    home: Path
    tally: Counter[str]

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.postgres, self.home, self.tally)
        self.cases: list[Case] = []

    @initialize(ladder=st.sampled_from(sorted(LADDERS)), first=nth)
    def found(self, ladder: str, first: int) -> None:
        self.world.run(self.world.open(ladder))
        for opener in ("shop", "shop", "gus", "lee"):
            self.open_a_case(first, opener)

    def teardown(self) -> None:
        self.world.close()

    # --- what happens outside -----------------------------------------------------------------------------

    @precondition(lambda self: len(self.cases) < len(SCENES))
    @rule(first=nth, opener=st.sampled_from(["shop", "shop", "lee", "fay", "gus"]))
    def open_a_case(self, first: int, opener: str) -> None:
        taken = {case.event_id for case in self.cases}
        name = next(name for name in SCENES[first:] + SCENES[:first] if name not in taken)
        received = Intake(self.house.parts).receive(refund_event(name), self.world.principal(opener))
        case, _ = self.world.run(received)
        self.cases.append(case)
        self.tally["cases"] += 1
        self.world.run(self.house.work())

    @rule(name=whom, roles=st.sets(st.sampled_from(["support_lead", "finance", "duty_manager"])))
    def change_roles(self, name: str, roles: set[str]) -> None:
        kept = {"rule_keeper"} & set(ACCOUNTS[name][1])
        self.world.accounts[name] = Account(self.world.accounts[name].human, frozenset(roles | kept))
        self.world.settle()

    @rule(name=whom, other=whom)
    def find_out_whose_account_it_is(self, name: str, other: str) -> None:
        human = self.world.accounts[other].human
        self.world.accounts[name] = Account(human, self.world.accounts[name].roles)
        self.world.settle()

    @rule(
        role=st.sampled_from(["support_lead", "finance"]),
        once=st.sampled_from([10000, 50000, 63000, 10000000]),
        per_day=st.sampled_from([40000, 100000, 10000000]),
    )
    def change_limits(self, role: str, once: int, per_day: int) -> None:
        self.world.limit(role, Limits(once, per_day))

    @rule(minutes=st.sampled_from([5, 20, 45, 45, 300, 300, 600, 1500, 4400, 11000]), deadlines=st.booleans())
    def let_time_pass(self, minutes: int, deadlines: bool) -> None:  # noqa: FBT001 - drawn
        self.world.clock.advance(timedelta(minutes=minutes))
        if deadlines:
            self.world.run(Deadlines(self.house.parts).run())

    # --- what people do -----------------------------------------------------------------------------------

    @precondition(lambda self: self.cases)
    @rule(name=who, at=nth, kind=SIGNING, stale=st.integers(0, 9), at_once=st.booleans())
    def vote(self, name: str, at: int, kind: VoteKind, stale: int, at_once: bool) -> None:  # noqa: FBT001
        if (review := self.review(at)) is not None:
            digest = review.digest if stale else "0" * 64
            ballot = Ballot(kind=kind, digest=digest, comment="So.", reason_code="goodwill")
            self.attempt(Decisions(self.house.parts).vote(review.id, ballot, self.world.principal(name)))
            if at_once:
                self.world.run(self.house.work())

    @precondition(lambda self: self.cases)
    @rule(at=nth, one=st.integers(0, 20), at_once=st.booleans())
    def sign_as_asked(self, at: int, one: int, at_once: bool) -> None:  # noqa: FBT001 - drawn
        """By somebody with a role that is asked, in the way that the review asks for."""
        if (review := self.review(at)) is not None:
            accounts = self.world.accounts
            able = [name for name in sorted(accounts) if accounts[name].roles & set(review.roles)]
            name = [*able, "nora"][one % (len(able) + 1)]
            kind = VoteKind.APPROVE if review.against is None else VoteKind.OVERRIDE
            self.vote(name, at, kind, stale=1, at_once=at_once)

    @precondition(lambda self: self.cases)
    @rule(first=st.integers(0, 20), second=st.integers(0, 20), half=st.integers(0, 1))
    def sign_half_of_all_as_asked(self, first: int, second: int, half: int) -> None:
        """Each by two, one after the other: where one is enough the second is too late."""
        for at in range(half, len(self.world.run(self.house.open_reviews())), 2):
            for one in (first + at, second + at):
                self.sign_as_asked(at, one, at_once=False)
        self.world.run(self.house.work())

    @precondition(lambda self: self.cases)
    @rule(pair=st.sampled_from(PAIRS), lend=st.booleans(), half=st.integers(0, 1))
    def sign_twice_over(self, pair: tuple[str, str], lend: bool, half: int) -> None:  # noqa: FBT001 - drawn
        """One human by two accounts, or with a right that the other one lent; or who has a part in it."""
        if lend:
            self.lend(*pair, limit=None, hours=30)
        for at in range(half, len(reviews := self.world.run(self.house.open_reviews())), 2):
            kind = VoteKind.APPROVE if reviews[at].against is None else VoteKind.OVERRIDE
            for name in reversed(pair) if lend else pair:
                ballot = Ballot(kind=kind, digest=reviews[at].digest, comment="So.", reason_code="goodwill")
                principal = self.world.principal(name)
                self.attempt(Decisions(self.house.parts).vote(reviews[at].id, ballot, principal))
        self.world.run(self.house.work())

    @precondition(lambda self: self.cases)
    @rule(first=who, second=who, at=nth, kind=st.sampled_from([VoteKind.APPROVE, VoteKind.OVERRIDE]))
    def vote_side_by_side(self, first: str, second: str, at: int, kind: VoteKind) -> None:
        if (review := self.review(at)) is not None:
            self.world.run(self._side_by_side(review, kind, (first, second)))

    async def _side_by_side(self, review: Review, kind: VoteKind, names: tuple[str, ...]) -> None:
        ballot = Ballot(kind=kind, digest=review.digest, reason_code="goodwill")
        decisions = Decisions(self.house.parts)
        votes = (decisions.vote(review.id, ballot, self.world.principal(name)) for name in names)
        for end in await asyncio.gather(*votes, return_exceptions=True):
            assert not isinstance(end, BaseException) or isinstance(end, REFUSALS), repr(end)

    @precondition(lambda self: self.cases)
    @rule(name=who, at=nth, amount=AMOUNTS)
    def edit(self, name: str, at: int, amount: int) -> None:
        if (review := self.review(at)) is not None:
            patch = [{"op": "replace", "path": "/amount_minor", "value": amount}]
            done = Edits(self.house.parts).commit(
                review.id, review.digest, patch, "Less.", self.world.principal(name)
            )
            self.attempt(done)
            self.world.run(self.house.work())

    @precondition(lambda self: self.cases)
    @rule(
        name=who,
        at=nth,
        act=st.sampled_from(["claim", "release", "comment", "escalate", "ask_back", "answer", "assign"]),
    )
    def act(self, name: str, at: int, act: str) -> None:
        review = self.review(at)
        if review is None:
            return
        acts, principal = Acts(self.house.parts), self.world.principal(name)
        match act:
            case "claim":
                done = acts.claim(review.id, principal, take_over=True)
            case "release":
                done = acts.release(review.id, principal)
            case "comment":
                done = acts.comment(review.id, "A word.", principal)
            case "escalate":
                done = acts.escalate(review.id, review.digest, "Not mine.", principal)
            case "ask_back":
                done = acts.ask_back(review.id, review.digest, "Which?", principal)
            case "answer":
                done = acts.answer(review.id, "This.", principal)
            case _:
                done = acts.assign(review.id, "person:finn", principal)
        self.attempt(done)

    @rule(name=who, to=whom, limit=st.sampled_from([None, 12000, 64000]), hours=st.sampled_from([1, 30]))
    def lend(self, name: str, to: str, limit: int | None, hours: int) -> None:
        lent = Lending(self.house.parts).lend(
            self.world.principal(name),
            to=f"person:{to}",
            until=self.world.clock.now + timedelta(hours=hours),
            workflow=None,
            limit=None if limit is None else Money(amount_minor=limit, currency="EUR"),
            reason="Away.",
        )
        self.attempt(lent)

    @rule(name=whom, at=nth)
    def take_back(self, name: str, at: int) -> None:
        principal, lending = self.world.principal(name), Lending(self.house.parts)
        if lent := self.world.run(lending.of(principal)):
            self.attempt(lending.revoke(lent[at % len(lent)].id, principal))

    # --- what workers and forgers do ----------------------------------------------------------------------

    @rule()
    def work(self) -> None:
        self.world.run(self.house.work())

    @rule(suspension=st.integers(0, 60))
    def work_and_die(self, suspension: int) -> None:
        for command in self.commands():
            self.world.run(killed_at(suspension, self.house.runner.carry_out(command)))

    @rule()
    def work_twice_at_once(self) -> None:
        self.world.run(self._twice(self.commands()))

    async def _twice(self, commands: list[str]) -> None:
        work = (self.house.runner.carry_out(command) for command in commands * 2)
        for end in await asyncio.gather(*work, return_exceptions=True):
            assert end is None or isinstance(end, ThreadIsBusy | StaleHead), repr(end)

    @precondition(lambda self: self.cases)
    @rule(at=nth, node=st.sampled_from([None, "gate", "judge", "tell"]), revised=st.integers(0, 2))
    def forge(self, at: int, node: str | None, revised: int) -> None:
        case = self.world.run(self.house.case(self.cases[at % len(self.cases)].id))
        if case.head is not None:
            self.world.run(self._forge(case, node, revised))

    async def _forge(self, case: Case, node: str | None, revised: int) -> None:
        """Wake the thread with a yes, or write one into its state in the name of a node, and go on."""
        with suppress(InvalidUpdateError, StaleHead):
            if node is None:
                yes = {"type": "approve", "status": "approved", "decisions": [{"type": "approve"}]}
                await forge(self.house, case, Command(resume=yes))
                return
            async with forging(self.house, case) as thread:
                if "proposal" not in (await thread.state()).values:
                    return
                proposal = await thread.value("proposal")
                proposal["revision"] += revised
                if revised and "amount_minor" in proposal["arguments"]:
                    proposal["arguments"]["amount_minor"] = {"value": 4900 * revised}
                word = {"gate": "approved", "judge": "allow", "tell": "ready"}[node]
                await thread.write({"outcome": word, "proposal": proposal}, as_node=node)
                await thread.wake(None)

    # --- what must hold -----------------------------------------------------------------------------------

    @invariant()
    def the_books_are_in_order(self) -> None:
        self.tally["steps"] += 1
        if hasattr(self.world, "oracle"):
            self.world.run(self.world.check())

    # --- the machine's own --------------------------------------------------------------------------------

    @property
    def house(self) -> House:
        return self.world.house

    def review(self, at: int) -> Review | None:
        """An open review, or now and then one that is decided."""
        reviews = self.world.run(self.house.open_reviews())
        return reviews[at % len(reviews)] if reviews else None

    def commands(self) -> list[str]:
        rows = self.house.rows("SELECT id FROM commands WHERE done_at IS NULL ORDER BY created_at")
        return [row["id"] for row in self.world.run(rows)]

    def attempt(self, deed: Coroutine[Any, Any, object]) -> None:
        """Something that is done, or refused for a named reason."""
        try:
            self.world.run(deed)
        except REFUSALS as refused:
            self.tally[type(refused).__name__] += 1


def test_whatever_happens_nothing_is_paid_that_was_not_signed_by_enough_people(
    postgres: EmbeddedPostgres, templates: None, tmp_path: Path
) -> None:
    tally: Counter[str] = Counter()
    machine = type(
        "Lives", (Reviews,), {"postgres": postgres, "home": tmp_path, "tally": tally, "__module__": __name__}
    )
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=40,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),  # each life opens databases, and the machine is shared
        ),
    )
    print(sorted(tally.items()))
    assert tally["NotEligible"], "nobody was ever refused: the machine tries too little"
    assert tally["signed by 1"] + tally["signed by 2"], (
        "nothing was ever signed: the machine tries too little"
    )
