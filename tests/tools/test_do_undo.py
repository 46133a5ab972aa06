"""The do-undo contract: what every tool that claims an undo must keep, or it counts as irreversible."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from nodes.reversing import needs_people, undo_text
from tests.house import ManualClock
from tests.tools.operations import (
    GRADING,
    JOINING,
    OPENING,
    RESOLVING,
    ROLLING_BACK,
    TASK,
    taken_back,
    withdrawn,
)
from tests.tools.shop import Shop, refund_of, reply_to, setting
from tests.tools.vendor_office import activation_of, clearance_of, endorsement_of, request_to
from tools.contract import Effect, RecordNotFound, Reversibility, Tool, ToolRefused, worst
from tools.sandbox import sandbox_tools
from tools.sandbox.cast import CAST
from tools.sandbox.crm.cast import ACCOUNTS
from tools.sandbox.database import open_sandbox
from tools.sandbox.vendors.cast import CAST as VENDORS

SCENE = CAST["clean_29_90_1"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Contract:
    """How a tool is tried: a deed of it, one that never was, and what of it may remain when it is undone.

    Attributes:
        remains: by table, the rows that stay as a log of both deeds: the condition by which they are known.
    """

    deed: Mapping[str, object]
    never: Mapping[str, object]
    remains: Mapping[str, Callable[[Mapping[str, Any]], bool]] = field(default_factory=dict)


CONTRACTS = {
    "payments.refund": Contract(
        deed=refund_of(SCENE, 1000),
        never={"refund_id": "R-999999999", "amount_minor": 1000, "currency": "EUR"},
        # the refund stays in the books, as one that was reversed; sums and histories leave it out
        remains={"refunds": lambda row: row["status"] == "reversed" and row["reversal_key"] == "undo"},
    ),
    "tickets.reply": Contract(
        deed=reply_to(SCENE),
        never={"reply_id": "Y-999999999"},
        # the answer stays in the outbox, as one that was taken back and will not leave the house
        remains={
            "ticket_replies": lambda row: row["status"] == "retracted" and row["retraction_key"] == "undo"
        },
    ),
    "crm.set_field": Contract(
        deed=setting(ACCOUNTS["clean"]),
        never={"account_id": ACCOUNTS["clean"].account_id, "field": "industry", "version": 999_999_999},
        # the change stays in the field's history, as one that was taken back
        remains={"crm_changes": lambda row: row["status"] == "restored" and row["restoring_key"] == "undo"},
    ),
    # incidents and tasks stay as withdrawn ones; what was done to an incident or a service, as taken back
    "incidents.open": Contract(
        deed=OPENING, never={"incident_id": "INC-999999999"}, remains={"incidents": withdrawn}
    ),
    "incidents.join": Contract(
        deed=JOINING, never={"deed_id": "IN-999999999"}, remains={"incident_deeds": taken_back}
    ),
    "incidents.grade": Contract(
        deed=GRADING, never={"deed_id": "IN-999999999"}, remains={"incident_deeds": taken_back}
    ),
    "incidents.resolve": Contract(
        deed=RESOLVING, never={"deed_id": "IN-999999999"}, remains={"incident_deeds": taken_back}
    ),
    "deployments.rollback": Contract(
        deed=ROLLING_BACK, never={"action_id": "SA-999999999"}, remains={"service_actions": taken_back}
    ),
    "tasks.create": Contract(
        deed=TASK, never={"task_id": "FT-999999999"}, remains={"followup_tasks": withdrawn}
    ),
    # of a vendor's deeds the entry stays, as one that was taken back; nothing asks for those
    "vendors.endorse_account": Contract(
        deed=endorsement_of(VENDORS["clean_1"]),
        never={"account_id": "A-999999999"},
        remains={"vendor_accounts": lambda row: row["status"] == "revoked" and row["undo_key"] == "undo"},
    ),
    "vendors.record_clearance": Contract(
        deed=clearance_of(VENDORS["clean_1"]),
        never={"clearance_id": "L-999999999"},
        remains={"vendor_clearances": lambda row: row["status"] == "withdrawn" and row["undo_key"] == "undo"},
    ),
    "vendors.activate": Contract(
        deed=activation_of(VENDORS["known_account"]),
        never={"activation_id": "N-999999999"},
        remains={"vendor_activations": lambda row: row["status"] == "ended" and row["undo_key"] == "undo"},
    ),
    "vendors.request_information": Contract(
        deed=request_to(VENDORS["clean_1"]),
        never={"message_id": "M-999999999"},
        remains={"vendor_messages": lambda row: row["status"] == "retracted" and row["undo_key"] == "undo"},
    ),
}
TABLES = """
SELECT table_name FROM information_schema.tables
WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY table_name
"""


def test_every_shipped_tool_that_claims_an_undo_is_held_to_the_contract(tools: Mapping[str, Tool]) -> None:
    assert {name for name, tool in tools.items() if tool.undo} == CONTRACTS.keys()
    assert all(tool.reversibility is Reversibility.REVERSIBLE for tool in tools.values() if tool.undo)


@pytest.fixture(params=CONTRACTS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def books(sandbox_url: str) -> AsyncIterator[psycopg.AsyncConnection[dict[str, Any]]]:
    async with await psycopg.AsyncConnection.connect(
        sandbox_url, autocommit=True, row_factory=dict_row
    ) as connection:
        yield connection


async def _state(books: psycopg.AsyncConnection[dict[str, Any]]) -> dict[str, list[str]]:
    """Every row of every table, as JSON that the database writes: the same row, the same text."""
    found = {}
    for row in await (await books.execute(TABLES)).fetchall():
        table = row["table_name"]
        every = sql.SQL("SELECT to_jsonb(t)::text AS row FROM {} t").format(sql.Identifier(table))
        rows = await (await books.execute(every)).fetchall()
        found[table] = sorted(one["row"] for one in rows)
    assert len(found) > 5
    return found


async def _undone(shop: Shop, name: str) -> tuple[Any, Any]:
    done = await shop.do(name, key="do", **CONTRACTS[name].deed)
    return done, await shop.undo(name, done)


async def test_do_and_undo_leave_nothing_but_what_is_named(
    shop: Shop, books: psycopg.AsyncConnection[dict[str, Any]], name: str
) -> None:
    before = await _state(books)
    done = await shop.do(name, key="do", **CONTRACTS[name].deed)
    assert await _state(books) != before
    await shop.undo(name, done)

    after = await _state(books)
    for table, may in CONTRACTS[name].remains.items():
        new = [row for row in after[table] if row not in before[table]]
        assert len(new) == 1
        assert may(json.loads(new[0]))
        after[table].remove(new[0])
    assert after == before


async def test_to_undo_twice_is_to_undo_once(
    shop: Shop, books: psycopg.AsyncConnection[dict[str, Any]], name: str
) -> None:
    done, first = await _undone(shop, name)
    once = await _state(books)

    assert await shop.undo(name, done) == first
    with pytest.raises(ToolRefused):
        await shop.undo(name, done, key="another")
    assert await _state(books) == once


async def test_after_its_window_nothing_is_undone(
    shop: Shop, books: psycopg.AsyncConnection[dict[str, Any]], clock: ManualClock, name: str
) -> None:
    undo = shop.tools[name].undo
    assert undo is not None
    done = await shop.do(name, key="do", **CONTRACTS[name].deed)
    before = await _state(books)
    clock.advance(undo.window + timedelta(milliseconds=1))

    with pytest.raises(ToolRefused):
        await shop.undo(name, done)
    assert await _state(books) == before


async def test_within_its_window_a_deed_is_undone_to_the_last_moment(
    shop: Shop, clock: ManualClock, name: str
) -> None:
    undo = shop.tools[name].undo
    assert undo is not None
    done = await shop.do(name, key="do", **CONTRACTS[name].deed)
    clock.advance(undo.window - timedelta(milliseconds=1))
    await shop.undo(name, done)


async def test_what_was_never_done_is_not_undone(
    shop: Shop, books: psycopg.AsyncConnection[dict[str, Any]], name: str
) -> None:
    undo = shop.tools[name].undo
    assert undo is not None
    before = await _state(books)

    with pytest.raises(RecordNotFound):
        await shop.do(undo.tool, key="undo", **CONTRACTS[name].never)
    assert await _state(books) == before


async def test_what_was_undone_can_be_found_after_a_lost_answer(shop: Shop, name: str) -> None:
    undo = shop.tools[name].undo
    assert undo is not None
    assert await shop.find(undo.tool, "undo") is None
    _, undone = await _undone(shop, name)
    assert await shop.find(undo.tool, "undo") == undone


def test_a_tool_that_declares_nothing_is_irreversible(tools: Mapping[str, Tool]) -> None:
    for effect in (Effect.WRITE, Effect.EGRESS):
        plain = replace(tools["payments.refund"], effect=effect, undo=None)
        assert plain.reversibility is Reversibility.IRREVERSIBLE
        assert needs_people(plain)
        assert undo_text(plain) == "Cannot be undone."
    blank = replace(tools["payments.refund"], undo=None, undone_outside="  ")
    assert blank.reversibility is Reversibility.IRREVERSIBLE


def test_an_undo_that_is_proven_for_another_version_is_none(tools: Mapping[str, Tool]) -> None:
    newer = replace(tools["payments.refund"], version="2", undone_outside="Somebody writes a letter.")
    assert newer.reversibility is Reversibility.IRREVERSIBLE
    assert undo_text(newer) == "Cannot be undone."


def test_what_only_people_outside_can_take_back_says_how(tools: Mapping[str, Tool]) -> None:
    for tool in ("payments.reverse_refund", "tickets.retract_reply"):
        assert tools[tool].reversibility is Reversibility.EXTERNALLY_REVERSIBLE
        assert str(tools[tool].undone_outside) in undo_text(tools[tool])
        assert not needs_people(tools[tool])
    assert tools["orders.get"].reversibility is Reversibility.READ_ONLY


def test_a_chain_is_as_reversible_as_its_worst_link() -> None:
    order = list(Reversibility)
    for at, one in enumerate(order):
        for other in order[: at + 1]:
            assert worst([one, other]) is worst([other, one]) is one
    assert worst([]) is Reversibility.READ_ONLY
    assert worst([Reversibility.REVERSIBLE] * 3) is Reversibility.REVERSIBLE


async def test_the_contract_goes_red_for_an_undo_that_leaves_something_behind(
    sandbox_url: str, clock: ManualClock, books: psycopg.AsyncConnection[dict[str, Any]]
) -> None:
    async with open_sandbox(sandbox_url, clock=clock) as sandbox:
        shop = Shop(tools={tool.name: tool for tool in sandbox_tools(sandbox)})
        await books.execute("ALTER TABLE payments ADD COLUMN touched integer NOT NULL DEFAULT 0")
        await books.execute(
            "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN NEW.touched := OLD.touched + 1; RETURN NEW; END $$"
        )
        await books.execute(
            "CREATE TRIGGER touch BEFORE UPDATE ON payments FOR EACH ROW EXECUTE FUNCTION touch()"
        )
        with pytest.raises(AssertionError):
            await test_do_and_undo_leave_nothing_but_what_is_named(shop, books, "payments.refund")
