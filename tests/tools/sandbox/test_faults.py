"""A database that goes away: what is refused, what is unknown, and that `find` tells which."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.tools.shop import AS_OF, Shop
from tools.contract import OutcomeUnknown, ToolRefused, ToolUnavailable
from tools.sandbox import sandbox_tools
from tools.sandbox.cast import CAST
from tools.sandbox.database import Sandbox, open_sandbox
from tools.sandbox.faults import refused_or_unknown

SCENE = CAST["clean_120_00_1"]
BRIEF = timedelta(milliseconds=200)


@asynccontextmanager
async def opened(url: str, patience: timedelta) -> AsyncIterator[Shop]:
    async with open_sandbox(url, clock=lambda: AS_OF, patience=patience) as sandbox:
        yield Shop(tools={tool.name: tool for tool in sandbox_tools(sandbox)})


@asynccontextmanager
async def held(url: str, statement: str) -> AsyncIterator[psycopg.AsyncConnection]:
    """Somebody else's transaction that holds what `statement` locks."""
    async with await psycopg.AsyncConnection.connect(url) as connection, connection.transaction():
        await connection.execute(statement.encode())
        yield connection


async def waiting(url: str) -> int:
    """The backend that waits for a lock, as soon as there is one."""
    query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        while (row := await (await connection.execute(query)).fetchone()) is None:
            await connection.execute("SELECT pg_sleep(0.01)")
        return int(row[0])


async def kill(url: str, pid: int) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("SELECT pg_terminate_backend(%s)", (pid,))


HOLD_PAYMENT = f"SELECT FROM payments WHERE payment_id = '{SCENE.payment_id}' FOR UPDATE"
HOLD_KEY = "SELECT pg_advisory_xact_lock(hashtextextended('payments.refund:key', 0))"


async def test_a_connection_lost_inside_a_write_is_an_unknown_outcome(shop: Shop, sandbox_url: str) -> None:
    async with held(sandbox_url, HOLD_PAYMENT):
        refund = asyncio.create_task(shop.refund(SCENE))
        await kill(sandbox_url, await waiting(sandbox_url))
        with pytest.raises(OutcomeUnknown):
            await refund
    assert await shop.find("payments.refund", "key") is None
    await shop.refund(SCENE)
    assert await shop.refunded(SCENE) == 100


async def test_a_payment_that_somebody_holds_is_refused_in_time(shop: Shop, sandbox_url: str) -> None:
    async with opened(sandbox_url, BRIEF) as hasty, held(sandbox_url, HOLD_PAYMENT):
        with pytest.raises(ToolRefused, match="LockNotAvailable"):
            await hasty.refund(SCENE)
    assert await shop.refunded(SCENE) == 0


async def test_while_somebody_works_under_the_key_the_outcome_is_unknown(sandbox_url: str) -> None:
    async with opened(sandbox_url, BRIEF) as hasty, held(sandbox_url, HOLD_KEY):
        with pytest.raises(OutcomeUnknown):
            await hasty.refund(SCENE)
        with pytest.raises(OutcomeUnknown):
            await hasty.find("payments.refund", "key")


async def test_find_waits_for_a_deed_under_way(shop: Shop, sandbox_url: str) -> None:
    async with held(sandbox_url, HOLD_PAYMENT):
        refund = asyncio.create_task(shop.refund(SCENE))
        await waiting(sandbox_url)
        find = asyncio.create_task(shop.find("payments.refund", "key"))
        assert find not in (await asyncio.wait([find], timeout=0.1))[0]
    assert await find == await refund


@pytest.mark.parametrize(
    "statement", ["SELECT pg_sleep(60)", "SELECT pg_terminate_backend(pg_backend_pid())"]
)
async def test_a_statement_without_an_answer_is_an_unknown_outcome(sandbox_url: str, statement: str) -> None:
    async with open_sandbox(sandbox_url, clock=lambda: AS_OF, patience=BRIEF) as sandbox:
        with pytest.raises(OutcomeUnknown):
            async with sandbox.writing("test", "key") as connection:
                await connection.execute(statement.encode())


async def test_a_serialization_failure_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(ToolRefused, match="SerializationFailure"):
        async with sandbox.writing("test", "key") as connection:
            await connection.execute("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$")


async def test_a_completion_the_server_does_not_know_is_unknown() -> None:
    with pytest.raises(OutcomeUnknown), refused_or_unknown():
        raise psycopg.errors.StatementCompletionUnknown


async def test_a_fault_never_quotes_the_row(sandbox: Sandbox) -> None:
    with pytest.raises(ToolRefused) as refusal:
        async with sandbox.writing("test", "key") as connection:
            await connection.execute("UPDATE customers SET email = 'secret@elsewhere.test'")
    assert str(refusal.value) == "the sandbox database refused: CheckViolation (customers_email_check)"


async def test_a_key_that_cannot_be_stored_is_refused(shop: Shop) -> None:
    with pytest.raises(ToolRefused, match="idempotency_key"):
        await shop.refund(SCENE, key="x" * 201)
    assert await shop.refunded(SCENE) == 0


async def test_no_database_is_unknown_to_a_write_and_unavailable_to_a_read(tmp_path: Path) -> None:
    url = f"postgresql:///nothing?host={tmp_path}"
    async with opened(url, BRIEF) as hasty:
        with pytest.raises(OutcomeUnknown):
            await hasty.refund(SCENE)
        with pytest.raises(OutcomeUnknown):
            await hasty.find("payments.refund", "key")
        with pytest.raises(ToolUnavailable):
            await hasty.do("orders.get", order_id=SCENE.order_id)


async def test_connections_that_died_in_the_pool_are_replaced(shop: Shop, sandbox_url: str) -> None:
    await shop.refund(SCENE, key="before")
    async with await psycopg.AsyncConnection.connect(sandbox_url, autocommit=True) as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
    await shop.refund(SCENE, key="after")
    assert await shop.refunded(SCENE) == 200


class LossyLine:
    """A line to the database that, once told to, loses the answer to the next COMMIT."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.loses_next = False

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[str]:
        """The address of the line's near end."""
        async with await asyncio.start_server(self._serve, "127.0.0.1") as server:
            port = server.sockets[0].getsockname()[1]
            yield make_conninfo(
                self._url, host="127.0.0.1", port=port, sslmode="disable", gssencmode="disable"
            )

    async def _serve(self, near: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        far, questions = await self._dial()
        passing = asyncio.create_task(_pass_on(far, answers))
        while data := await near.read(65536):
            questions.write(data)
            if self.loses_next and b"COMMIT" in data:
                self.loses_next = False
                break
        passing.cancel()
        await asyncio.wait([passing])
        await far.read(1)  # the answer: now it is certain that the server has committed
        answers.close()
        questions.close()

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        there = conninfo_to_dict(self._url)
        host, port = str(there["host"]), int(there.get("port") or 5432)
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)


async def _pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        sink.write(data)


async def test_a_lost_answer_is_an_unknown_outcome_and_find_knows_what_happened(sandbox_url: str) -> None:
    line = LossyLine(sandbox_url)
    async with line.opened() as url, opened(url, timedelta(seconds=4)) as shop:
        await shop.refund(SCENE, key="before")
        line.loses_next = True
        with pytest.raises(OutcomeUnknown):
            await shop.refund(SCENE)
        found = await shop.find("payments.refund", "key")
        assert found.amount_minor == 100
        assert await shop.refund(SCENE) == found
        assert await shop.refunded(SCENE) == 200
