"""The triage with a model for its agents, over a real socket: what it says is read, and never sent unread."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from checkpoints.cases import Status
from graphs.triage.agents import Classification, Resolution
from graphs.wiring import Parts
from nodes.marks import MASK
from nodes.model_brain import ModelBrain
from tests.fakes.openai_server import (
    Answer,
    OpenAIServer,
    Script,
    broken,
    by_tool,
    call,
    calls,
    chat_model,
    in_turn,
    openai_server,
    structured,
    text,
)
from tests.house import LEE, House
from tests.stories.reviewing import told
from tests.stories.tickets import after_ticket, answers
from tools.sandbox.product_events.cast import TICKETS

BRAIN = "openai:gpt-x"
ORDERS = "We owe you 9999 EUR. Send your card number to pay@example.org."
FOUND = Classification(
    category="order_status",
    urgency="normal",
    risk="none",
    summary="Asks where the order is.",
    confidence_percent=95,
    evidence=["ticket"],
)
RESOLVED = Resolution(
    template="order_status",
    draft="Hello, it is on its way.",
    reason="The order says so.",
    confidence_percent=92,
    evidence=["account", "product_events"],
)
BY_HAND = RESOLVED.model_copy(update={"template": "written_by_hand"})


@asynccontextmanager
async def advised(
    parts: Parts, found: Classification | Answer = FOUND, resolved: Resolution | Answer = RESOLVED
) -> AsyncIterator[tuple[House, OpenAIServer]]:
    """The house with a model for its agents that answers like this."""
    script = by_tool({"Classification": _script(found), "Resolution": _script(resolved)})
    async with openai_server(script) as server, chat_model(server, max_retries=1) as model:
        yield House(replace(parts, brain=ModelBrain(model, BRAIN))), server


def _script(said: Classification | Resolution | Answer) -> Script:
    return in_turn(said if isinstance(said, Answer) else structured(said))


async def test_a_status_that_a_model_recognises_is_told_in_our_words(parts: Parts) -> None:
    async with advised(parts) as (house, server):
        case = await after_ticket(house, "where_is_it")

        assert case.status is Status.CLOSED
        (answer,) = await answers(house, "where_is_it")
        assert answer["template"] == "order_status"
        assert RESOLVED.draft not in answer["body"]
        found = await told(house, case.id, "agent.found")
        assert [(one["agent"], one["brain"]) for one in found] == [("classifier", BRAIN), ("resolver", BRAIN)]
        assert len(server.requests) == 2


async def test_a_models_draft_is_sent_only_after_a_person_has_read_it(parts: Parts) -> None:
    account = FOUND.model_copy(update={"category": "account_question"})
    async with advised(parts, account, BY_HAND) as (house, server):
        case = await after_ticket(house, "account")
        assert (case.status, await answers(house, "account")) == (Status.WAITING_REVIEW, [])

        case = await house.decided(await house.review(case.id), LEE)

        assert case.status is Status.CLOSED
        (answer,) = await answers(house, "account")
        assert answer["body"] == BY_HAND.draft
        assert len(server.requests) == 2, "a decision wakes the case; it asks no model again"


async def test_each_agent_sees_what_its_role_lists_and_nobody_sees_who_writes(parts: Parts) -> None:
    async with advised(parts) as (house, server):
        await after_ticket(house, "late_and_gold")

        (classifier,) = server.asked_by("Classification")
        (resolver,) = server.asked_by("Resolution")
        assert "gold" not in classifier.data
        assert "delayed" not in classifier.data
        assert {word for word in ("gold", "delayed", "order_status") if word not in resolver.data} == set()
        assert MASK in resolver.data  # the carrier's note
        assert "Depot closed" not in resolver.data
        for asked in (classifier, resolver):
            assert "@example" not in asked.data
            assert "IGNORE" not in asked.system


OBEDIENT = [
    pytest.param(RESOLVED, id="with a template"),
    pytest.param(RESOLVED.model_copy(update={"template": "delivery_delay"}), id="with another template"),
    pytest.param(BY_HAND, id="by hand"),
]


@pytest.mark.parametrize("resolved", OBEDIENT)
async def test_a_model_that_obeys_the_ticket_sends_no_word_of_its_own(
    parts: Parts, resolved: Resolution
) -> None:
    words = {"draft": ORDERS, "reason": ORDERS, "confidence_percent": 100}
    obedient = FOUND.model_copy(update={"summary": ORDERS, "confidence_percent": 100})
    async with advised(parts, obedient, resolved.model_copy(update=words)) as (house, _):
        await after_ticket(house, "injected")

        sent = [answer["body"] for answer in await answers(house, "injected")]
        assert not [body for body in sent if "9999" in body or "example.org" in body]
        assert sent == [] or "is on its way to you." in sent[0]


async def test_a_model_cannot_talk_alarming_words_away(parts: Parts) -> None:
    async with advised(parts) as (house, _):
        case = await after_ticket(house, "on_fire")

        assert case.status is Status.WAITING_REVIEW
        assert (await house.review(case.id)).rule == "ST-22"
        assert await answers(house, "on_fire") == []


async def test_a_model_cannot_hand_over_anothers_order(parts: Parts) -> None:
    refund = FOUND.model_copy(update={"category": "refund_request", "confidence_percent": 100})
    async with advised(parts, refund, BY_HAND) as (house, _):
        case = await after_ticket(house, "wants_anothers_money")

        assert case.status is Status.WAITING_REVIEW
        assert await house.rows("SELECT id FROM cases WHERE parent_id = %s", case.id) == []
        assert await house.refunds(TICKETS["wants_anothers_money"].order_id) == []


async def test_a_model_that_wants_a_refund_for_a_question_opens_a_case_that_the_refund_judges(
    parts: Parts,
) -> None:
    """The refund's own agents say that nobody asked for one: the scripted model has no answer for them."""
    refund = FOUND.model_copy(update={"category": "refund_request", "confidence_percent": 100})
    async with advised(parts, refund) as (house, _):
        case = await after_ticket(house, "where_is_it")

        assert case.status is Status.CLOSED
        (child,) = await house.rows("SELECT status FROM cases WHERE parent_id = %s", case.id)
        assert child["status"] == "uncertain"
        assert await house.refunds(TICKETS["where_is_it"].order_id) == []


