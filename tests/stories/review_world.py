"""A Countersign with a cast of its own, driven step by step from outside its event loop."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg.rows import dict_row

from checkpoints.embedded import EmbeddedPostgres
from graphs.people import PeopleFile, Person, write_people
from graphs.roles import load_roles, read_text
from graphs.rule_changes import RuleChanges
from graphs.settings import Settings
from graphs.wiring import open_parts
from nodes.permissions import Principal
from nodes.workflow import Workflow
from tests.conftest import AS_OF
from tests.databases import OURS, SANDBOX, clone
from tests.house import SHOP, House, ManualClock, require_honest_record
from tests.stories.oracle import Account, Books, Limits, Moment, Oracle, Row

T = TypeVar("T")

ACCOUNTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "lee": ("lee", ("support_lead",)),
    "lee_two": ("lee", ("support_lead", "finance")),
    "max": ("max", ("support_lead",)),
    "finn": ("finn", ("finance",)),
    "fay": ("fay", ("finance",)),
    "fay_two": ("fay", ("finance", "duty_manager")),
    "gus": ("gus", ("finance", "support_lead")),
    "dora": ("dora", ("duty_manager",)),
    "kit": ("kit", ("rule_keeper", "finance", "support_lead")),
    "kai": ("kai", ("rule_keeper",)),
    "nora": ("nora", ()),
}
"""Account: whose it is, and its roles; some humans have two."""
AUTHOR = "kit"
LIMITS = {
    "support_lead": Limits(50000, 500000),
    "finance": Limits(10000000, 10**12),
    "duty_manager": Limits(200000, 10**12),
}
LADDERS = {
    "lead": "by: [support_lead], above: [finance]",
    "lead_then_finance": "by: [[support_lead], [finance]]",
    "against": "by: [support_lead], above: [finance], against: recommendation",
}
_EFFECTS = """
SELECT e.key, e.case_id, e.tool, e.arguments, e.digest, e.state, g.digest AS granted, g.review_id, g.used_at,
       c.opened_by
FROM effects e JOIN grants g ON g.id = e.grant_id JOIN cases c ON c.id = e.case_id
"""
_REVIEWS = "SELECT id, case_id, status, digest, action FROM reviews"
_VOTES = "SELECT v.*, r.case_id FROM votes v JOIN reviews r ON r.id = v.review_id"
_REFUNDS = "SELECT * FROM refunds WHERE created_at >= %s AND idempotency_key LIKE %s"


class World:
    """A house on databases of its own, its people and limits as they are now, and the oracle beside it."""

    house: House
    oracle: Oracle
    sandbox: psycopg.AsyncConnection[Any]
    workflows: dict[str, Workflow]

    def __init__(self, postgres: EmbeddedPostgres, home: Path, tally: Counter[str]) -> None:
        self.loop = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.postgres, self.people_file, self.tally = postgres, home / "people.yaml", tally
        self.clock = ManualClock(AS_OF)
        self.accounts = {name: Account(human, frozenset(roles)) for name, (human, roles) in ACCOUNTS.items()}
        self.limits = dict(LIMITS)
        self.settle()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something in the world's own loop."""
        return self.loop.run(work)

    async def open(self, ladder: str) -> None:
        """Open the house, with a table that another keeper approved in force."""
        url = await self.stack.enter_async_context(clone(self.postgres, OURS))
        sandbox_url = await self.stack.enter_async_context(clone(self.postgres, SANDBOX))
        settings = Settings(
            database_url=url,
            sandbox_url=sandbox_url,
            home=self.people_file.parent,
            people_file=self.people_file,
        )
        parts = await self.stack.enter_async_context(open_parts(settings, clock=self.clock))
        self.workflows = dict(parts.workflows)
        self.house = House(replace(parts, workflows=self.workflows))
        connecting = psycopg.AsyncConnection.connect(sandbox_url, autocommit=True, row_factory=dict_row)
        self.sandbox = await self.stack.enter_async_context(await connecting)
        self.oracle = Oracle(ladder=ladder, author=f"person:{AUTHOR}", tally=self.tally)
        changes = RuleChanges(self.house.parts)
        draft = await changes.draft("refund", table(ladder), "For the test.", self.principal(AUTHOR))
        await changes.decide(draft.digest, self.principal("kai"), approve=True, comment=None)

    def close(self) -> None:
        """Hold the whole record against itself, and close the house."""
        try:
            if hasattr(self, "house"):
                self.run(require_honest_record(self.house.parts))
        finally:
            self.run(self.stack.aclose())
            self.loop.close()

    def settle(self) -> None:
        """Write the people file as the accounts are now."""
        people = [
            Person(id=name, name=name.title(), roles=sorted(account.roles), human=account.human)
            for name, account in self.accounts.items()
        ]
        write_people(self.people_file, PeopleFile(people=people))

    def limit(self, role: str, limits: Limits) -> None:
        """From now on a role has these limits."""
        self.limits[role] = limits
        workflow = self.workflows["refund"]
        self.workflows["refund"] = replace(
            workflow, permissions=load_roles("graphs.refund", roles(self.limits)).permissions()
        )

    def principal(self, name: str) -> Principal:
        """Somebody as they come in through the door; the shop is a service that claims a role."""
        if name == "shop":
            return replace(SHOP, roles=frozenset({"finance", "support_lead", "duty_manager"}))
        found = self.house.parts.people.person(f"person:{name}")
        assert found is not None
        return found

    def moment(self) -> Moment:
        """How people and limits are now."""
        return Moment(dict(self.accounts), dict(self.limits))

    async def check(self) -> None:
        """Hold the books against the oracle."""
        self.oracle.check(await self._books(), self.moment(), self.clock.now)

    async def _books(self) -> Books:
        reviews, delegations = await self._rows(_REVIEWS), await self._rows("SELECT * FROM delegations")
        refunds = await self.sandbox.execute(_REFUNDS, (AS_OF, "%:refund:%"))
        return Books(
            refunds=await refunds.fetchall(),
            effects=await self._rows(_EFFECTS),
            reviews={row["id"]: row for row in reviews},
            votes=await self._rows(_VOTES),
            delegations={row["id"]: row for row in delegations},
        )

    async def _rows(self, query: LiteralString) -> list[Row]:
        return await self.house.rows(query)


def table(ladder: str) -> str:
    """The refund's table with two of finance above 600, and this ladder from 50 to 500."""
    text = read_text("graphs.refund", "rules.yaml").replace('"2026-11-27"', f'"{ladder}"')
    text = text.replace("at_most: 5000.00 EUR", "at_most: 600.00 EUR").replace("999.80", "599.80")
    text = text.replace("{above: 5000.00 EUR}", "{above: 600.00 EUR}")
    before, row, after = text.partition("- id: RF-91")
    assert row, "the row that leads sign is gone"
    return before + row + after.replace(LADDERS["lead"], LADDERS[ladder], 1)


def roles(limits: dict[str, Limits]) -> str:
    """The refund's roles with these limits."""
    text = read_text("graphs.refund", "roles.yaml")
    wanted = {
        "limit: 500.00 EUR\n    per_day: 5000.00 EUR": limits["support_lead"],
        "limit: 100000.00 EUR": limits["finance"],
    }
    parts = text.partition("  rule_keeper:")
    people = parts[0]
    for written, limit in sorted(wanted.items()):
        assert people.count(written) == 1, f"{written!r} is not there once"
        people = people.replace(written, f"limit: {_euros(limit.once)}\n    per_day: {_euros(limit.per_day)}")
    return people + parts[1] + parts[2]


def _euros(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02} EUR"
