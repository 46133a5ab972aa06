"""What the books must say of every refund, said a second time: from the rows alone, by no code of ours."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

Row = dict[str, Any]

SIGNATURES = {"approve", "override", "break_glass"}
AUTOMATIC, LEADS, FINANCES = 5000, 50000, 60000
"""Below the first nobody is asked, up to the second a lead, up to the third finance, above it two of it."""
GLASS = 200000
A_DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Account:
    """An account: whose it is, and which roles it has."""

    human: str
    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class Limits:
    """The most of one deed, and of all deeds of a day."""

    once: int
    per_day: int


@dataclass(frozen=True, slots=True)
class Moment:
    """Who is who, and who may how much, at one time."""

    accounts: Mapping[str, Account]
    limits: Mapping[str, Limits]

    def human(self, actor: str) -> str:
        """Whose eyes are behind an actor."""
        account = self.accounts.get(actor.removeprefix("person:"))
        return actor if account is None else account.human

    def holds(self, actor: str, role: str, amount: int) -> bool:
        """Whether an account holds a role that covers an amount."""
        account = self.accounts.get(actor.removeprefix("person:"))
        return account is not None and role in account.roles and amount <= self.limits[role].once


@dataclass(frozen=True, kw_only=True, slots=True)
class Books:
    """All rows that say what was done, and why."""

    refunds: list[Row]
    effects: list[Row]
    reviews: dict[str, Row]
    votes: list[Row]
    delegations: dict[str, Row]

    def signatures(self, review_id: str | None) -> list[Row]:
        """The approving votes of a review."""
        return [vote for vote in self.votes if vote["review_id"] == review_id and vote["kind"] in SIGNATURES]


@dataclass(frozen=True, kw_only=True, slots=True)
class Oracle:
    """Looks at the books after every step; remembers how people and limits were when something appeared.

    Attributes:
        ladder: which rule asks whom from 50 to 500: `lead`, `lead_then_finance` or `against`.
    """

    ladder: str
    author: str
    decided: dict[str, Moment] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    tally: Counter[str] = field(default_factory=Counter)

    def check(self, books: Books, moment: Moment, now: datetime) -> None:
        """Everything that must hold of the books."""
        for vote in books.votes:
            self.decided.setdefault(vote["id"], moment)
        effects = {effect["key"]: effect for effect in books.effects}
        for refund in books.refunds:
            effect = effects[refund["idempotency_key"]]  # nothing is paid that is not in the ledger
            paid = {name: refund[name] for name in effect["arguments"]}
            assert paid == effect["arguments"], "what was paid is not what was intended"
        doubled = Counter(
            (effect["case_id"], effect["tool"]) for effect in books.effects if effect["state"] != "failed"
        )
        assert max(doubled.values(), default=1) == 1, f"more than one effect of a tool in a case: {doubled}"
        for effect in books.effects:
            if effect["tool"] == "payments.refund":
                self._effect(effect, books)
                if effect["key"] not in self.done:
                    self.done.add(effect["key"])
                    self._released(effect, books, moment, now)

    def _effect(self, effect: Row, books: Books) -> None:
        """What holds of an effect for ever."""
        assert effect["granted"] == effect["digest"], "the grant is for another action"
        assert effect["used_at"] is not None, "the grant was not used up"
        for review in books.reviews.values():
            if review["status"] in {"rejected", "expired", "superseded"}:
                assert review["digest"] != effect["digest"], f"{review['status']}, and done"
                assert review["id"] != effect["review_id"]
        if effect["review_id"] is not None:
            review = books.reviews[effect["review_id"]]
            assert review["status"] == "approved"
            assert review["digest"] == effect["digest"], "signed was something else"
            assert review["action"]["arguments"] == effect["arguments"], "shown was something else"
            assert {vote["digest"] for vote in books.signatures(review["id"])} == {effect["digest"]}

    def _released(self, effect: Row, books: Books, now_: Moment, now: datetime) -> None:
        """What holds of an effect at the moment it appears."""
        amount = effect["arguments"]["amount_minor"]
        votes = books.signatures(effect["review_id"])
        if effect["review_id"] is None:
            assert amount < AUTOMATIC, f"nobody was asked about {amount}"
            turned_down = [
                review
                for review in books.reviews.values()
                if review["case_id"] == effect["case_id"] and review["status"] in {"rejected", "expired"}
            ]
            assert turned_down == [], "people had said no"
            self.tally["automatic"] += 1
            return
        self._eyes(effect, votes, books, now_)
        glass = [vote for vote in votes if vote["kind"] == "break_glass"]
        if glass:
            assert amount <= GLASS
            assert all(now_.holds(vote["person"], "duty_manager", amount) for vote in glass)
            self.tally["broken glass"] += 1
            return
        self._enough(amount, votes)
        for vote in votes:
            self._may(vote, effect, books, now_, now)
        self.tally[f"signed by {len(votes)}"] += 1

    def _eyes(self, effect: Row, votes: Iterable[Row], books: Books, moment: Moment) -> None:
        """Every signature is of other eyes, and of none that had a part in what was signed."""
        edits = [
            vote["person"]
            for vote in books.votes
            if vote["case_id"] == effect["case_id"] and vote["kind"] == "edit"
        ]
        involved = {moment.human(actor) for actor in [effect["opened_by"], self.author, *edits]}
        votes = list(votes)
        if any(vote["kind"] == "break_glass" for vote in votes):
            votes = [vote for vote in votes if vote["kind"] == "break_glass"]
        seen = [
            moment.human(actor)
            for vote in votes
            for actor in (vote["person"], vote["on_behalf_of"])
            if actor is not None
        ]
        assert len(set(seen)) == len(seen), f"one human signed twice: {seen}"
        assert not involved & set(seen), f"of {involved} somebody signed: {seen}"
        assert all(vote["person"].startswith("person:") for vote in votes)

    def _enough(self, amount: int, votes: list[Row]) -> None:
        """Everybody whom the rules ask has signed; who is above a role stands in for it."""
        roles = Counter(vote["role"] for vote in votes)
        if amount <= LEADS and self.ladder == "lead_then_finance":
            assert roles == {"support_lead": 1, "finance": 1}, roles
        elif amount <= LEADS:
            assert len(votes) == 1, roles
            assert set(roles) <= {"support_lead", "finance"}
            if self.ladder == "against":
                assert {vote["kind"] for vote in votes} == {"override"}
        else:
            assert roles == {"finance": 1 if amount <= FINANCES else 2}, roles

    def _may(self, vote: Row, effect: Row, books: Books, then: Moment, now: datetime) -> None:
        """Whoever's right it is had it when it was used, and has it when the deed is done."""
        amount = effect["arguments"]["amount_minor"]
        holder, role = vote["on_behalf_of"] or vote["person"], vote["role"]
        for moment in (self.decided[vote["id"]], then):
            assert moment.holds(holder, role, amount), f"{holder} is not {role} up to {amount}"
        if vote["delegation"] is not None:
            lent = books.delegations[vote["delegation"]]
            assert (lent["from_person"], lent["to_person"]) == (vote["on_behalf_of"], vote["person"])
            assert lent["starts_at"] <= vote["voted_at"] < lent["ends_at"]
            assert lent["revoked_at"] is None
            assert lent["amount_minor"] is None or amount <= lent["amount_minor"]
            self.tally["lent"] += 1
        else:
            assert vote["on_behalf_of"] is None
        day = amount + sum(
            other["arguments"]["amount_minor"]
            for other in books.effects
            if other["review_id"] and other["key"] != effect["key"] and other["state"] != "failed"
            for signed in books.signatures(other["review_id"])
            if then.human(signed["on_behalf_of"] or signed["person"]) == then.human(holder)
            and signed["voted_at"] > now - A_DAY
        )
        assert day <= then.limits[role].per_day, f"{holder} released {day} in a day"
