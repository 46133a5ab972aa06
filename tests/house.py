"""The house as stories use it: send an event, let the work be done, vote, and look at what happened."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from checkpoints.audit import timeline
from checkpoints.audit_tree import grow_tree
from checkpoints.audit_verify import verify_log
from checkpoints.cases import Case, get_case
from checkpoints.effects import EffectRow, effects_of
from checkpoints.reviews import Review, ReviewStatus, list_reviews
from checkpoints.votes import VoteKind
from graphs.decisions import Ballot, Decisions
from graphs.intake import NEWS, CloudEvent, Intake
from graphs.personal import opened
from graphs.reconciler import Reconciler
from graphs.runner import Runner
from graphs.wiring import Parts
from nodes.permissions import Kind, Principal
from tests.databases import as_owner, tamper
from tools.contract import Call
from tools.sandbox.cast import CAST

SHOP = Principal(
    id="shop", kind=Kind.SERVICE, name="The shop", scopes=frozenset({"cases:start", "cases:read"})
)
LEE = Principal(id="lee", kind=Kind.PERSON, name="Lee", roles=frozenset({"support_lead"}))
MAX = Principal(id="max", kind=Kind.PERSON, name="Max", roles=frozenset({"support_lead"}))
FINN = Principal(id="finn", kind=Kind.PERSON, name="Finn", roles=frozenset({"finance"}))
PEOPLE = (LEE, MAX, FINN)
"""Who is in the people file unless a test writes another."""


@dataclass(slots=True)
class ManualClock:
    """A clock that stands still until it is moved."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        self.now += by


async def at_once(_seconds: float) -> None:
    """What waits for a connector between two tries does not wait in tests."""


