"""Log lines: one JSON object a line, with nothing in it that an exception or a sender has put there."""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from graphs.at_work import CASE

logger = logging.getLogger(__name__)

_ROOT = Path(__file__).parents[1]
_MOST_FRAMES = 12

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class Lines(logging.Formatter):
    """Formats a record as a line of JSON: control characters are escaped, exceptions lose their messages.

    What an exception says may be a customer's words, a password in an address, a whole row. Its type and
    where it was raised are enough to find it. `case` is the case that was being worked on, if one was.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "from": record.name,
            "says": record.getMessage(),
        }
        if (case_id := CASE.get()) is not None:
            line["case"] = case_id
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = told(record.exc_info[1])
        return json.dumps(line)


def told(error: BaseException) -> list[dict[str, object]]:
    """An exception and what it came from, innermost cause last: types and places, no messages.

    Of a group, each that is in it, with what that came from.
    """
    chain: list[dict[str, object]] = []
    at: BaseException | None = error
    while at is not None:
        frames = traceback.extract_tb(at.__traceback__)[-_MOST_FRAMES:]
        places = [f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames]
        chain.append({"type": f"{type(at).__module__}.{type(at).__qualname__}", "at": places})
        if isinstance(at, BaseExceptionGroup):
            chain += [line for one in at.exceptions for line in told(one)]
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
    return chain


def configure() -> None:
    """Send every line from warnings up to standard error, in this form, whoever writes it.

    What ends the process unforeseen is written in this form, too.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    sys.excepthook = _ended


def _ended(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    logger.critical("this should not happen: the process has ended", exc_info=(kind, error, trace))


def _short(filename: str) -> str:
    """A path within the project or a library, never where either lies on this machine."""
    path = Path(filename)
    if path.is_relative_to(_ROOT):
        return path.relative_to(_ROOT).as_posix()
    return "/".join(path.parts[-2:])
