"""The commands that need a database, against one that is fresh, gone, foreign or altered."""

import json
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from checkpoints.database import drop_database
from checkpoints.embedded import EmbeddedPostgres
from checkpoints.migrate import newest_revision
from graphs.settings import Settings
from tests.api.command import countersign
from tests.house import House

CLOSED = "postgresql://127.0.0.1:9/countersign"


@pytest.fixture
async def fresh_url(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """A database in which there is nothing."""
    name = f"fresh_{uuid4().hex}"
    await postgres.create_database(name)
    yield postgres.url(name)
    await drop_database(postgres.url("postgres"), name)


async def test_a_fresh_database_is_migrated_first_and_then_verified(
    fresh_url: str, settings: Settings
) -> None:
    env = {"DATABASE_URL": fresh_url, "COUNTERSIGN_HOME": str(settings.home)}

    for command in (("verify",), ("up", "--port", "0")):
        early = await countersign(*command, env=env)
        assert (early.code, early.out) == (1, "")
        assert "run 'countersign migrate'" in early.complaint
    migrated = await countersign("migrate", env=env)
    assert migrated.code == 0
    assert migrated.out == f"The database is at revision {newest_revision()}.\n"
    verified = await countersign("verify", "--json", env=env)
    assert verified.code == 0
    report = json.loads(verified.out)
    assert (report["holds"], report["events"], report["faults"]) == (True, 0, [])


async def test_verify_ends_with_1_when_the_log_was_altered(house: House, settings: Settings) -> None:
    await house.after("clean_29_90_1")
    env = {"DATABASE_URL": settings.database_url or "", "COUNTERSIGN_HOME": str(settings.home)}
    whole = await countersign("verify", env=env)
    assert whole.code == 0
    assert "The log holds." in whole.out

    await house.tamper("UPDATE audit_events SET actor = 'person:max' WHERE kind = 'event.received'")
    altered = await countersign("verify", env=env)
    assert altered.code == 1
    assert "event.received" in altered.out
    assert "The log holds." not in altered.out
    await house.tamper("UPDATE audit_events SET actor = 'service:shop' WHERE kind = 'event.received'")


async def test_a_database_that_cannot_be_reached_is_one_clear_line(
    settings: Settings, subtests: pytest.Subtests
) -> None:
    env = {"DATABASE_URL": CLOSED, "COUNTERSIGN_HOME": str(settings.home)}
    for command in (("verify",), ("up", "--port", "0")):
        with subtests.test(command[0]):
            done = await countersign(*command, env=env)
            assert (done.code, done.out) == (1, "")
            assert done.complaint.startswith("countersign: the database cannot be reached: ")


@pytest.mark.parametrize("url", ["nonsense", "mysql://localhost/x"])
async def test_an_address_that_names_no_postgres_is_one_clear_line(settings: Settings, url: str) -> None:
    env = {"DATABASE_URL": url, "COUNTERSIGN_HOME": str(settings.home)}
    done = await countersign("migrate", env=env)
    assert (done.code, done.out) == (1, "")
    assert done.complaint.startswith("countersign: DATABASE_URL ")


@pytest.mark.parametrize("url", ["postgresql://localhost:port/x", "postgresql://localhost/x?nonsense=1"])
async def test_an_address_with_a_part_that_is_none_is_one_clear_line(settings: Settings, url: str) -> None:
    env = {"DATABASE_URL": url, "COUNTERSIGN_HOME": str(settings.home)}
    done = await countersign("migrate", env=env)
    assert (done.code, done.out) == (1, "")
    assert "DATABASE_URL" in done.complaint


async def test_why_a_database_cannot_be_reached_is_said(settings: Settings) -> None:
    env = {"DATABASE_URL": CLOSED, "COUNTERSIGN_HOME": str(settings.home)}
    done = await countersign("migrate", env=env)
    assert "port 9 failed: Connection refused" in done.complaint
