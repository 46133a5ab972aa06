"""A Postgres of our own: started by whoever comes first, shared by all, stopped by whoever leaves last."""

import fcntl
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO

from psycopg import errors
from psycopg.sql import SQL, Identifier

from checkpoints import postgres_binaries
from checkpoints.postgres_binaries import Account, PostgresUnavailable
from checkpoints.postgres_server import SUPERUSER, PostgresServer, in_thread, until

__all__ = ["APPLICATION", "SUPERUSER", "EmbeddedPostgres", "PostgresUnavailable", "embedded_postgres"]

APPLICATION = "countersign_app"
"""The role that Countersign runs as on the embedded server; its superuser only migrates."""
_DATABASE = "countersign"
_MAKE_ROLE = SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS")


@dataclass(frozen=True, kw_only=True, slots=True)
class EmbeddedPostgres:
    """One share of the server below a home folder."""

    home: Path
    server: PostgresServer
    deadline: timedelta
    share: IO[bytes]

    def url(self, database: str = _DATABASE, role: str = SUPERUSER) -> str:
        """The address of one of the server's databases for a role, as libpq and SQLAlchemy read it."""
        return self.server.url(database, role)

    async def create_database(self, name: str = _DATABASE) -> None:
        """Create the database unless it exists; several may try at once."""
        async with await self.server.connect() as connection:
            known = await connection.execute("SELECT FROM pg_database WHERE datname = %s", [name])
            if known.rowcount == 0:
                with suppress(errors.DuplicateDatabase, errors.UniqueViolation):
                    await connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))

    async def create_role(self, name: str = APPLICATION) -> None:
        """Create a role that may sign in and nothing else, unless it exists; several may try at once."""
        async with await self.server.connect() as connection:
            known = await connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [name])
            if known.rowcount == 0:
                with suppress(errors.DuplicateObject, errors.UniqueViolation):
                    await connection.execute(_MAKE_ROLE.format(Identifier(name)))

    async def ensure_running(self) -> None:
        """Start the server again if it was killed; its address stays the same."""
        async with _alone(self.server.place, self.deadline):
            await self.server.start(self.deadline)

    async def release(self) -> None:
        """Give up this share; the last one stops the server. A second call does nothing."""
        with closing(self.share):
            if not self.share.closed:
                async with _alone(self.server.place, self.deadline):
                    await self._leave()

    async def _leave(self) -> None:
        # A shared flock turns exclusive in two steps, but nobody slips in between: shares are taken under the
        # start lock, which we hold. Locks die with their process, so nobody waits for the killed.
        with closing(self.share):
            if not self.share.closed and _lock(self.share):
                await self.server.stop(self.deadline)


@asynccontextmanager
async def embedded_postgres(
    home: Path, *, durable: bool = True, deadline: timedelta = timedelta(seconds=60)
) -> AsyncIterator[EmbeddedPostgres]:
    """A share of the server below `home`, started if need be.

    Processes and tasks may come and go at any time; a process may hold several shares. Without `durable`, for
    tests, a crash of the machine may lose or damage everything.

    Raises:
        PostgresUnavailable: no programs, no permission, or no answer before the deadline.
    """
    try:
        postgres = await _join(home, durable=durable, deadline=deadline)
    except OSError as error:
        raise PostgresUnavailable(f"no Postgres below {home}: {error}; or set DATABASE_URL") from error
    try:
        yield postgres
    finally:
        await postgres.release()


async def _join(home: Path, *, durable: bool, deadline: timedelta) -> EmbeddedPostgres:
    account = postgres_binaries.choose_account(home / "postgres" / "data")
    place = await in_thread(lambda: _find_place(home, account))
    async with _alone(place, deadline), AsyncExitStack() as undo:
        server = await in_thread(lambda: PostgresServer.prepare(place, account, durable=durable))
        share = undo.enter_context(_open_lock(place / "users.lock"))
        fcntl.flock(share, fcntl.LOCK_SH | fcntl.LOCK_NB)
        postgres = EmbeddedPostgres(home=home, server=server, deadline=deadline, share=share)
        undo.push_async_callback(postgres._leave)  # noqa: SLF001  (undone under the lock we hold)
        await server.start(deadline)
        undo.pop_all()
    return postgres


def _find_place(home: Path, account: Account | None) -> Path:
    """The folder `postgres` in home, which is a link if the server's user cannot enter home."""
    home.mkdir(parents=True, exist_ok=True)
    place = home / "postgres"
    if not place.is_symlink() and not postgres_binaries.can_enter(home, account):
        shared = postgres_binaries.open_folder(postgres_binaries.SHARED)
        elsewhere = Path(tempfile.mkdtemp(prefix=f"{home.name}-", dir=shared))
        try:
            place.symlink_to(elsewhere)
        except (
            FileExistsError
        ):  # made by another process meanwhile, or a real folder: data do not move by themselves
            elsewhere.rmdir()
    return postgres_binaries.open_folder(place.resolve())


@asynccontextmanager
async def _alone(place: Path, deadline: timedelta) -> AsyncIterator[None]:
    """Hold the start lock: no other process or task starts, joins or stops this server meanwhile."""
    with _open_lock(place / "start.lock") as lock:
        try:
            await until(lambda: _lock(lock), deadline)
        except TimeoutError as error:
            raise PostgresUnavailable(
                f"another process keeps {place}/start.lock locked; or set DATABASE_URL"
            ) from error
        yield


def _open_lock(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "rb+")


def _lock(file: IO[bytes]) -> bool:
    """Take the exclusive flock, or tell that others are in the way."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
