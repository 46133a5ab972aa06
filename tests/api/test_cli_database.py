"""The commands that need a database, against one that is fresh, gone, foreign or altered."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from checkpoints.application_role import standing
from checkpoints.database import drop_database
from checkpoints.embedded import APPLICATION, EmbeddedPostgres
from checkpoints.migrate import newest_revision
from graphs.settings import Settings
from graphs.wiring import open_parts
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


async def test_the_owner_migrates_and_another_role_runs(
    postgres: EmbeddedPostgres, fresh_url: str, settings: Settings
) -> None:
    await postgres.create_role()
    ours = fresh_url.replace("postgres@", f"{APPLICATION}@")
    env = {"DATABASE_URL": ours, "COUNTERSIGN_HOME": str(settings.home)}

    alone = await countersign("migrate", env=env)
    assert (alone.code, alone.out) == (1, "")
    assert "this role may not migrate: run 'countersign migrate' with the owner's" in alone.complaint
    migrated = await countersign("migrate", env=env | {"COUNTERSIGN_MIGRATE_URL": fresh_url})
    verified = await countersign("verify", env=env)

    assert (migrated.code, migrated.err) == (0, "")
    assert (verified.code, verified.err) == (0, "")


async def test_who_migrates_and_runs_as_one_role_is_told_in_one_line_that_it_owns_the_log(
    fresh_url: str, settings: Settings
) -> None:
    env = {"DATABASE_URL": fresh_url, "COUNTERSIGN_HOME": str(settings.home)}

    migrated = await countersign("migrate", env=env)

    assert migrated.code == 0
    assert "'postgres'" in migrated.complaint
    assert "owns the audit log" in migrated.complaint


async def test_two_addresses_that_lead_to_two_databases_are_one_clear_line(
    postgres: EmbeddedPostgres, fresh_url: str, settings: Settings
) -> None:
    ours = postgres.url("postgres", APPLICATION)
    env = {"DATABASE_URL": ours, "COUNTERSIGN_MIGRATE_URL": fresh_url} | {
        "COUNTERSIGN_HOME": str(settings.home)
    }
    done = await countersign("migrate", env=env)
    assert (done.code, done.out) == (1, "")
    assert "the database is at revision none" in done.complaint


async def test_the_embedded_database_is_used_by_a_role_that_does_not_own_it(own_home: Path) -> None:
    settings = Settings(home=own_home, people_file=own_home / "people.yaml")
    async with open_parts(settings) as parts, parts.database.connection() as connection:
        runs = await standing(connection)
    assert (runs.role, runs.may_alter_log) == (APPLICATION, False)


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
