import asyncio

import psycopg
import pytest

from tests.tools.shop import AS_OF
from tools.contract import ToolRefused, ToolUnavailable
from tools.sandbox.database import Sandbox, open_sandbox
from tools.sandbox.founding import found
from tools.sandbox.rows import Rows
from tools.sandbox.systems import SYSTEMS

SMALL = 40


async def counts(sandbox: Sandbox) -> dict[str, int]:
    async with sandbox.reading() as connection:
        return {
            table: (await (await connection.execute(f"SELECT count(*) FROM {table}")).fetchone() or (0,))[0]  # noqa: S608 - our own names
            for table in expected(SMALL)
        }


def expected(customers: int) -> dict[str, int]:
    sizes = dict.fromkeys(Rows.__dataclass_fields__, 0)
    for system in SYSTEMS:
        for table in system.rows(20260101, AS_OF, customers):
            sizes[table.name] = sizes.get(table.name, 0) + len(table.rows)
    return sizes


async def alter(url: str, statement: str) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(statement.encode())


async def test_a_company_is_founded_on_an_empty_database(empty_url: str) -> None:
    async with open_sandbox(empty_url, clock=lambda: AS_OF) as sandbox:
        await found(sandbox, as_of=AS_OF, customers=SMALL)
        assert await counts(sandbox) == expected(SMALL)


async def test_founding_twice_is_founding_once(empty_url: str) -> None:
    async with open_sandbox(empty_url, clock=lambda: AS_OF) as sandbox:
        await found(sandbox, as_of=AS_OF, customers=SMALL)
        await found(sandbox, seed=1, as_of=AS_OF, customers=2 * SMALL)
        assert await counts(sandbox) == expected(SMALL)


async def test_founding_at_once_from_several_sides_is_founding_once(empty_url: str) -> None:
    async with (
        open_sandbox(empty_url, clock=lambda: AS_OF) as one,
        open_sandbox(empty_url, clock=lambda: AS_OF) as other,
    ):
        await asyncio.gather(
            *(found(side, as_of=AS_OF, customers=SMALL) for side in (one, other, one, other))
        )
        assert await counts(one) == expected(SMALL)


async def test_a_founding_that_fails_leaves_nothing(empty_url: str) -> None:
    async with open_sandbox(empty_url, clock=lambda: AS_OF) as sandbox:
        await alter(empty_url, "CREATE TABLE tickets (in_the_way text)")
        with pytest.raises(psycopg.errors.DuplicateTable):
            await found(sandbox, as_of=AS_OF, customers=SMALL)
        await alter(empty_url, "DROP TABLE tickets")
        await found(sandbox, as_of=AS_OF, customers=SMALL)
        assert await counts(sandbox) == expected(SMALL)


async def test_the_full_company_has_thousands_of_rows(sandbox: Sandbox) -> None:
    found_rows = await counts(sandbox)
    assert found_rows == expected(600)
    assert found_rows["orders"] > 2_500
    assert found_rows["payments"] > 2_700
    assert 300 < found_rows["refunds"] < 900
    assert found_rows["tickets"] > 1_500


async def test_what_payments_say_was_refunded_is_the_sum_of_their_standing_refunds(sandbox: Sandbox) -> None:
    query = """
        SELECT payment_id FROM payments LEFT JOIN refunds USING (payment_id) GROUP BY payment_id
        HAVING payments.refunded_minor
            <> coalesce(sum(refunds.amount_minor) FILTER (WHERE refunds.status = 'done'), 0)
    """
    async with sandbox.reading() as connection:
        assert await (await connection.execute(query)).fetchall() == []


async def test_a_read_cannot_write(sandbox: Sandbox) -> None:
    with pytest.raises(ToolUnavailable, match="ReadOnlySqlTransaction"):
        async with sandbox.reading() as connection:
            await connection.execute("UPDATE payments SET refunded_minor = 0")


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        (
            "UPDATE payments SET refunded_minor = amount_minor + 1 WHERE payment_id = 'P-900001'",
            "within_captured",
        ),
        ("UPDATE payments SET customer_id = 'C-90002' WHERE payment_id = 'P-900001'", "customer_id"),
        ("UPDATE refunds SET order_id = 'O-900001' WHERE refund_id = 'R-900048'", "order_id"),
        ("UPDATE refunds SET amount_minor = 0", "amount"),
        ("UPDATE orders SET delivered_at = NULL WHERE order_id = 'O-900001'", "says_when"),
        ("UPDATE customers SET email = 'somebody@gmail.com'", "email"),
        ("UPDATE fraud_signals SET score = 101", "score"),
        ("DELETE FROM customers", "customer_id"),
    ],
)
async def test_the_database_itself_refuses_nonsense(
    sandbox: Sandbox, statement: str, constraint: str
) -> None:
    with pytest.raises(ToolRefused, match=constraint):
        async with sandbox.writing("test", "key") as connection:
            await connection.execute(statement.encode())
