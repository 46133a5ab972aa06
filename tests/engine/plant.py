"""A whole Countersign for one test: its own Postgres, an API and workers, processes that are kept up."""

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
from psycopg.rows import dict_row

from checkpoints.embedded import EmbeddedPostgres, embedded_postgres
from graphs.addresses import kept_running
from graphs.people import PERSON_PREFIX, SERVICE_PREFIX, PeopleFile, Person, Service, new_token, write_people
from graphs.settings import Settings
from tests.databases import OURS, SANDBOX, as_owner, copied, make_templates
from tests.engine.conditions import AS_OF, FOLDER, SharedClock, Skies
from tests.engine.nursery import Child, Nursery, nursery
from tests.engine.processes import free_port, own_address, until

Row = dict[str, Any]
PAUSE_SECONDS = 0.2
"""How long whoever keeps a process up waits before starting it again."""
PEOPLE = {
    **{f"lead-{n:02}": ["support_lead"] for n in range(20)},
    **{f"finance-{n}": ["finance"] for n in range(4)},
    "tess": ["team_lead"],
    "kit": ["rule_keeper"],
    "kai": ["rule_keeper"],
}
SHOP = "shop"
LIFE = timedelta(days=90)
_AT_WORK = "SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '3 seconds'"

_KEPT_BY_THE_MACHINE = "ALTER ROLE ALL SET synchronous_commit = on"
"""What was committed outlives the server's processes; no fsync is needed, for the machine is not killed."""


@dataclass(slots=True)
class Keeper:
    """Keeps one process up: whenever it ends it is started again, as a service manager does."""

    role: str
    nursery: Nursery
    log: Path
    environment: Mapping[str, str]
    child: Child | None = None
    starts: int = 0
    begins: int = 0
    """Where in the log the process that was started last begins."""
    ending: bool = False

    async def keep(self) -> None:
        """Start it again and again until `ending` is set."""
        while not self.ending:
            self.begins = self.log.stat().st_size if self.log.exists() else 0
            self.child = await self.nursery.start(self.role, self.log, self.environment)
            self.starts += 1
            await self.child.ended
            await asyncio.sleep(PAUSE_SECONDS)

    def ready(self) -> bool:
        """Whether the process that was started last says that it has begun its work."""
        alive = self.child is not None and not self.child.ended.done()
        return alive and b"ready" in self.log.read_bytes()[self.begins :].splitlines()

    def send(self, number: signal.Signals) -> bool:
        """Send the process a signal, if there is one; returns whether there was."""
        return self.child is not None and self.child.send(number)


@asynccontextmanager
async def kept_up(keeper: Keeper) -> AsyncIterator[None]:
    """Keep a process up for as long as the block lasts, and kill it then, frozen or not."""
    keeping = asyncio.create_task(keeper.keep())
    try:
        yield
    finally:
        keeper.ending = True
        while not keeping.done():
            keeper.send(signal.SIGKILL)
            await asyncio.wait({keeping}, timeout=PAUSE_SECONDS)
        keeping.result()


@dataclass(frozen=True, kw_only=True, slots=True)
class Plant:
    """The processes, their databases, and the conditions they live under."""

    server: EmbeddedPostgres
    settings: Settings
    folder: Path
    clock: SharedClock
    skies: Skies
    tokens: Mapping[str, str]
    address: str
    port: int
    api: Keeper
    workers: list[Keeper] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"http://{self.address}:{self.port}"

    @property
    def processes(self) -> list[Keeper]:
        """The API and the workers."""
        return [self.api, *self.workers]

    async def rows(self, query: str, *values: Any) -> list[Row]:
        """Rows of Countersign's own database, seen by its owner; raises psycopg.OperationalError."""
        assert self.settings.database_url is not None
        return await _rows(as_owner(self.settings.database_url), query, values)

    async def known(self, query: str, *values: Any) -> list[Row] | None:
        """The rows as `rows` gives them, None while the database is away."""
        try:
            return await self.rows(query, *values)
        except psycopg.OperationalError:
            return None

    async def books(self, query: str, *values: Any) -> list[Row]:
        """Rows of the sandbox company's books, asked of themselves."""
        assert self.settings.sandbox_url is not None
        return await _rows(self.settings.sandbox_url, query, values)

    async def up(self) -> None:
        """Wait until the API answers and every worker takes jobs."""

        async def ready() -> bool:
            if not all(keeper.ready() for keeper in self.processes):
                return False
            async with httpx.AsyncClient(base_url=self.url, trust_env=False) as http:
                try:
                    if (await http.get("/health/ready")).status_code != httpx.codes.OK:
                        return False
                    return int((await self.rows(_AT_WORK))[0]["count"]) >= len(self.workers)
                except (httpx.TransportError, psycopg.OperationalError):
                    return False

        await until(ready, "the API answers and the workers are at work")

    def kill_postgres(self) -> bool:
        """Kill -9 of the database; it is started again at once. Returns whether it ran."""
        return self._postgres(signal.SIGKILL)

    def restart_postgres(self) -> bool:
        """Have the database shut down in good order; it is started again at once. Returns whether it ran."""
        return self._postgres(signal.SIGINT)

    def _postgres(self, number: signal.Signals) -> bool:
        postmaster = self.server.server.postmaster()
        if postmaster is None:
            return False
        with suppress(ProcessLookupError):
            os.kill(postmaster, number)
        return True


