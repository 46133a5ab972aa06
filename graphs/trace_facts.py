"""Trace facts: the allowlist. What is not named here, or does not look as it must, is in no trace."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from checkpoints.cases import Status
from nodes.rules import Outcome
from nodes.shapes import Json

Read = Callable[[Any], Any]
"""A value as it may leave, or None."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/+-]{0,99}")
_TITLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_. -]{0,99}")
_WORD = re.compile(r"[a-z][a-z_]{0,39}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MOST = 10**12


def name(value: Any) -> str | None:
    """A name that code or configuration gave: no blank, no `@`, no more than 100 characters."""
    return value if isinstance(value, str) and _NAME.fullmatch(value) else None


def title(value: Any) -> str | None:
    """A name that may have blanks in it, as those of tables do."""
    return value if isinstance(value, str) and _TITLE.fullmatch(value) else None


def word(value: Any) -> str | None:
    """A word by which a graph routes."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def digest(value: Any) -> str | None:
    """64 hex digits."""
    return value if isinstance(value, str) and _DIGEST.fullmatch(value) else None


def number(value: Any) -> int | None:
    """A count."""
    return value if type(value) is int and 0 <= value < _MOST else None


def error(raised: BaseException) -> str:
    """What kind of error it was; its text may hold anything."""
    return name(type(raised).__name__) or "Error"


def status(state: Any) -> Json:
    """Where a state or a step says that its case stands."""
    said = _at(state, "standing", "status")
    return {"status": said} if isinstance(said, str) and said in set(Status) else {}


def step(update: Any) -> Json:
    """What may be told of what a node adds to the state."""
    return {
        **_read(update, {"outcome": word}),
        **status(update),
        **_verdict(_at(update, "verdict", "verdict")),
        **_finding(_at(update, "findings")),
    }


def model(metadata: Any) -> Json:
    """Which model an agent asks, as configured here and not as the answer says."""
    return _read(metadata, {"ls_provider": name, "ls_model_name": name, "lc_agent_name": name})


def usage(counted: Any) -> Json:
    """The tokens of one call, as LangSmith expects them."""
    return _read(counted, {"input_tokens": number, "output_tokens": number, "total_tokens": number})


def look_up(told: Any) -> tuple[str, Json]:
    """A look-up's tool, and whether it was allowed; a tool that does not exist was named by a model."""
    allowed = _at(told, "allowed")
    return name(_at(told, "tool")) or "unknown_tool", {"allowed": allowed is True}


def _verdict(verdict: Any) -> Json:
    said = _at(verdict, "outcome")
    outcome = {"verdict": said} if isinstance(said, str) and said in set(Outcome) else {}
    table = _read(_at(verdict, "table"), {"name": title, "version": name, "digest": digest})
    return {**outcome, **_read(verdict, {"row": name}), **{f"table_{key}": table[key] for key in table}}


def _finding(findings: Any) -> Json:
    """A node's one finding: who said it, never what."""
    if not isinstance(findings, Mapping) or len(findings) != 1:
        return {}
    (finding,) = findings.values()
    wanted: dict[str, Read] = {
        "agent": name,
        "version": name,
        "prompt": digest,
        "brain": name,
        "obtained": word,
    }
    told = {
        f"agent_{key}" if key == "version" else key: value for key, value in _read(finding, wanted).items()
    }
    sure = number(_at(finding, "output", "confidence_percent"))
    spent: dict[str, Read] = {"model_calls": number, "input_tokens": number, "output_tokens": number}
    return {
        **told,
        **({} if sure is None else {"confidence_percent": sure}),
        **_read(_at(finding, "usage"), spent),
    }


def _read(source: Any, wanted: Mapping[str, Read]) -> Json:
    if not isinstance(source, Mapping):
        return {}
    found = {key: read(source.get(key)) for key, read in wanted.items()}
    return {key: value for key, value in found.items() if value is not None}


def _at(source: Any, *path: str) -> Any:
    for key in path:
        source = source.get(key) if isinstance(source, Mapping) else None
    return source