@dataclass(slots=True)
class House:
    """Countersign in process: the same parts, with the worker's turn taken by hand."""

    parts: Parts
    runner: Runner = field(init=False)

    def __post_init__(self) -> None:
        self.runner = Runner(self.parts)

    async def send(self, scene: str, event_id: str | None = None, **data: Any) -> Case:
        """Send the refund event of a cast scene, with some of its data replaced."""
        case, _ = await Intake(self.parts).receive(refund_event(scene, event_id, **data), SHOP)
        return case

    async def work(self) -> None:
        """Carry out commands until none is open but those that are for later, or put off by a halt."""
        while commands := await self.rows(_TO_DO, self.parts.clock()):
            for command in commands:
                await self.runner.carry_out(command["id"])

    async def after(self, scene: str, **data: Any) -> Case:
        """The case of a scene's event once all work that can be done without people is done."""
        case = await self.send(scene, **data)
        await self.work()
        return await self.case(case.id)

    async def informed(self, case_id: str, event_id: str = "news") -> Case:
        """The case after an event from outside that there is news for it, and the work that follows."""
        event = CloudEvent(id=event_id, source="/outside", type=NEWS, data={}, subject=case_id)
        await Intake(self.parts).receive(event, SHOP)
        await self.work()
        return await self.case(case_id)

    async def look_again(self) -> None:
        """Let the reconciler look at what its time has come for, and the work that follows be done."""
        await Reconciler(self.parts).run()
        await self.work()

    async def vote(self, review: Review, who: Principal, kind: VoteKind = VoteKind.APPROVE) -> Review:
        return await Decisions(self.parts).vote(review.id, Ballot(kind=kind, digest=review.digest), who)

    async def decided(self, review: Review, who: Principal, kind: VoteKind = VoteKind.APPROVE) -> Case:
        """The case after this vote and the work that follows from it."""
        await self.vote(review, who, kind)
        await self.work()
        return await self.case(review.case_id)

    async def case(self, case_id: str) -> Case:
        async with self.parts.database.transaction() as tx:
            return await get_case(tx, case_id)

    async def open_reviews(self, case_id: str | None = None) -> list[Review]:
        async with self.parts.database.transaction() as tx:
            page = await list_reviews(tx, limit=200, status=ReviewStatus.OPEN, case_id=case_id)
        return page.items

    async def review(self, case_id: str) -> Review:
        """The one open review of a case."""
        (review,) = await self.open_reviews(case_id)
        return review

    async def effects(self, case_id: str) -> list[EffectRow]:
        async with self.parts.database.transaction() as tx:
            return await effects_of(tx, case_id)

    async def events(self, case_id: str) -> list[dict[str, Any]]:
        async with self.parts.database.transaction() as tx:
            return await timeline(tx, case_id, limit=1000)

    async def opened(self, case_id: str, document: Any) -> Any:
        """A document with what is sealed of this case in clear."""
        async with self.parts.database.transaction() as tx:
            return await opened(tx, case_id, document)

    async def kinds(self, case_id: str) -> list[str]:
        return [event["kind"] for event in await self.events(case_id)]

    async def refunds(self, order_id: str) -> list[dict[str, Any]]:
        """The refunds that really are in the payment system."""
        tool = self.parts.registry.describe("payments.list")
        arguments = tool.arguments.model_validate({"order_id": order_id})
        registry, capability = self.parts.registry, self.parts.capability
        paid = await registry.call(capability, tool.name, arguments, Call(key="test"))
        return list(paid.model_dump(mode="json")["refunds"])

    async def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of our own database, seen and changed by its owner: the parts run as a role that may not."""
        async with await AsyncConnection.connect(
            as_owner(self.parts.database.conninfo), autocommit=True, row_factory=dict_row
        ) as connection:
            cursor = await connection.execute(query.encode(), values)
            return await cursor.fetchall() if cursor.description else []

    async def tamper(self, *statements: str) -> None:
        """Change what nobody may change, past every trigger."""
        await tamper(self.parts.database.conninfo, *statements)


def refund_event(scene: str, event_id: str | None = None, **data: Any) -> CloudEvent:
    """The refund event of a cast scene."""
    cast = CAST[scene]
    body = {
        "order_id": cast.order_id,
        "customer_id": cast.customer_id,
        "ticket_id": cast.ticket_id,
        "reason_code": "damaged",
    }
    return CloudEvent(
        id=event_id or f"{scene}",
        source="/shop",
        type="com.countersign.refund.requested",
        data=body | data,
    )


async def require_honest_record(parts: Parts) -> None:
    """Every effect has its intent and, where people were asked, their grant; the log verifies."""
    async with parts.database.connection() as connection:
        while await grow_tree(connection, parts.clock, parts.signer):
            pass
        verification = await verify_log(connection, [parts.signer.key])
        cursor = connection.cursor(row_factory=dict_row)
        rows = await (await cursor.execute(_EFFECTS)).fetchall()
    assert verification.holds, verification.faults
    for row in rows:
        where = f"{row['tool']} under {row['key']}"
        assert row["grant_digest"] == row["digest"], f"{where}: the grant is for another action"
        assert row["used_at"] is not None, f"{where}: the grant was not used up"
        assert row["intents"] == 1, f"{where}: {row['intents']} intents on the record"
        if row["state"] in {"done", "failed"}:
            assert row["outcomes"] == 1, f"{where}: {row['outcomes']} outcomes on the record"
        if row["asked"] == "review":
            assert row["review_status"] == "approved", f"{where}: the verdict asked for people"


_TO_DO = """
SELECT id FROM commands c WHERE done_at IS NULL AND (run_at IS NULL OR run_at <= %s) AND NOT EXISTS (
    SELECT 1 FROM halt_waits w WHERE w.command_id = c.id AND w.woken_at IS NULL) ORDER BY created_at
"""
"""Commands that are open, and are neither for later nor put off by a halt."""
_EFFECTS = """
SELECT e.key, e.tool, e.state, e.digest, g.digest AS grant_digest, g.used_at, r.status AS review_status,
       (SELECT count(*) FROM audit_events a
        WHERE a.kind = 'effect.intended' AND a.data ->> 'key' = e.key) AS intents,
       (SELECT count(*) FROM audit_events a
        WHERE a.kind IN ('effect.done', 'effect.failed') AND a.data ->> 'key' = e.key) AS outcomes,
       (SELECT a.data #>> '{verdict,outcome}' FROM audit_events a
        WHERE a.kind = 'effect.intended' AND a.data ->> 'key' = e.key) AS asked
FROM effects e JOIN grants g ON g.id = e.grant_id LEFT JOIN reviews r ON r.id = g.review_id
"""
