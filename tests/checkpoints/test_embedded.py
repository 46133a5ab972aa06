"""One server below a home folder: shared, private, and back after whatever is killed."""

import asyncio
import fcntl
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import AsyncConnection
from sqlalchemy import make_url

from checkpoints import postgres_binaries
from checkpoints.embedded import EmbeddedPostgres, PostgresUnavailable, embedded_postgres
from checkpoints.postgres_binaries import Account, Binaries
from checkpoints.postgres_server import PostgresServer, until

ROOT = Path(__file__).parents[2]
NOBODY = Account(65534, 65534)
SOON = timedelta(seconds=30)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
with_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks into /proc")

# Joins when told to, says which server it is on, and leaves when told to.
MEMBER = """
import asyncio, sys
from pathlib import Path
import psycopg
from checkpoints.embedded import embedded_postgres

async def main():
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    async with embedded_postgres(Path(sys.argv[1]), durable=False) as postgres:
        async with await psycopg.AsyncConnection.connect(postgres.url("postgres")) as connection:
            await connection.execute("SELECT 1")
        print(postgres.server.postmaster(), flush=True)
        await asyncio.to_thread(sys.stdin.readline)
    print("left", flush=True)

asyncio.run(main())
"""


@dataclass(frozen=True, slots=True)
class Member:
    """Another process that uses the server."""

    process: asyncio.subprocess.Process

    async def hear(self) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(SOON.total_seconds()):
            return (await self.process.stdout.readline()).decode().strip()

    def tell(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")

    async def join(self) -> int:
        self.tell()
        return int(await self.hear())

    async def leave(self) -> None:
        self.tell()
        assert await self.hear() == "left"

    async def end(self) -> None:
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.communicate()


@asynccontextmanager
async def another_process(
    home: Path, python: str = sys.executable, user: Account | None = None
) -> AsyncIterator[Member]:
    process = await asyncio.create_subprocess_exec(
        python,
        "-c",
        MEMBER,
        str(home),
        cwd="/",
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        user=user.uid if user else None,
        group=user.gid if user else None,
        extra_groups=() if user else None,
    )
    member = Member(process)
    try:
        assert await member.hear() == "ready"
        yield member
    finally:
        await member.end()


def environment() -> dict[str, str]:
    installed = [path for path in sys.path if path.endswith("site-packages")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *installed])}


@pytest.fixture
async def home() -> AsyncIterator[Path]:
    """A folder that every user can enter, as pytest's own are not, with a path short enough for a socket."""
    folder = new_folder(0o755)
    yield folder
    await clear_away(folder)


@pytest.fixture
async def closed_home() -> AsyncIterator[Path]:
    """A folder below one that is nobody else's business, as /root is."""
    parent = new_folder(0o700)
    yield parent / "home"
    await clear_away(parent / "home")
    parent.rmdir()


def new_folder(mode: int) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="cs-"))
    folder.chmod(mode)
    return folder


async def clear_away(home: Path) -> None:
    """Leave nothing behind, after a failed test neither."""
    if pid := postmaster(home):
        os.kill(pid, signal.SIGKILL)
        await until(lambda: postmaster(home) is None, SOON)
    place = (home / "postgres").resolve()
    shutil.rmtree(place, ignore_errors=True)
    shutil.rmtree(home, ignore_errors=True)


def postmaster(home: Path) -> int | None:
    """The server's process id, if it runs."""
    place = (home / "postgres").resolve()
    nothing = Binaries(place, "", 0)
    return PostgresServer(
        place=place, account=None, binaries=nothing, socket=place, durable=False
    ).postmaster()


def share_of(
    home: Path, *, deadline: timedelta = timedelta(seconds=60)
) -> AbstractAsyncContextManager[EmbeddedPostgres]:
    return embedded_postgres(home, durable=False, deadline=deadline)


def open_files(pid: int) -> set[str]:
    return {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}


