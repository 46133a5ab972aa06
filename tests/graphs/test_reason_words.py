"""Every reason code that the code can produce has words: what happened, what was not done, what to do."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from checkpoints.cases import EXCEPTIONAL, Status
from checkpoints.reviews import ReviewStatus
from graphs.reason_words import SAYS, entry, words_for
from nodes.limits import CaseLimits
from nodes.permissions import NotPermitted
from tools.contract import ToolError
from tools.registry import NoCapability, UnknownTool

ROOT = Path(__file__).parents[2]
HOLDERS = {"Execution", "AgentUncertain", "_stop", "_fail", "_unjudged", "investigate", "_investigation"}
ALSO = {"_failed", "_unknown", "refused"}
"""Calls of the gateway whose second argument is the reason."""
FAR_ERRORS = {NotPermitted, NoCapability, UnknownTool}
"""Errors of tools that are there once their modules are."""
NO_EXCEPTION = {"done", "found", "already_done", "needs_people", "grant_expired", "action_changed"}
NO_EXCEPTION |= {"facts_changed", "unfit", "unforeseen"}
"""Reasons of ends that lead on in the graph."""


def _codes_of_calls() -> Iterator[tuple[str, str]]:
    for folder in ("nodes", "graphs", "checkpoints", "tools"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and _name(node.func) in HOLDERS | ALSO:
                    yield from ((code, path.name) for code in _texts(node))


def _name(function: ast.expr) -> str:
    return str(getattr(function, "attr", None) or getattr(function, "id", ""))


def _texts(call: ast.Call) -> Iterator[str]:
    """The codes that stand in a call: as `reason=`, or as a plain argument that looks like one."""
    given = [one.value for one in call.keywords if one.arg == "reason"]
    first = call.args[:1] if _name(call.func) == "AgentUncertain" else call.args
    for one in [*given, *first]:
        match one:
            case ast.Constant(value=str(text)) if text and text.replace("_", "").islower():
                yield text
            case ast.BoolOp(values=[*_, ast.Constant(value=str(text))]):
                yield text


def _errors(base: type[ToolError] = ToolError) -> Iterator[type[ToolError]]:
    yield base
    for one in base.__subclasses__():
        yield from _errors(one)


def _codes_of_rules() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "graphs").rglob("*.yaml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        thens = [row["then"] for row in document.get("rows", [])] + [document.get("default") or {}]
        for then in thens:
            yield from ((then[word], path.name) for word in ("refuse", "investigate") if word in then)


def codes() -> list[tuple[str, str]]:
    assert set(_errors()) >= FAR_ERRORS
    ours = [one for one in _errors() if one.__module__.partition(".")[0] in {"nodes", "tools", "graphs"}]
    errors = [(one.reason, one.__name__) for one in ours]
    errors += [(f"{prefix}{one.reason}", one.__name__) for one in ours for prefix in ("source_", "find_")]
    reviews = [(f"review_{status}", "signature.py") for status in ReviewStatus if status != "approved"]
    limits = [(f"limit_{name}", "limits.py") for name in CaseLimits.__dataclass_fields__]
    ends = ("plan_stale", "nothing_to_roll_back", "partly_rolled_back", "rollback_failed")
    more = [*limits, *((end, "rollback.py") for end in ends), ("too_many_asks", "limits.py")]
    more += [("model_loops", "model_brain.py"), ("facts_unfit:amount,tier", "judge.py")]
    found = {*_codes_of_calls(), *_codes_of_rules(), *errors, *reviews, *more, ("unspecified", "leave.py")}
    return sorted(one for one in found if one[0] not in NO_EXCEPTION)


@pytest.mark.parametrize(("code", "where"), codes())
def test_every_reason_has_words(code: str, where: str) -> None:
    assert entry(code) is not None, f"{code}, of {where}, is not in graphs/reason_words.py"


def test_the_codes_are_found_where_they_are() -> None:
    found = {code for code, _ in codes()}

    assert {"grant_unusable", "model_timeout", "worker_crashes", "unexpected_error", "stalled"} <= found
    assert {"fraud_signal", "no_rule_matches", "tool_version_changed", "no_answer", "failed"} <= found
    assert {"not_permitted", "rules_unfit", "literal_arguments", "source_tool_unavailable"} <= found


@pytest.mark.parametrize("status", EXCEPTIONAL)
def test_a_reason_of_somebody_elses_rules_has_the_words_of_its_status(status: Status) -> None:
    assert all(words_for(status, "a_code_of_their_own"))


def test_of_a_deed_in_doubt_it_is_said_that_nobody_knows() -> None:
    said = words_for(Status.FAILED, "unexpected_error", doubtful=True)

    assert said.happened == SAYS["unexpected_error"].happened
    assert "Nobody knows" in said.not_done
    assert "Look in that system" in said.to_do


def test_all_words_are_sentences() -> None:
    for words in SAYS.values():
        assert all(text[0].isupper() and text.endswith(".") for text in words)
