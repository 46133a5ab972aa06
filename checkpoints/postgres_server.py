"""One data folder and the Postgres server on it."""

import asyncio
import hashlib
import os
import shlex
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO, TypeVar
from urllib.parse import quote

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from checkpoints import postgres_binaries
from checkpoints.postgres_binaries import Account, Binaries, PostgresUnavailable

_PORT = 5432
SUPERUSER = "postgres"
_LONGEST_SOCKET = 100  # a socket's path has room for 107 bytes on Linux, for 103 on macOS
_PAUSE = 0.02
_PRIVATE = 0o700
_BUILTIN_LOCALES_SINCE = 17
_ORPHANS_LINGER = "pre-existing shared memory block"
_SETTINGS = {
    "listen_addresses": "",
    "port": str(_PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "on",
    "log_filename": "postgres-%a.log",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_truncate_on_rotation": "on",  # seven files, each overwritten after a week
    "log_min_messages": "log",  # a failed statement is its client's business, and may quote what is private
}
_FORGETFUL = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True, slots=True)
class PostgresServer:
    """A server that may or may not run. Whoever changes that sees to it that nobody else does meanwhile."""

    place: Path
    account: Account | None
    binaries: Binaries
    socket: Path
    durable: bool

    @classmethod
    def prepare(cls, place: Path, account: Account | None, *, durable: bool) -> "PostgresServer":
        """Have programs, folders and data ready."""
        made_by = place / "data" / "PG_VERSION"
        binaries = postgres_binaries.find_binaries(
            account, made_by.read_text().strip() if made_by.exists() else None
        )
        socket = _socket_folder(place, account)
        _private_folder(place / "log", account)
        server = cls(place=place, account=account, binaries=binaries, socket=socket, durable=durable)
        if not server.data.exists():
            server.create_data()
        return server

    @property
    def data(self) -> Path:
        """Where Postgres keeps what it knows."""
        return self.place / "data"

    def url(self, database: str, role: str = SUPERUSER) -> str:
        """The address of one of the databases for a role, as libpq and SQLAlchemy read it."""
        # The port is named, or else PGPORT would choose it.
        name, host = quote(database, safe=""), quote(str(self.socket), safe="")
        return f"postgresql://{quote(role, safe='')}@/{name}?host={host}&port={_PORT}"

    async def connect(self) -> AsyncConnection[TupleRow]:
        """Connect to the database that is always there."""
        return await AsyncConnection.connect(self.url("postgres"), autocommit=True, connect_timeout=5)

    def create_data(self) -> None:
        """Make the data as a draft and rename it: whoever is killed on the way leaves nothing half-made."""
        for abandoned in self.place.glob("draft-*"):
            shutil.rmtree(abandoned, ignore_errors=True)  # its initdb may live and be writing still
        draft = Path(tempfile.mkdtemp(prefix="draft-", dir=self.place))
        _give(draft, self.account)
        options = [
            f"--username={SUPERUSER}",
            "--auth=trust",
            "--encoding=UTF8",
            "--no-locale",
            "--data-checksums",
        ]
        if self.binaries.major >= _BUILTIN_LOCALES_SINCE:
            options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        done = self._run("initdb", "-D", draft.name, *options, *([] if self.durable else ["--no-sync"]))
        if done.returncode:
            raise PostgresUnavailable(
                f"initdb fails in {self.place}: {_last_lines(done.stderr)}; or set DATABASE_URL"
            )
        draft.rename(self.data)

    async def start(self, deadline: timedelta) -> None:
        """Return once the server answers: one that runs, one that is coming up, or a new one."""
        try:
            async with asyncio.timeout(deadline.total_seconds()):
                while (fsync := await self._ask_fsync()) is None:
                    if self.postmaster() is None:
                        await in_thread(lambda: self._launch(deadline))
                    await asyncio.sleep(_PAUSE)
        except TimeoutError as error:
            raise self._trouble(f"does not answer within {deadline.total_seconds():g} s") from error
        if self.durable and fsync == "off":
            raise PostgresUnavailable(
                f"the Postgres in {self.place} runs with durable=False: stop its users first"
            )

    async def stop(self, deadline: timedelta) -> None:
        """Shut down fast: transactions are rolled back, data written. If that takes too long, at once."""
        for how in (signal.SIGINT, signal.SIGQUIT):
            if pid := self.postmaster():
                with suppress(ProcessLookupError):
                    os.kill(pid, how)
                with suppress(TimeoutError):
                    await until(lambda: self.postmaster() is None, deadline)
        if (link := self.place / "socket").is_symlink():
            shutil.rmtree(self.socket, ignore_errors=True)
            link.unlink()

    def postmaster(self) -> int | None:
        """The server's process id, unless that process has ended or the id is another program's by now."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None
        return pid if self._name.encode() in _command_line(pid) else None

    @property
    def _name(self) -> str:
        """What all processes of this server, and of no other, show in their command lines."""
        return f"countersign-{hashlib.sha256(os.fsencode(self.data)).hexdigest()[:16]}"

    async def _ask_fsync(self) -> str | None:
        """What our own server says about this setting; None if nobody answers, or another server does."""
        try:
            async with await self.connect() as connection:
                answer = await connection.execute(
                    "SELECT current_setting('data_directory'), current_setting('fsync')"
                )
                row = await answer.fetchone()
        except psycopg.OperationalError:
            return None
        return str(row[1]) if row and row[0] == str(self.data) else None

    def _launch(self, deadline: timedelta) -> None:
        self._clear_remains()
        seconds = max(1, round(deadline.total_seconds()))
        options = shlex.join(self._options())
        log = self.place / "start.log"
        log.unlink(missing_ok=True)
        with log.open("wb") as output:
            # pg_ctl detaches the server: as nobody's child it gets no Ctrl-C, and leaves no zombie here.
            wait = ("-w", "-t", str(seconds))
            started = self._run("pg_ctl", "start", "-s", *wait, "-D", "data", "-o", options, output=output)
        orphans_linger = _ORPHANS_LINGER in log.read_text(errors="replace")
        if started.returncode and not orphans_linger and self.postmaster() is None:
            raise self._trouble("does not start")

    def _options(self) -> list[str]:
        settings = _SETTINGS | ({} if self.durable else _FORGETFUL)
        quoted = str(self.socket).replace('"', '""')
        settings |= {"unix_socket_directories": f'"{quoted}"', "log_directory": str(self.place / "log")}
        settings |= {"cluster_name": self._name, "data_directory": str(self.data)}
        return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]

    def _clear_remains(self) -> None:
        """Remove what a killed server left behind.

        A backend notices its postmaster's death only between two statements, and no server can start before.
        The process id in a file may be a zombie's or a stranger's by now, which Postgres takes for a server.
        A backend that is overlooked still prevents a start: its shared memory is keyed by the folder's inode.
        """
        for orphan in _processes(f"postgres: {self._name}: "):
            with suppress(ProcessLookupError):
                os.kill(orphan, signal.SIGKILL)
        for remains in (self.data / "postmaster.pid", *self.socket.glob(".s.PGSQL.*")):
            remains.unlink(missing_ok=True)

    def _run(
        self, program: str, *arguments: str, output: IO[bytes] | None = None
    ) -> subprocess.CompletedProcess[str]:
        command: list[str | Path] = [self.binaries.folder / program, *arguments]
        return postgres_binaries.run(command, self.account, folder=self.place, output=output)

    def _trouble(self, state: str) -> PostgresUnavailable:
        logs = [log for log in (self.place / "start.log", *self.place.glob("log/*.log")) if log.exists()]
        newest = max(logs, key=lambda log: log.stat().st_mtime_ns, default=None)
        words = _last_lines(newest.read_text(errors="replace")) if newest else "it left no log"
        return PostgresUnavailable(f"the Postgres in {self.place} {state}: {words}; or set DATABASE_URL")


async def in_thread(work: Callable[[], _T]) -> _T:
    """Run in a thread; when cancelled, wait for its end first: it must not go on behind our back."""
    job = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(job)
    finally:
        await asyncio.wait([job])


async def until(condition: Callable[[], bool], deadline: timedelta) -> None:
    """Return once the condition holds; raises TimeoutError."""
    async with asyncio.timeout(deadline.total_seconds()):
        while not condition():  # noqa: ASYNC110  (files and processes set no asyncio.Event)
            await asyncio.sleep(_PAUSE)


def _socket_folder(place: Path, account: Account | None) -> Path:
    """A folder that only the server's user can enter; elsewhere, and linked, if libpq cannot use its path."""
    folder = place / "socket"
    # A comma would make it two hosts.
    if len(os.fsencode(folder / f".s.PGSQL.{_PORT}")) <= _LONGEST_SOCKET and "," not in str(folder):
        return _private_folder(folder, account)
    if not (folder.is_symlink() and _is_private(folder.readlink(), account)):
        folder.unlink(missing_ok=True)
        # A fresh name each time: nobody can have taken it before.
        short = Path(tempfile.mkdtemp(prefix="countersign-"))
        _give(short, account)
        folder.symlink_to(short)
    return folder.readlink()


def _is_private(folder: Path, account: Account | None) -> bool:
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return False
    owner = account.uid if account else os.geteuid()
    return stat.S_ISDIR(found.st_mode) and stat.S_IMODE(found.st_mode) == _PRIVATE and found.st_uid == owner


def _private_folder(folder: Path, account: Account | None) -> Path:
    folder.mkdir(exist_ok=True)
    folder.chmod(_PRIVATE)
    _give(folder, account)
    return folder


def _give(folder: Path, account: Account | None) -> None:
    if account:
        os.chown(folder, account.uid, account.gid)


def _command_line(pid: int) -> bytes:
    if not Path("/proc/self/cmdline").exists():
        return os.fsencode(
            postgres_binaries.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], None).stdout
        )
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _processes(title: str) -> list[int]:
    # Without /proc none is found, and a start waits for them.
    pids = (int(folder.name) for folder in Path("/proc").glob("[0-9]*"))
    return [pid for pid in pids if _command_line(pid).startswith(title.encode())]


def _last_lines(text: str) -> str:
    return " | ".join(line.strip() for line in text.splitlines()[-3:]) or "its log is empty"
