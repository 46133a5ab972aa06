"""A process that has everything imported, and forks workers and APIs: a start costs next to nothing.

It reads orders from its input, one JSON a line, and answers with what it has started and what has ended. When
its input ends, whoever gave orders is gone: it kills what it has started, so that nothing is left behind.
"""

import asyncio
import gc
import json
import os
import selectors
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

from tests.engine import api_main, worker_main

MAINS = {"api": api_main.main, "worker": worker_main.main}


def tell(**what: int) -> None:
    """Answer with one line."""
    os.write(1, json.dumps(what).encode() + b"\n")


def become(role: str, log: str, environment: dict[str, str]) -> NoReturn:
    """What the child does: it is the process now, and never comes back."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with Path(log).open("ab") as output, Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    os.environ.update(environment)
    code = 1
    try:
        asyncio.run(MAINS[role]())
        code = 0
    finally:
        sys.stdout.flush()
        if code:
            traceback.print_exc()
        sys.stderr.flush()
        os._exit(code)


def reaped(children: set[int]) -> None:
    """Tell of every child that has ended."""
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        children.discard(pid)
        tell(ended=pid, code=os.waitstatus_to_exitcode(status))


def obeyed(line: bytes, children: set[int]) -> None:
    """Start what is asked for."""
    order: dict[str, Any] = json.loads(line)
    pid = os.fork()
    if pid == 0:
        become(**order)
    children.add(pid)
    tell(started=pid)


def main() -> None:
    heard, rang = os.pipe()
    os.set_blocking(rang, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(rang)
    looking, children, rest = selectors.DefaultSelector(), set[int](), b""
    looking.register(0, selectors.EVENT_READ)
    looking.register(heard, selectors.EVENT_READ)
    gc.freeze()
    tell(ready=os.getpid())
    while True:
        for key, _ in looking.select():
            said = os.read(key.fd, 65536)
            if key.fd == heard:
                reaped(children)
            elif not said:
                for pid in children:
                    os.kill(pid, signal.SIGKILL)
                return
            else:
                *lines, rest = (rest + said).split(b"\n")
                for line in lines:
                    obeyed(line, children)


if __name__ == "__main__":
    main()
