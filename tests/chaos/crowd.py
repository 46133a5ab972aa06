"""The people and the shop of a run: they send, decide, press twice and contradict each other, over HTTP."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import httpx

from graphs.roles import read_text
from tests.chaos.plan import HUGE, LARGE, Manner, Plan
from tests.engine.front import Front
from tests.engine.orders import Order
from tests.engine.plant import Plant

LOOK_AGAIN_SECONDS = 0.3
MOST_UNDER_WAY = 80
"""Cases that are neither at rest nor waiting for people, before more events are sent."""
AT_ONCE = 20
LEADS = [f"lead-{n:02}" for n in range(AT_ONCE)]
FINANCE = [f"finance-{n}" for n in range(4)]
EXPECTED = frozenset({HTTPStatus.OK, HTTPStatus.CONFLICT, HTTPStatus.FORBIDDEN})
RULES = {
    "over_lead_limit, by: [finance],": "over_lead_limit, by: [{role: finance, people: 2}],",
    "20000.00 EUR": "900000.00 EUR",
    "20000.01": "900000.01",
    'version: "2026-11-27"': 'version: "chaos"',
}
"""What the shipped table says, and what it says here: from 500 on two people sign, whatever the day's sum."""
_UNDER_WAY = "SELECT count(*) FROM cases WHERE status = ANY('{received,running,approved,executed}')"
Json = dict[str, Any]


@dataclass(slots=True)
class Crowd:
    """Everybody who talks to the API.

    Attributes:
        cases: by id the orders whose events were confirmed, each with how often it was.
        votes: what was confirmed to whom: review, person and kind.
    """

    plan: Plan
    plant: Plant
    front: Front
    cases: dict[str, Order] = field(default_factory=dict)
    votes: list[tuple[str, str, str]] = field(default_factory=list)
    asked: Counter[int] = field(default_factory=Counter)
    in_hand: set[str] = field(default_factory=set)
    doubled: list[str] = field(default_factory=list)
    set_going: int = 0

    async def change_rules(self) -> None:
        """Put this run's table in force, as rule keepers do."""
        text = read_text("graphs.refund", "rules.yaml")
        for old, new in RULES.items():
            assert old in text, old
            text = text.replace(old, new)
        draft = await self.front.ask(
            "kit", "POST", "/rules/drafts", json={"workflow": "refund", "source": text, "note": "Chaos."}
        )
        assert draft.is_success, draft.text
        path = f"/rules/{draft.json()['digest']}/decision"
        decided = await self.front.ask("kai", "POST", path, json={"kind": "approve"})
        assert decided.is_success, decided.text

    async def send(self, orders: Sequence[Order]) -> None:
        """Send every order's event, in bursts, and some of them twice at the same moment."""
        rest = iter(orders)
        for burst in self.plan.bursts:
            await self._until_there_is_room()
            some = [next(rest) for _ in range(burst)]
            twice = [one for one in some if self.plan.chance("sent", one.number).random() < 0.1]
            await asyncio.gather(*map(self._sent, [*some, *twice]))

    async def _sent(self, order: Order) -> None:
        case = await self.front.open(order)
        if self.cases.setdefault(case, order) != order:
            self.doubled.append(f"doubled: the case {case} is of two events")

    async def _until_there_is_room(self) -> None:
        while True:
            rows = await self.plant.known(_UNDER_WAY)
            if rows and rows[0]["count"] < MOST_UNDER_WAY:
                return
            await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def decide(self) -> None:
        """Answer reviews for as long as this runs."""
        async with asyncio.TaskGroup() as group:
            while True:
                for review in await self.reviews():
                    if review["id"] not in self.in_hand and len(self.in_hand) < AT_ONCE:
                        self.in_hand.add(review["id"])
                        group.create_task(self._answered(review))
                await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def reviews(self) -> list[Json]:
        """The reviews that are open, whoever they wait for."""
        found = [*await self.front.reviews(LEADS[0]), *await self.front.reviews(FINANCE[0])]
        return list({one["id"]: one for one in found}.values())

    async def _answered(self, review: Json) -> None:
        order = self.cases.get(review["case_id"])
        if order is not None:  # else its event was not confirmed yet
            self.asked[order.number] += 1
            await self._answer(review, order, self.plan.manner(order.number, self.asked[order.number]))
        self.in_hand.discard(review["id"])

    async def _answer(self, review: Json, order: Order, manner: Manner) -> None:
        chance = self.plan.chance("who", order.number, self.asked[order.number])
        who = chance.sample(LEADS if order.amount_minor == LARGE else FINANCE, 2)
        both = list(zip(who, chance.sample(["approve", "reject"], 2), strict=True))
        match manner:
            case Manner.PLAINLY:
                for one in who[: 2 if order.amount_minor == HUGE else 1]:
                    await self._vote(review, one, "approve")
            case Manner.REJECTING:
                await self._vote(review, who[0], "reject")
            case Manner.TWICE:
                await self._at_once(review, [(who[0], "approve")] * 2)
            case Manner.OPPOSED:
                await self._at_once(review, both)
            case Manner.CROWDED if order.amount_minor == LARGE:
                await self._at_once(review, [(one, chance.choice(["approve", "reject"])) for one in LEADS])
            case Manner.CROWDED:
                await self._at_once(review, [(one, "approve") for one in FINANCE] * 5)

    async def _at_once(self, review: Json, said: Sequence[tuple[str, str]]) -> None:
        await asyncio.gather(*(self._vote(review, who, kind) for who, kind in said))

    async def _vote(self, review: Json, who: str, kind: str) -> None:
        answer = await self.front.vote(who, review, kind)
        if answer.is_success:
            self.votes.append((review["id"], f"person:{who}", kind))
        elif answer.status_code not in EXPECTED:
            self.front.surprises[f"vote {answer.status_code}: {_said(answer)}"] += 1

    async def retry_all(self) -> int:
        """Have a team lead set going what stands still; returns how many cases that were."""
        found = await self.front.ask("tess", "GET", "/exceptions", params={"limit": 200})
        going = [one for one in found.json()["items"] if "retry" in one["ways"]]
        for one in going:
            answer = await self.front.ask("tess", "POST", f"/exceptions/{one['id']}/retry")
            self.set_going += answer.is_success
        return len(going)


def _said(answer: httpx.Response) -> str:
    return str(answer.json().get("type")) if "json" in answer.headers.get("content-type", "") else "no JSON"
