"""A dump that is restored elsewhere goes on where it was, and its log holds against heads signed before."""

import asyncio
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from checkpoints.audit_tree import grow_tree
from checkpoints.database import drop_database
from checkpoints.embedded import APPLICATION, EmbeddedPostgres
from graphs.settings import Settings
from graphs.wiring import open_parts
from tests.api.command import countersign
from tests.databases import as_owner
from tests.deploy.containers import ROOT
from tests.house import LEE, House, at_once, require_honest_record

RESTORED = "countersign_restored"
_COMMANDS = re.compile(r"^\$ ((?:pg_dump|createdb|pg_restore) .+)$", re.MULTILINE)


async def test_what_is_restored_is_decided_ends_and_verifies(
    house: House, settings: Settings, postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    folder = postgres.server.binaries.folder
    if not (folder / "pg_dump").exists():
        pytest.skip("there is no pg_dump beside this Postgres")
    case = await house.after("clean_120_00_1")
    heads = await _signed_heads(house, tmp_path)
    restored = postgres.url(RESTORED)
    there = {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "OWNER_URL": as_owner(settings.database_url or ""),
        "ADMIN_URL": postgres.url("postgres"),
        "RESTORED_URL": restored,
    }
    dump, *restoring = _COMMANDS.findall((ROOT / "docs" / "operating.md").read_text(encoding="utf-8"))
    await _run(dump, there, tmp_path)
    await house.decided(await house.review(case.id), LEE)  # what happens after the dump is not in it
    await drop_database(postgres.url("postgres"), RESTORED)
    try:
        for command in restoring:
            await _run(command, there, tmp_path)
        again = replace(settings, database_url=postgres.url(RESTORED, APPLICATION))
        async with open_parts(again, clock=house.parts.clock, sleep=at_once) as parts:
            elsewhere = House(parts)
            assert (await elsewhere.case(case.id)).status == "waiting_review"
            ended = await elsewhere.decided(await elsewhere.review(case.id), LEE)
            assert ended.status == "closed"
            assert len(await elsewhere.refunds("O-900015")) <= 1
            await require_honest_record(parts)
        env = {"DATABASE_URL": again.database_url or "", "COUNTERSIGN_HOME": str(settings.home)}
        assert (await countersign("migrate", env={**env, "COUNTERSIGN_MIGRATE_URL": restored})).code == 0
        verified = await countersign("verify", "--anchor", heads, env=env)
        assert (verified.code, verified.err) == (0, "")
        assert "1 anchored ones checked" in verified.out
        assert "The log holds." in verified.out
    finally:
        await drop_database(postgres.url("postgres"), RESTORED)


async def _signed_heads(house: House, tmp_path: Path) -> Path:
    """A folder with the newest head, as somebody else has it."""
    async with house.parts.database.connection() as connection:
        while await grow_tree(connection, house.parts.clock, house.parts.signer):
            pass
    (head,) = await house.rows("SELECT note FROM audit_heads ORDER BY size DESC LIMIT 1")
    heads = tmp_path / "heads"
    heads.mkdir()
    (heads / "before.note").write_text(head["note"], encoding="utf-8")
    return heads


async def _run(command: str, environment: dict[str, str], folder: Path) -> None:
    """A command as the document has it."""
    process = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", command, env=environment, cwd=folder, stderr=asyncio.subprocess.PIPE
    )
    _, err = await process.communicate()
    assert process.returncode == 0, f"{command}: {err.decode()}"