def sockets_listening_on_tcp() -> set[str]:
    lines = [line for name in ("tcp", "tcp6") for line in Path("/proc/net", name).read_text().splitlines()]
    return {f"socket:[{fields[9]}]" for fields in map(str.split, lines) if fields[3] == "0A"}


def environment_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def owner_of(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def seen(home: Path, name: str) -> bool:
    """Whether a start has come this far: `d*` is the draft of the data, or the data."""
    return any(home.glob(f"postgres/{name}"))


def kill_server(home: Path) -> int:
    pid = postmaster(home)
    assert pid
    os.kill(pid, signal.SIGKILL)
    return pid


@contextmanager
def a_stranger(server: PostgresServer) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the server's user that is no server."""
    user = server.account
    with subprocess.Popen(
        ["/bin/sleep", "600"], user=user.uid if user else None, extra_groups=() if user else None
    ) as stranger:
        yield stranger
        stranger.kill()


def leave_behind(server: PostgresServer, pid: int) -> None:
    """The files by which a killed server says that it runs, with a process id that was given to another."""
    words = f"{pid}\n{server.data}\n1700000000\n5432\n{server.socket}\n\n"
    (server.data / "postmaster.pid").write_text(words)
    (server.socket / ".s.PGSQL.5432.lock").write_text(words)
    (server.socket / ".s.PGSQL.5432").touch()


def link(path: Path, target: Path) -> None:
    path.symlink_to(target)


def give(folder: Path, user: Account) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user.uid, user.gid)


def python_for(user: Account) -> str:
    """A Python that this user can run; ours may live below /root."""
    path = f"PYTHONPATH={environment()['PYTHONPATH']}"
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        probe = ["/usr/bin/env", path, python, "-c", "import psycopg, checkpoints.embedded"]
        if postgres_binaries.run(probe, user).returncode == 0:
            return python
    pytest.skip("no Python here is open to other users")


async def ask(
    postgres: EmbeddedPostgres, question: LiteralString, *values: str, database: str = "postgres"
) -> Any:
    async with await AsyncConnection.connect(postgres.url(database), autocommit=True) as connection:
        cursor = await connection.execute(question, values)
        row = await cursor.fetchone() if cursor.description else None
        return row[0] if row else None


async def is_busy(postgres: EmbeddedPostgres, backend: int) -> bool:
    state = await ask(postgres, "SELECT state FROM pg_stat_activity WHERE pid = %s", str(backend))
    return str(state) == "active"


async def test_what_is_written_is_read_back(home: Path) -> None:
    async with share_of(home) as postgres:
        await postgres.create_database()
        await ask(postgres, "CREATE TABLE notes AS SELECT 'kept' AS word", database="countersign")
        assert await ask(postgres, "SELECT word FROM notes", database="countersign") == "kept"


async def test_what_was_committed_survives_a_stop(home: Path) -> None:
    async with embedded_postgres(home) as postgres:
        await ask(postgres, "CREATE TABLE notes AS SELECT 'kept' AS word")
    async with embedded_postgres(home) as postgres:
        assert await ask(postgres, "SELECT word FROM notes") == "kept"


async def test_a_durable_server_syncs_and_keeps_checksums_and_utc(home: Path) -> None:
    async with embedded_postgres(home) as postgres:
        names = (
            "fsync",
            "synchronous_commit",
            "full_page_writes",
            "data_checksums",
            "TimeZone",
            "server_encoding",
        )
        found = [await ask(postgres, "SELECT current_setting(%s)", name) for name in names]
    assert found == ["on", "on", "on", "on", "UTC", "UTF8"]


async def test_a_database_is_created_once_however_many_ask(home: Path) -> None:
    async with share_of(home) as postgres:
        await asyncio.gather(*(postgres.create_database('odd "name"') for _ in range(5)))
        assert await ask(postgres, "SELECT count(*) FROM pg_database WHERE datname LIKE 'odd%%'") == 1
        assert await ask(postgres, "SELECT current_database()", database='odd "name"') == 'odd "name"'


