"""A dump that is restored elsewhere goes on where it was, and its log holds against heads signed before."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
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
COMMANDS = re.findall(
    r"^\$ ((?:pg_dump|createdb|pg_restore) .+)$",
    (ROOT / "docs" / "operating.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Backup:
    """The document's commands, run between the house's database and a new one."""

    settings: Settings
    postgres: EmbeddedPostgres
    folder: Path

    async def dump(self) -> None:
        """Dump the house's database."""
        await self._run(COMMANDS[0])

    @asynccontextmanager
    async def restored(self) -> AsyncIterator[Settings]:
        """The settings of a house on what was dumped."""
        await drop_database(self.postgres.url("postgres"), RESTORED)
        try:
            for command in COMMANDS[1:]:
                await self._run(command)
            yield replace(self.settings, database_url=self.postgres.url(RESTORED, APPLICATION))
        finally:
            await drop_database(self.postgres.url("postgres"), RESTORED)

    async def _run(self, command: str) -> None:
        environment = {
            "PATH": f"{self.postgres.server.binaries.folder}:{os.environ['PATH']}",
            "OWNER_URL": as_owner(self.settings.database_url or ""),
            "ADMIN_URL": self.postgres.url("postgres"),
            "RESTORED_URL": self.postgres.url(RESTORED),
        }
        process = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", command, env=environment, cwd=self.folder, stderr=asyncio.subprocess.PIPE
        )
        _, err = await process.communicate()
        assert process.returncode == 0, f"{command}: {err.decode()}"


@pytest.fixture
def backup(settings: Settings, postgres: EmbeddedPostgres, tmp_path: Path) -> Backup:
    if not (postgres.server.binaries.folder / "pg_dump").exists():
        pytest.skip("there is no pg_dump beside this Postgres")
    return Backup(settings, postgres, tmp_path)


async def test_what_is_restored_is_decided_there_ends_and_verifies(
    house: House, backup: Backup, postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    case = await house.after("clean_120_00_1")
    heads = await _signed_heads(house, tmp_path)
    await backup.dump()
    async with backup.restored() as settings:
        async with open_parts(settings, clock=house.parts.clock, sleep=at_once) as parts:
            there = House(parts)
            ended = await there.decided(await there.review(case.id), LEE)
            assert ended.status == "closed"
            assert [deed.state for deed in await there.effects(case.id)] == ["done", "done"]
            await require_honest_record(parts)
        env = {"DATABASE_URL": settings.database_url or "", "COUNTERSIGN_HOME": str(settings.home)}
        migrated = await countersign(
            "migrate", env={**env, "COUNTERSIGN_MIGRATE_URL": postgres.url(RESTORED)}
        )
        assert (migrated.code, migrated.err) == (0, "")
        verified = await countersign("verify", "--anchor", heads, env=env)
        assert (verified.code, verified.err) == (0, "")
        assert "1 anchored ones checked" in verified.out
        assert "The log holds." in verified.out


async def test_what_was_done_after_the_dump_is_missed_and_not_done_twice(
    house: House, backup: Backup, tmp_path: Path
) -> None:
    case = await house.after("clean_120_00_1")
    await backup.dump()
    await house.decided(await house.review(case.id), LEE)
    heads = await _signed_heads(house, tmp_path)
    order = str(case.event["order_id"])
    async with backup.restored() as settings:
        env = {"DATABASE_URL": settings.database_url or "", "COUNTERSIGN_HOME": str(settings.home)}
        lost = await countersign("verify", "--anchor", heads, env=env)
        assert (lost.code, "the anchored head in" in lost.out) == (1, True), lost.out
        async with open_parts(settings, clock=house.parts.clock, sleep=at_once) as parts:
            there = House(parts)
            ended = await there.decided(await there.review(case.id), LEE)
            assert (ended.status, ended.reason) == ("blocked", "exceeds_refundable")
            assert len(await there.refunds(order)) == 1


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
