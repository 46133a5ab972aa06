"""Explanations: nobody is told to begin again what was done, or may have been."""

from datetime import UTC, datetime

import pytest

from checkpoints.cases import Case, Status
from checkpoints.effects import EffectRow, EffectState
from graphs.explanations import explanation

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def case(status: Status, reason: str) -> Case:
    return Case(
        id="c",
        workflow="refund",
        workflow_version="1",
        event_source="/shop",
        event_id="e",
        event={},
        rules={},
        title="Refund",
        opened_by="service:shop",
        status=status,
        reason=reason,
        sealing_key="",
        created_at=NOW,
        updated_at=NOW,
    )


def deed(tool: str, state: EffectState) -> EffectRow:
    return EffectRow(
        key=tool,
        case_id="c",
        grant_id="g",
        proposer="agent:policy",
        tool=tool,
        tool_version="1",
        arguments={},
        digest="",
        state=state,
        intended_at=NOW,
    )


REFUND, REPLY = "payments.refund", "tickets.reply"


@pytest.mark.parametrize(
    ("status", "reason", "effects", "done", "to_do"),
    [
        (Status.BLOCKED, "connector_rests", [], "Nothing was done.", "Retry"),
        (
            Status.BLOCKED,
            "connector_rests",
            [deed(REFUND, EffectState.DONE)],
            "payments.refund was done.",
            "Retry",
        ),
        (
            Status.UNCERTAIN,
            "find_connector_rests",
            [deed(REFUND, EffectState.UNKNOWN)],
            "It is not known whether payments.refund was done.",
            "Look in that system whether it was done",
        ),
        (
            Status.UNCERTAIN,
            "outcome_unknown",
            [deed(REFUND, EffectState.DONE), deed(REPLY, EffectState.UNKNOWN)],
            "payments.refund was done. It is not known whether tickets.reply was done.",
            "Look in that system whether it was done",
        ),
        (
            Status.FAILED,
            "tool_refused",
            [deed(REFUND, EffectState.FAILED)],
            "payments.refund was not done.",
            "Retry once that is mended",
        ),
        (Status.ESCALATED, "fraud_signal", [], "Nothing was done.", "Decide it yourself"),
    ],
)
def test_it_says_what_was_done_and_what_to_do(
    status: Status, reason: str, effects: list[EffectRow], done: str, to_do: str
) -> None:
    found = explanation(case(status, reason), effects)

    assert found is not None
    assert found.done == done
    assert to_do in found.to_do
    assert found.happened.endswith(".")


@pytest.mark.parametrize("status", [Status.CLOSED, Status.RUNNING, Status.WAITING_REVIEW, Status.REJECTED])
def test_a_case_that_nobody_has_to_look_at_has_none(status: Status) -> None:
    assert explanation(case(status, ""), []) is None