async def test_sqlalchemy_reads_the_address_as_libpq_does(home: Path) -> None:
    async with share_of(home / "with space, comma%41") as postgres:
        url = make_url(postgres.url("odd name"))
        assert url.database == "odd name"
        assert url.query["host"] == str(postgres.server.socket)
        assert await ask(postgres, "SELECT 1") == 1


async def test_letters_beyond_ascii_have_upper_case(home: Path) -> None:
    async with share_of(home) as postgres:
        if postgres.server.binaries.major < 17:
            pytest.skip("this Postgres has no built-in locales")
        assert await ask(postgres, "SELECT upper('zürich')") == "ZÜRICH"


async def test_variables_for_other_clients_of_postgres_are_ignored(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "PGPORT": "1",
        "PGDATA": "/nowhere",
        "PGHOST": "nowhere.invalid",
        "PGUSER": "me",
    }.items():
        monkeypatch.setenv(name, value)
    async with share_of(home) as postgres:
        assert await ask(postgres, "SELECT current_user") == "postgres"


@with_proc
async def test_nothing_listens_on_tcp(home: Path) -> None:
    async with share_of(home) as postgres:
        pid = postmaster(home)
        assert pid
        assert await ask(postgres, "SHOW listen_addresses") == ""
        assert not open_files(pid) & sockets_listening_on_tcp()


async def test_the_socket_is_for_the_servers_user_alone(home: Path) -> None:
    async with share_of(home) as postgres:
        found = postgres.server.socket.stat()
        assert stat.S_IMODE(found.st_mode) == 0o700
        assert found.st_uid == postgres.server.data.stat().st_uid