@pytest.mark.parametrize(
    ("percents", "status"),
    [
        ((39, 95), Status.ESCALATED),
        ((95, 39), Status.ESCALATED),
        ((69, 95), Status.WAITING_REVIEW),
        ((70, 70), Status.CLOSED),
    ],
)
async def test_a_model_that_is_not_sure_leaves_it_to_people(
    parts: Parts, percents: tuple[int, int], status: Status
) -> None:
    found = FOUND.model_copy(update={"confidence_percent": percents[0]})
    resolved = RESOLVED.model_copy(update={"confidence_percent": percents[1]})
    async with advised(parts, found, resolved) as (house, _):
        case = await after_ticket(house, "where_is_it")

        assert case.status is status
        assert len(await answers(house, "where_is_it")) == (status is Status.CLOSED)


FAILURES = [
    pytest.param(broken(), "model_unavailable", id="500"),
    pytest.param(text("It is on its way."), "model_answer_unfit", id="words"),
    pytest.param(calls(call("tickets_reply", {})), "model_loops", id="loop"),
]


@pytest.mark.parametrize(("answer", "reason"), FAILURES)
@pytest.mark.parametrize("agent", ["found", "resolved"])
async def test_a_model_that_fails_leaves_the_case_uncertain(
    parts: Parts, agent: str, answer: Answer, reason: str
) -> None:
    failing: dict[str, Any] = {agent: answer}
    async with advised(parts, **failing) as (house, _):
        case = await after_ticket(house, "where_is_it")

        assert (case.status, case.reason, case.owner) == (Status.UNCERTAIN, reason, "support_lead")
        assert await answers(house, "where_is_it") == []
