"""Forked children of a process that has imported everything: one costs milliseconds, and can be killed."""

import os
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass

PATIENCE_SECONDS = 120
"""A child that takes longer is ended by the system."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Child:
    """How a child ended: by which signal, 0 for none, with which exit code, and what it wrote."""

    killed_by: int
    code: int
    wrote: bytes

    @property
    def was_killed(self) -> bool:
        """Whether it was stopped hard."""
        return self.killed_by == signal.SIGKILL


@dataclass(frozen=True, kw_only=True, slots=True)
class Begun:
    """A child that is under way, and where it writes to."""

    pid: int
    line: int

    def ended(self) -> Child:
        """The child, once it has ended; raises AssertionError if it has failed."""
        with os.fdopen(self.line, "rb") as line:
            wrote = line.read()
        _, status = os.waitpid(self.pid, 0)
        killed_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        child = Child(killed_by=killed_by, code=0 if killed_by else os.WEXITSTATUS(status), wrote=wrote)
        if child.code or (killed_by and not child.was_killed):
            raise AssertionError(f"a child ended by signal {killed_by}, code {child.code}: {wrote.decode()}")
        return child


def begun(deed: Callable[[int], None], patience: int = PATIENCE_SECONDS) -> Begun:
    """A child that does a deed, which may write to the file descriptor it is given; no loop may run here.

    A patience of 0 has no end.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _run(deed, writing, patience)
    os.close(writing)
    return Begun(pid=pid, line=reading)


def in_child(deed: Callable[[int], None]) -> Child:
    """A child that has done a deed, or was killed over it; raises AssertionError if it has failed."""
    return begun(deed).ended()


def _run(deed: Callable[[int], None], writing: int, patience: int) -> None:
    """The child's whole life: it leaves without the parent's clean-ups, which are the parent's."""
    code = 1
    try:
        signal.alarm(patience)
        deed(writing)
        code = 0
    except BaseException:  # noqa: BLE001 - a child of ours tells whatever ends it, and then ends
        os.write(writing, traceback.format_exc().encode())
    finally:
        os._exit(code)