@with_proc
async def test_the_server_has_its_own_session_and_none_of_our_files_or_secrets(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET", "for-nobody-else")
    async with share_of(home):
        pid = postmaster(home)
        assert pid
        assert os.getsid(pid) != os.getsid(0)
        assert not [name for name in open_files(pid) if name.endswith(("users.lock", "start.lock"))]
        assert b"for-nobody-else" not in environment_of(pid)


async def test_shares_of_one_process_are_shares_of_one_server(home: Path) -> None:
    async with share_of(home):
        first = postmaster(home)
        async with share_of(home) as inner:
            assert await ask(inner, "SELECT 1") == 1
            assert postmaster(home) == first
        assert postmaster(home) == first
    assert postmaster(home) is None


async def test_a_share_can_be_given_up_early_and_twice(home: Path) -> None:
    async with share_of(home) as postgres:
        await asyncio.gather(postgres.release(), postgres.release())
        assert postmaster(home) is None


async def test_shares_that_come_and_go_never_find_a_server_that_is_stopping(home: Path) -> None:
    async def visit_often() -> None:
        for _ in range(4):
            async with share_of(home) as postgres:
                assert await ask(postgres, "SELECT 1") == 1

    await asyncio.gather(*(visit_often() for _ in range(4)))
    assert postmaster(home) is None


async def test_processes_that_start_at_once_share_one_server(home: Path) -> None:
    async with AsyncExitStack() as stack:
        six = await asyncio.gather(*(stack.enter_async_context(another_process(home)) for _ in range(6)))
        servers = await asyncio.gather(*(process.join() for process in six))
        assert set(servers) == {postmaster(home)}
        await asyncio.gather(*(process.leave() for process in six))
    assert postmaster(home) is None


async def test_the_last_process_out_stops_the_server(home: Path) -> None:
    async with another_process(home) as first, another_process(home) as second:
        assert await first.join() == await second.join()
        await first.leave()
        assert postmaster(home)
        await second.leave()
        assert postmaster(home) is None


async def test_processes_that_were_killed_are_not_waited_for(home: Path) -> None:
    async with another_process(home) as killed, another_process(home) as last:
        assert await killed.join() == await last.join()
        await killed.end()
        assert postmaster(home)
        await last.leave()
        assert postmaster(home) is None


async def test_a_server_whose_every_user_was_killed_is_taken_over(home: Path) -> None:
    async with another_process(home) as killed:
        orphan = await killed.join()
        await killed.end()
    async with share_of(home):
        assert postmaster(home) == orphan
    assert postmaster(home) is None


async def test_after_a_kill_of_the_server_the_next_start_has_all_that_was_committed(home: Path) -> None:
    async with embedded_postgres(home) as postgres:
        await ask(postgres, "CREATE TABLE notes AS SELECT 'kept' AS word")
        killed = kill_server(home)
        async with embedded_postgres(home) as again:
            assert await ask(again, "SELECT word FROM notes") == "kept"
            assert postmaster(home) not in {None, killed}


async def test_a_killed_server_is_brought_back_under_its_old_address(home: Path) -> None:
    async with share_of(home) as postgres:
        kill_server(home)
        await asyncio.gather(*(postgres.ensure_running() for _ in range(3)))
        assert await ask(postgres, "SELECT 1") == 1


async def test_a_statement_that_outlives_the_killed_server_does_not_delay_the_next(home: Path) -> None:
    async with share_of(home) as postgres, await postgres.server.connect() as connection:
        endless = asyncio.create_task(connection.execute("DO $$ BEGIN LOOP END LOOP; END $$"))
        async with asyncio.timeout(SOON.total_seconds()):
            while not await is_busy(postgres, connection.info.backend_pid):
                pass
        kill_server(home)
        await postgres.ensure_running()
        with pytest.raises(psycopg.OperationalError):
            await endless
        assert await ask(postgres, "SELECT 1") == 1


async def test_files_of_a_killed_server_that_name_a_stranger_are_not_believed(home: Path) -> None:
    async with share_of(home) as postgres:
        server = postgres.server
    with a_stranger(server) as stranger:
        leave_behind(server, stranger.pid)
        async with share_of(home) as postgres:
            assert await ask(postgres, "SELECT 1") == 1
        assert stranger.poll() is None


async def test_another_server_behind_our_socket_is_not_ours(home: Path) -> None:
    async with share_of(home / "theirs") as theirs:
        async with share_of(home / "ours") as ours:
            socket = ours.server.socket
        link(socket / ".s.PGSQL.5432", theirs.server.socket / ".s.PGSQL.5432")
        async with share_of(home / "ours") as ours:
            assert await ask(ours, "SHOW data_directory") == str(ours.server.data)


async def test_a_kill_amid_initdb_leaves_nothing_half_made(home: Path) -> None:
    async with another_process(home) as killed:
        killed.tell()
        await until(lambda: seen(home, "d*"), SOON)
        await killed.end()
    async with share_of(home) as postgres:
        assert await ask(postgres, "SELECT 1") == 1


@pytest.mark.parametrize("moment", ["d*", "start.log", "data/postmaster.pid"])
async def test_a_start_that_is_cancelled_leaves_no_server(home: Path, moment: str) -> None:
    start = asyncio.create_task(share_of(home).__aenter__())
    await until(lambda: seen(home, moment), SOON)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert postmaster(home) is None


async def test_a_path_too_long_for_a_socket_gets_a_short_private_one(home: Path) -> None:
    async with share_of(home / ("long" * 30)) as postgres:
        socket = postgres.server.socket
        assert len(str(socket)) < 100
        assert stat.S_IMODE(socket.stat().st_mode) == 0o700
        assert await ask(postgres, "SELECT 1") == 1
    assert not socket.exists()


async def test_a_short_socket_folder_that_others_can_enter_is_not_used(home: Path) -> None:
    long = home / ("long" * 30)
    trap = home / "trap"
    trap.mkdir()
    async with share_of(long) as postgres:
        place = postgres.server.place
    link(place / "socket", trap)
    async with share_of(long) as postgres:
        assert postgres.server.socket != trap
        assert await ask(postgres, "SELECT 1") == 1


async def test_a_server_that_cannot_start_is_reported_in_the_words_of_its_log(home: Path) -> None:
    async with share_of(home) as postgres:
        settings = postgres.server.data / "postgresql.conf"
    settings.write_text("no_such_setting = on\n")
    with pytest.raises(PostgresUnavailable, match=r"no_such_setting.*DATABASE_URL") as caught:
        await share_of(home).__aenter__()
    assert "\n" not in str(caught.value)


async def test_a_server_that_does_not_answer_is_given_up_at_the_deadline(home: Path) -> None:
    async with share_of(home):
        pid = postmaster(home)
        assert pid
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(PostgresUnavailable, match=r"does not answer within 0.5 s: .*DATABASE_URL"):
                await share_of(home, deadline=timedelta(seconds=0.5)).__aenter__()
        finally:
            os.kill(pid, signal.SIGCONT)
        assert postmaster(home) == pid


async def test_a_start_waits_for_another_no_longer_than_the_deadline(home: Path) -> None:
    async with share_of(home) as postgres:
        with (postgres.server.place / "start.lock").open() as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            with pytest.raises(PostgresUnavailable, match=r"another process keeps .*start.lock"):
                await share_of(home, deadline=timedelta(seconds=0.1)).__aenter__()


async def test_a_server_that_may_forget_is_refused_to_those_who_may_not(home: Path) -> None:
    async with share_of(home):
        with pytest.raises(PostgresUnavailable, match="durable=False"):
            await embedded_postgres(home).__aenter__()
        assert postmaster(home)


async def test_a_home_that_is_no_folder_is_reported_plainly(home: Path) -> None:
    (home / "file").touch()
    with pytest.raises(PostgresUnavailable, match="DATABASE_URL"):
        await share_of(home / "file").__aenter__()


async def test_without_the_wheel_the_systems_own_postgres_serves(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_binaries, "WHEEL", "no_such_wheel")
    try:
        postgres_binaries.find_binaries(postgres_binaries.choose_account(home))
    except PostgresUnavailable:
        pytest.skip("this machine has no Postgres of its own")
    async with share_of(home) as postgres:
        assert "pginstall" not in str(postgres.server.binaries.folder)
        assert await ask(postgres, "SHOW data_checksums") == "on"


@as_root
async def test_on_behalf_of_root_no_process_of_the_server_is_roots(home: Path) -> None:
    async with share_of(home) as postgres, await postgres.server.connect() as connection:
        cursor = await connection.execute("SELECT pid FROM pg_stat_activity")
        processes: set[int] = {row[0] for row in await cursor.fetchall()} | {postmaster(home) or 0}
        assert len(processes) > 3
        assert {owner_of(pid) for pid in processes} == {postgres.server.data.stat().st_uid}
        assert {owner_of(pid) for pid in processes} != {0}


@as_root
async def test_a_home_that_only_root_can_enter_stays_closed_and_keeps_its_data(closed_home: Path) -> None:
    async with embedded_postgres(closed_home) as postgres:
        await ask(postgres, "CREATE TABLE notes AS SELECT 'kept' AS word")
    async with embedded_postgres(closed_home) as postgres:
        assert await ask(postgres, "SELECT word FROM notes") == "kept"
        assert postgres.server.place.is_relative_to(postgres_binaries.SHARED)
    assert stat.S_IMODE(closed_home.parent.stat().st_mode) == 0o700


@as_root
async def test_root_runs_the_server_as_the_user_who_made_the_data(home: Path) -> None:
    async with share_of(home) as postgres:
        assert await ask(postgres, "SELECT 1") == 1
    give(postgres.server.place, NOBODY)
    async with share_of(home) as postgres:
        assert postgres.server.account == NOBODY
        assert await ask(postgres, "SELECT 1") == 1


@as_root
async def test_an_ordinary_user_needs_no_root(home: Path) -> None:
    give(home, NOBODY)
    async with another_process(home, python_for(NOBODY), NOBODY) as member:
        assert owner_of(await member.join()) == NOBODY.uid
        await member.leave()
    assert postmaster(home) is None
