"""An inbox folder: files that others put there, read once and moved away, all by names within one folder."""

import contextlib
import errno
import hashlib
import heapq
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from pathlib import Path

from tools.triggers.trouble import TriggerTrouble

LARGEST_FILE = 1024 * 1024
"""Bytes; of a file that is larger nothing is read."""
SUFFIX = ".json"
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MODE, _FOLDER_MODE = 0o640, 0o750
_FAULTS = {errno.ELOOP: "not_a_file", errno.ENXIO: "not_a_file", errno.EACCES: "unreadable"}
"""What is the matter with a file that cannot be opened; anything else is the matter with the folder."""
_LONGEST_NAME = 200
"""Bytes; longer names are cut, so that there is room for what is added."""


class Tray(StrEnum):
    """Where a file goes when it is dealt with: a folder within the inbox."""

    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """A file that was found.

    Attributes:
        name: its name in the folder; other people's words.
        body: its bytes; None if it is none that is read, and `fault` says why.
        digest: SHA-256 of the bytes, or of the name of a file that is not read.
    """

    name: str
    body: bytes | None
    digest: str
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Inbox:
    """A folder that is looked into; every method works on files and belongs into a thread.

    Raises:
        TriggerTrouble: in every method, if the folder or a tray in it is away or cannot be written.
    """

    folder: Path

    def names(self, most: int) -> list[str]:
        """What lies in it and is to be dealt with, in the order of the names, not more than this."""
        with self._opened() as inbox, os.scandir(inbox) as entries:
            return heapq.nsmallest(most, (entry.name for entry in entries if _is_ours(entry)))

    def require_trays(self) -> None:
        """Make sure that files can be moved away before one is taken in."""
        with self._opened() as inbox:
            if not os.access(".", os.W_OK | os.X_OK, dir_fd=inbox):
                raise TriggerTrouble("folder_not_writable")
            for tray in Tray:
                with _tray(inbox, tray) as into:
                    if not os.access(".", os.W_OK | os.X_OK, dir_fd=into):
                        raise TriggerTrouble("folder_not_writable")

    def read(self, name: str) -> Letter | None:
        """A file; None if it is gone. No link is followed, and nothing but a regular file is read."""
        with self._opened() as inbox:
            try:
                file = os.open(name, _READ, dir_fd=inbox)
            except FileNotFoundError:
                return None
            except OSError as error:
                if error.errno not in _FAULTS:
                    raise
                return _unread(name, _FAULTS[error.errno])
            try:
                return _letter(name, file)
            finally:
                os.close(file)

    def move(self, name: str, tray: Tray, digest: str, why: str | None = None) -> None:
        """Move a file into a tray, in one step, under a name that nothing has there; `why` goes beside it."""
        with self._opened() as inbox, _tray(inbox, tray) as into:
            target = _reserved(into, name, digest)
            if why is not None:
                _write_new(into, f"{target}.why", why)
            try:
                os.rename(name, target, src_dir_fd=inbox, dst_dir_fd=into)
            except FileNotFoundError:  # somebody took it away again
                _give_back(into, target)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        with _troubles():
            folder = os.open(self.folder, _FOLDER)
            try:
                yield folder
            finally:
                os.close(folder)


@contextmanager
def _troubles() -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise TriggerTrouble("folder_away") from error
    except OSError as error:
        away = error.errno in {errno.EIO, errno.ESTALE, errno.ENODEV}
        raise TriggerTrouble("folder_away" if away else "folder_not_writable") from error


@contextmanager
def _tray(inbox: int, tray: Tray) -> Iterator[int]:
    """A tray, made if it is not there; a link in its place would lead elsewhere, and is not followed."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(tray, _FOLDER_MODE, dir_fd=inbox)
    try:
        into = os.open(tray, _FOLDER | os.O_NOFOLLOW, dir_fd=inbox)
    except OSError as error:
        raise TriggerTrouble("folder_not_writable") from error
    try:
        yield into
    finally:
        os.close(into)


def _is_ours(entry: os.DirEntry[str]) -> bool:
    named = entry.name.endswith(SUFFIX) and not entry.name.startswith(".")
    return named and not entry.is_dir(follow_symlinks=False)


def _letter(name: str, file: int) -> Letter:
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:  # a hard link may lead to a file elsewhere
        return _unread(name, "not_a_file")
    if status.st_size > LARGEST_FILE:
        return _unread(name, "too_large")
    parts = []
    while part := os.read(file, LARGEST_FILE + 1):
        parts.append(part)
        if sum(map(len, parts)) > LARGEST_FILE:
            return _unread(name, "too_large")
    body = b"".join(parts)
    return Letter(name=name, body=body, digest=hashlib.sha256(body).hexdigest())


def _unread(name: str, fault: str) -> Letter:
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()
    return Letter(name=name, body=None, digest=digest, fault=fault)


def _reserved(into: int, name: str, digest: str) -> str:
    """A name in a tray that nobody had, held by an empty file until the real one takes its place."""
    for candidate in _candidates(name, digest):
        if not _there(into, f"{candidate}.why"):
            try:
                os.close(os.open(candidate, _NEW, _MODE, dir_fd=into))
            except FileExistsError:
                continue
            return candidate
    raise AssertionError("the candidates never end")


def _candidates(name: str, digest: str) -> Iterator[str]:
    stem = os.fsdecode(os.fsencode(name.removesuffix(SUFFIX))[:_LONGEST_NAME])
    yield f"{stem}{SUFFIX}"
    yield f"{stem}.{digest[:12]}{SUFFIX}"
    yield from (f"{stem}.{digest[:12]}.{number}{SUFFIX}" for number in count(2))


def _there(into: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=into, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _write_new(into: int, name: str, text: str) -> None:
    with os.fdopen(os.open(name, _NEW, _MODE, dir_fd=into), "w", encoding="utf-8") as file:
        file.write(text)


def _give_back(into: int, target: str) -> None:
    os.unlink(target, dir_fd=into)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{target}.why", dir_fd=into)