@asynccontextmanager
async def plant(
    *, workers: int = 2, speed: float = 1.0, seed: int = 0, dead_seconds: float = 5
) -> AsyncIterator[Plant]:
    """A plant that is up; its clock runs `speed` times as fast as time does."""
    with tempfile.TemporaryDirectory(prefix="cs-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        await asyncio.to_thread(folder.chmod, 0o755)  # the server's own user must be able to enter it
        async with AsyncExitStack() as stack:
            young = await stack.enter_async_context(nursery())
            server = await stack.enter_async_context(embedded_postgres(folder, durable=False))
            await _rows(server.url("postgres"), _KEPT_BY_THE_MACHINE, ())
            await make_templates(server, AS_OF)
            ours, books = await copied(server, OURS), await copied(server, SANDBOX)
            await stack.enter_async_context(kept_running(server))
            settings = Settings(
                database_url=ours,
                sandbox_url=books,
                home=folder,
                people_file=folder / "people.yaml",
            )
            environment = {
                "DATABASE_URL": ours,
                "COUNTERSIGN_SANDBOX_URL": books,
                "COUNTERSIGN_HOME": str(folder),
                "COUNTERSIGN_RATE_ADDRESS": "1000000",
                "COUNTERSIGN_RATE_PRINCIPAL": "1000000",
                "COUNTERSIGN_TEST_DEAD_SECONDS": str(dead_seconds),
                "COUNTERSIGN_TEST_SEED": str(seed),
                FOLDER: str(folder),
                "ADDRESS": (address := own_address()),
                "PORT": str(port := free_port(address)),
            }
            made = Plant(
                server=server,
                settings=settings,
                folder=folder,
                clock=SharedClock.started(folder / "clock", speed),
                skies=Skies(folder, seed),
                tokens=make_people(settings.people_file),
                address=address,
                port=port,
                api=Keeper("api", young, folder / "api.log", environment),
                workers=[
                    Keeper("worker", young, folder / f"worker-{n}.log", environment) for n in range(workers)
                ],
            )
            for keeper in made.processes:
                await stack.enter_async_context(kept_up(keeper))
            await made.up()
            yield made


def make_people(path: Path) -> dict[str, str]:
    """Write the people file; returns the tokens it knows, by whose they are."""
    content, tokens = PeopleFile(), {}
    for name, roles in PEOPLE.items():
        tokens[name], kept = new_token(PERSON_PREFIX, LIFE, AS_OF)
        content = content.with_person(Person(id=name, name=name, roles=roles, tokens=[kept]))
    tokens[SHOP], kept = new_token(SERVICE_PREFIX, LIFE, AS_OF)
    scopes = ["cases:start", "cases:read"]
    write_people(path, content.with_service(Service(id=SHOP, name=SHOP, scopes=scopes, keys=[kept])))
    return tokens


async def _rows(url: str, query: str, values: tuple[Any, ...]) -> list[Row]:
    async with await psycopg.AsyncConnection.connect(
        url, autocommit=True, row_factory=dict_row, connect_timeout=5
    ) as connection:
        cursor = await connection.execute(query.encode(), values)
        return await cursor.fetchall() if cursor.description else []
