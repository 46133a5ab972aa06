"""What every test stands on: one real Postgres for all, a database of its own for each."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from checkpoints.embedded import EmbeddedPostgres, embedded_postgres
from graphs.people import PeopleFile, Person, write_people
from graphs.settings import Settings
from graphs.wiring import Parts, open_parts
from tests.databases import OURS, SANDBOX, as_owner, clone, make_templates
from tests.house import PEOPLE, House, ManualClock, at_once, require_honest_record

AS_OF = datetime(2026, 11, 20, 12, tzinfo=UTC)


RUN_FOLDER = "COUNTERSIGN_TEST_RUN_FOLDER"
MINE = pytest.StashKey[bool]()
MEMORY, ROOM = Path("/dev/shm"), 6 * 2**30  # noqa: S108 - a folder with a random name is made in it


def pytest_configure(config: pytest.Config) -> None:
    """Make one folder for all workers of the run, which the server's own user can enter.

    Where somebody has made one already, who holds a server in it for many runs, it is theirs.
    """
    config.stash[MINE] = not hasattr(config, "workerinput") and RUN_FOLDER not in os.environ
    if config.stash[MINE]:
        folder = Path(tempfile.mkdtemp(prefix="countersign-tests-", dir=quick_place()))
        folder.chmod(0o755)
        os.environ[RUN_FOLDER] = str(folder)


def quick_place() -> Path | None:
    """A folder that is kept in memory, if there is room: a database for each test is many files."""
    if not MEMORY.is_dir():
        return None
    there = os.statvfs(MEMORY)
    room = there.f_bavail * there.f_frsize >= ROOM and not there.f_flag & os.ST_NOEXEC
    return MEMORY if room and os.access(MEMORY, os.W_OK) else None


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the run's folder; its server has stopped with the last worker."""
    if config.stash[MINE]:
        shutil.rmtree(os.environ.pop(RUN_FOLDER), ignore_errors=True)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres() -> AsyncIterator[EmbeddedPostgres]:
    async with embedded_postgres(Path(os.environ[RUN_FOLDER]), durable=False) as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def templates(postgres: EmbeddedPostgres) -> None:
    await make_templates(postgres, AS_OF)


@pytest.fixture
async def database_url(postgres: EmbeddedPostgres, templates: None) -> AsyncIterator[str]:
    async with clone(postgres, OURS) as url:
        yield url


@pytest.fixture
def owner_url(database_url: str) -> str:
    """The same database, for whoever has to do or see what the application may not."""
    return as_owner(database_url)


@pytest.fixture
async def sandbox_url(postgres: EmbeddedPostgres, templates: None) -> AsyncIterator[str]:
    async with clone(postgres, SANDBOX) as url:
        yield url


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(AS_OF)


@pytest.fixture
def settings(database_url: str, sandbox_url: str, tmp_path: Path) -> Settings:
    write_people(
        tmp_path / "people.yaml",
        PeopleFile(people=[Person(id=who.id, name=who.name, roles=sorted(who.roles)) for who in PEOPLE]),
    )
    return Settings(
        database_url=database_url,
        sandbox_url=sandbox_url,
        home=tmp_path,
        people_file=tmp_path / "people.yaml",
    )


@pytest.fixture
async def parts(settings: Settings, clock: ManualClock) -> AsyncIterator[Parts]:
    """The opened parts; when the test is over, what it did must be on the record."""
    async with open_parts(settings, clock=clock, sleep=at_once) as opened:
        yield opened
        await require_honest_record(opened)


@pytest.fixture
def house(parts: Parts) -> House:
    return House(parts)
