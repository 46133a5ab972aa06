"""What is done with a case reads no table from end to end that has rows of every case, whatever is done."""

from pathlib import Path

from checkpoints.audit_verify import verify_log
from checkpoints.embedded import EmbeddedPostgres
from tests.engine.processes import until
from tests.growth.filled import Filled, filled
from tests.growth.measures import Measures, measured

FEW, MANY = 200, 2_000
GROWING = {
    *("cases", "commands", "reviews", "votes", "grants", "effects", "usage", "sealed_values", "exceptions"),
    *("audit_events", "audit_leaves", "audit_heads", "audit_nodes", "deliveries"),
    *("checkpoints", "checkpoint_blobs", "checkpoint_writes"),
}
"""The tables that have rows of every case; `exceptions` has one for each that ever stood still."""
_OTHERS = """
SELECT count(*) AS others FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_SCANS = "SELECT relname AS name, seq_scan AS scans FROM pg_stat_user_tables WHERE relname = ANY(%s)"


async def alone(filled: Filled) -> None:
    """Let go of all connections: what a connection has read is counted when it closes."""
    await filled.house.parts.database.engine.dispose()

    async def nobody_else() -> bool:
        return bool((await filled.house.rows(_OTHERS))[0]["others"] == 0)

    await until(nobody_else, "all connections are closed")


async def scanned_by(filled: Filled) -> dict[str, set[str]]:
    """For each deed the growing tables that it reads from end to end because no index serves it."""
    house, found = filled.house, {}
    (place,) = await house.rows("SELECT current_database() AS name")
    # A small table is read whole because that is cheap; here only where nothing else is possible.
    await house.rows(f'ALTER DATABASE "{place["name"]}" SET enable_seqscan = off')
    for name, deed in (await Measures(filled).deeds()).items():
        await deed()
        await alone(filled)
        before = {row["name"]: row["scans"] for row in await house.rows(_SCANS, sorted(GROWING))}
        await deed()
        await alone(filled)
        after = {row["name"]: row["scans"] for row in await house.rows(_SCANS, sorted(GROWING))}
        found[name] = {table for table in GROWING if after[table] > before[table]}
    return found


async def test_no_deed_reads_a_growing_table_from_end_to_end(
    postgres: EmbeddedPostgres, templates: None, tmp_path: Path
) -> None:
    async with filled(postgres, tmp_path, MANY) as many:
        scanned = await scanned_by(many)

    assert {name: tables for name, tables in scanned.items() if tables} == {}


async def test_an_index_that_is_missing_is_noticed(
    postgres: EmbeddedPostgres, templates: None, tmp_path: Path
) -> None:
    async with filled(postgres, tmp_path, FEW) as few:
        await few.house.rows("DROP INDEX commands_case_id_idx, commands_open_idx")
        scanned = await scanned_by(few)

    assert {name for name, tables in scanned.items() if "commands" in tables} >= {
        "starting a case",
        "deciding a case",
        "a round of upkeep",
    }


async def test_the_log_of_copied_cases_holds_and_each_deed_is_measured(
    postgres: EmbeddedPostgres, templates: None, tmp_path: Path
) -> None:
    async with filled(postgres, tmp_path, FEW) as one:
        parts = one.house.parts
        async with parts.database.connection() as connection:
            checked = await verify_log(connection, [parts.signer.key])
        (times,) = await measured([one], times=1)

    assert (checked.faults, checked.size, checked.unsigned) == ((), one.leaves, 0)
    assert checked.events > FEW * 15
    assert min(times.values()) > 0
    assert min(one.bytes_each.values()) > 0
