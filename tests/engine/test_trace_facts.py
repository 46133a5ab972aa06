"""The allowlist: what is not named in it, or does not look as it must, is left out."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid5

import pytest

from graphs import trace_facts as facts
from graphs.settings import HOSTED, Tracing
from graphs.trace_watch import run_id

DIGEST = "a" * 64
FINDING = {
    "agent": "triage",
    "version": "1",
    "prompt": DIGEST,
    "brain": "openai:gpt-5.5",
    "obtained": "model_self_report",
    "output": {"summary": "Ada wants her money", "confidence_percent": 90},
    "usage": {"model_calls": 1, "input_tokens": 2, "output_tokens": 3},
}
VERDICT = {
    "table": {"name": "refund reply", "version": "2026-11-24", "digest": DIGEST},
    "outcome": "allow",
    "row": "RR-1",
    "says": "Ada may be told.",
    "reason": "told",
    "trace": [{"saw": {"name": "Ada"}}],
}


def test_of_a_finding_everything_is_told_but_what_was_found() -> None:
    assert facts.step({"findings": {"triage": FINDING}, "context": {"Ada": "Ada"}, "outcome": "ready"}) == {
        "outcome": "ready",
        "agent": "triage",
        "agent_version": "1",
        "prompt": DIGEST,
        "brain": "openai:gpt-5.5",
        "obtained": "model_self_report",
        "confidence_percent": 90,
        "model_calls": 1,
        "input_tokens": 2,
        "output_tokens": 3,
    }


def test_of_a_verdict_outcome_row_and_table_are_told() -> None:
    assert facts.step({"verdict": {"verdict": VERDICT, "facts": {"name": "Ada"}}}) == {
        "verdict": "allow",
        "row": "RR-1",
        "table_name": "refund reply",
        "table_version": "2026-11-24",
        "table_digest": DIGEST,
    }


@pytest.mark.parametrize(
    "update",
    [
        None,
        "Ada",
        ["Ada"],
        {"outcome": "Ada wants her money"},
        {"outcome": {"Ada": 1}},
        {"outcome": ["ready"]},
        {"standing": {"status": "Ada", "reason": "Ada"}},
        {"standing": {"status": ["closed"]}},
        {"standing": "closed"},
        {"findings": {"triage": {key: ["Ada"] for key in FINDING}}},
        {
            "findings": {
                "triage": {"agent": "ada@example.com", "prompt": "Ada", "usage": {"model_calls": "Ada"}}
            }
        },
        {"findings": {"triage": {"usage": {"input_tokens": True, "output_tokens": -1, "model_calls": 1.5}}}},
        {"findings": {"triage": FINDING, "policy": FINDING}},
        {"verdict": {"verdict": {"outcome": "Ada", "row": "a name with blanks", "table": "Ada"}}},
        {
            "verdict": {
                "verdict": {"outcome": ["allow"], "table": {"name": "ada@example.com", "digest": "Ada"}}
            }
        },
        {"verdict": {"verdict": {"row": "x" * 101, "table": {"version": "1\nAda"}}}},
        {"result": {"reason": "Ada"}, "record": [{"Ada": "Ada"}], "proposal": {"tool": "Ada"}},
    ],
)
def test_what_does_not_look_as_it_must_is_left_out(update: Any) -> None:
    assert facts.step(update) == {}


def test_a_tool_that_a_model_made_up_has_no_name() -> None:
    assert facts.look_up({"tool": None, "allowed": False}) == ("unknown_tool", {"allowed": False})
    assert facts.look_up({"tool": "Ada Lovelace", "allowed": "yes"}) == ("unknown_tool", {"allowed": False})
    assert facts.look_up("Ada") == ("unknown_tool", {"allowed": False})


def test_an_error_is_told_by_its_type() -> None:
    assert facts.error(LookupError("Ada")) == "LookupError"
    assert facts.error(type("Ada Lovelace", (Exception,), {})()) == "Error"


def test_the_same_beginning_at_the_same_time_is_the_same_id_and_nothing_else_is() -> None:
    at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    ids = [run_id(seed, at + timedelta(milliseconds=late)) for seed in ("a", "b") for late in (0, 1)]

    assert run_id("a", at) == ids[0]
    assert len(set(ids)) == len(ids)
    assert {one.version for one in ids} == {7}
    assert {one.variant for one in ids} == {uuid5(ids[0], "any").variant}


def test_settings_are_read_as_langsmith_reads_them() -> None:
    assert Tracing.from_environment({}) == Tracing()
    assert Tracing().endpoint == HOSTED
    assert Tracing.from_environment(
        {
            "LANGSMITH_TRACING": "True",
            "LANGSMITH_API_KEY": ' "key" ',
            "LANGSMITH_ENDPOINT": " ",
            "LANGCHAIN_ENDPOINT": "'https://eu.example/'",
            "LANGSMITH_PROJECT": "refunds",
            "LANGCHAIN_PROJECT": "others",
        }
    ) == Tracing(asked=True, api_key="key", endpoint="https://eu.example", project="refunds")


def test_settings_do_not_show_their_key() -> None:
    assert "hidden" not in repr(Tracing(api_key="hidden"))
