"""The gateway believes nothing it is handed: it looks at the world, the rules and the grant itself."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from checkpoints.cases import Case, Status
from graphs.settings import Settings
from nodes.action import Proposal, Ref
from nodes.execution import End
from tests.house import LEE, House, ManualClock
from tests.nodes.desk import approved, at_desk, at_the_company, paid, wish, with_arguments, with_refunds
from tools.contract import Call, Record, Tool
from tools.registry import Capability, NoCapability, Registry
from tools.sandbox.cast import CAST

SCENE = "clean_120_00_1"
SMALL = "clean_29_90_1"
CUSTOMER, ORDER = CAST[SCENE].customer_id, CAST[SCENE].order_id

Change = dict[str, Any]

CHANGED_PROPOSALS: dict[str, Change] = {
    "the case": {"case_id": "another"},
    "the step": {"step": "tell"},
    "the revision": {"revision": 2},
    "the tool": {"tool": "payments.reverse_refund", "arguments": {"refund_id": "R-900048"}},
    "the tool's version": {"tool_version": "2"},
    "the proposer": {"proposer": "rule:tell"},
    "the agent": {"proposer": "agent:triage"},
    "what the agent advises": {"advice": {"recommends": False, "confidence_percent": 90}},
    "how sure the agent is": {"advice": {"recommends": True, "confidence_percent": 80}},
}
CHANGED_ARGUMENTS: dict[str, Change] = {
    "the payment": {"payment_id": CAST[SMALL].payment_id},
    "the order": {"order_id": CAST[SMALL].order_id},
    "the customer": {"customer_id": CAST[SMALL].customer_id},
    "the amount": {"amount_minor": 11999},
    "the amount's source": {"amount_minor": Ref("order.total_minor")},
    "the amount by value": {"amount_minor": 12000},
    "the currency": {"currency": "USD"},
    "the reason": {"reason_code": "goodwill"},
}


@pytest.mark.parametrize("change", CHANGED_PROPOSALS.values(), ids=CHANGED_PROPOSALS.keys())
async def test_a_proposal_changed_after_the_decision_does_not_run(house: House, change: Change) -> None:
    case, shown = await approved(house, SCENE)

    async with at_desk(house, case) as desk:
        await desk.execute(wish(case, **change), shown)
        assert await paid(house, SCENE) == []
        assert (await desk.execute(wish(case), shown)).end is End.DONE

    assert await paid(house, SCENE) == [12000]


@pytest.mark.parametrize("change", CHANGED_ARGUMENTS.values(), ids=CHANGED_ARGUMENTS.keys())
async def test_an_argument_changed_after_the_decision_does_not_run(house: House, change: Change) -> None:
    case, shown = await approved(house, SCENE)

    async with at_desk(house, case) as desk:
        changed = await desk.execute(with_arguments(case, **change), shown)

    assert changed.end in {End.CHANGED, End.BLOCKED}
    assert await house.effects(case.id) == []


async def test_the_same_deed_is_done_once_however_often_it_is_asked_for(house: House) -> None:
    """A4."""
    case, shown = await approved(house, SCENE)

    async with at_desk(house, case) as desk:
        executions = [await desk.execute(wish(case), shown) for _ in range(4)]
        next_revision = await desk.execute(wish(case, revision=2), shown)

    assert [execution.end for execution in executions] == 4 * [End.DONE]
    assert len({execution.receipt["refund_id"] for execution in executions if execution.receipt}) == 1
    assert next_revision.end is not End.DONE
    assert await paid(house, SCENE) == [12000]


async def test_an_automatic_deed_is_not_done_again_under_its_next_revision(house: House) -> None:
    case = await house.send(SMALL, amount_minor=1000, currency="EUR")

    async with at_desk(house, case) as desk:
        ends = [(await desk.execute(wish(case, revision=number))).end for number in (1, 2, 3)]

    assert ends == [End.DONE, End.BLOCKED, End.BLOCKED]
    assert await paid(house, SMALL) == [1000]


SIGNAL = "INSERT INTO fraud_signals VALUES ('F-99999', %s, NULL, 'account_takeover', 85, now(), NULL)"
MOVED_AND_BLOCKED = {
    "a fraud signal": (SIGNAL, CUSTOMER, "fraud_signal"),
    "a closed account": (
        "UPDATE customers SET status = 'closed' WHERE customer_id = %s",
        CUSTOMER,
        "closed_account",
    ),
    "a customer who moved": (
        "UPDATE orders SET status = 'shipped', delivered_at = NULL WHERE order_id = %s",
        ORDER,
        "not_delivered",
    ),
}


@pytest.mark.parametrize(
    ("statement", "value", "reason"), MOVED_AND_BLOCKED.values(), ids=MOVED_AND_BLOCKED.keys()
)
async def test_what_the_rules_no_longer_bear_does_not_run_though_it_was_signed(
    house: House, settings: Settings, statement: str, value: str, reason: str
) -> None:
    """A5."""
    case, _ = await approved(house, SCENE)
    await at_the_company(settings, statement, value)

    await house.work()

    case = await house.case(case.id)
    assert (case.status, case.reason) == (Status.BLOCKED, reason)
    assert await house.effects(case.id) == []


MOVED_AND_ASKED_AGAIN = {
    "a name": ("UPDATE customers SET name = 'Else' WHERE customer_id = %s", CUSTOMER, "evidence.customer"),
    "a ticket": (
        "UPDATE tickets SET body = 'Do not refund.' WHERE ticket_id = %s",
        CAST[SCENE].ticket_id,
        "evidence.ticket",
    ),
    "an order": ("UPDATE order_lines SET title = 'Else' WHERE order_id = %s", ORDER, "evidence.order"),
}


@pytest.mark.parametrize(
    ("statement", "value", "field"), MOVED_AND_ASKED_AGAIN.values(), ids=MOVED_AND_ASKED_AGAIN.keys()
)
async def test_what_moved_since_the_signature_is_asked_again_with_the_difference(
    house: House, settings: Settings, statement: str, value: str, field: str
) -> None:
    """A5."""
    case, _ = await approved(house, SCENE)
    await at_the_company(settings, statement, value)

    await house.work()

    assert await paid(house, SCENE) == []
    review = await house.review(case.id)
    assert review.action["revision"] == 2
    assert field in {change["field"] for change in review.shown["changes"]}
    assert (await house.decided(review, LEE)).status is Status.CLOSED
    assert await paid(house, SCENE) == [12000]


async def test_what_was_refunded_elsewhere_meanwhile_is_not_refunded_again(house: House) -> None:
    """A5."""
    case, _ = await approved(house, SCENE)
    await _refund_elsewhere(house)

    await house.work()

    assert (await house.case(case.id)).status is Status.BLOCKED
    assert await paid(house, SCENE) == [12000]
    assert await house.effects(case.id) == []


async def _refund_elsewhere(house: House) -> None:
    cast = CAST[SCENE]
    arguments = {
        "payment_id": cast.payment_id,
        "order_id": cast.order_id,
        "customer_id": cast.customer_id,
        "amount_minor": 12000,
        "currency": "EUR",
        "reason_code": "goodwill",
    }
    fitted = house.parts.registry.describe("payments.refund").arguments.model_validate(arguments)
    await house.parts.registry.call(house.parts.capability, "payments.refund", fitted, Call(key="elsewhere"))


async def test_an_expired_grant_runs_nothing(house: House, clock: ManualClock) -> None:
    """A10."""
    case, shown = await approved(house, SCENE)
    clock.advance(timedelta(days=7))

    async with at_desk(house, case) as desk:
        late = await desk.execute(wish(case), shown)

    assert (late.end, late.reason) == (End.CHANGED, "grant_expired")
    assert await house.effects(case.id) == []


async def test_a_grant_that_is_used_runs_nothing(house: House) -> None:
    """A10."""
    case, shown = await approved(house, SCENE)
    await house.rows("UPDATE grants SET used_at = issued_at")

    async with at_desk(house, case) as desk:
        again = await desk.execute(wish(case), shown)

    assert (again.end, again.reason) == (End.BLOCKED, "grant_used")
    assert await house.effects(case.id) == []


async def test_a_grant_that_expires_in_the_last_moment_runs_nothing(house: House, clock: ManualClock) -> None:
    """A10: between the look at the grant and its use."""
    case, shown = await approved(house, SCENE)
    async with at_desk(house, case) as desk:
        late = replace(desk.context.gateway, clock=_Later(clock))
        execution = await replace(desk, context=replace(desk.context, gateway=late)).execute(
            wish(case), shown
        )

    assert (execution.end, execution.reason) == (End.BLOCKED, "grant_unusable")
    assert await house.effects(case.id) == []


class _Later:
    """A clock that jumps eight days ahead after it was looked at once."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._looked = False

    def __call__(self) -> Any:
        ahead, self._looked = timedelta(days=8 if self._looked else 0), True
        return self._clock() + ahead


async def test_without_a_decision_there_is_no_deed(house: House) -> None:
    case = await house.after(SCENE)

    async with at_desk(house, case) as desk:
        execution = await desk.execute(wish(case))

    assert (execution.end, execution.reason) == (End.BLOCKED, "review_open")
    assert await house.effects(case.id) == []


@pytest.mark.parametrize("name", ["payments.refund", "payments.reverse_refund", "tickets.reply"])
async def test_a_tool_from_the_registry_cannot_be_called(house: House, name: str) -> None:
    """B1."""
    tool = house.parts.registry.describe(name)

    with pytest.raises(NoCapability):
        await tool.perform(object(), Call(key="key"))
    assert tool.find is None
    assert all(shown.find is None for shown in house.parts.registry)


async def test_without_the_capability_there_is_no_call(house: House) -> None:
    """B1."""
    registry = house.parts.registry
    case = await house.send(SMALL)
    cast = CAST[SMALL]
    arguments = registry.describe("payments.list").arguments.model_validate({"order_id": cast.order_id})

    with pytest.raises(NoCapability):
        await registry.call(Capability(), "payments.list", arguments, Call(key="key"))
    with pytest.raises(NoCapability):
        await registry.find(Capability(), "payments.refund", wish(case).key)
    with pytest.raises(NoCapability):
        registry.hand_over()
    with pytest.raises(NoCapability):
        await Registry([]).call(Capability(), "payments.list", arguments, Call(key="key"))


async def test_who_may_read_cannot_write(house: House) -> None:
    """B1."""
    case = await house.send(SMALL)
    async with at_desk(house, case) as desk:
        judgement = await desk.context.judge.judge(desk.context.case, wish(case))
        tool = house.parts.registry.describe("payments.refund")
        arguments = tool.arguments.model_validate(judgement.action["arguments"])
        with pytest.raises(NoCapability):
            await desk.context.judge.reader.read(tool.name, arguments)

    assert await paid(house, SMALL) == []


FOREIGN_TOOLS: dict[str, Change] = {
    "a tool that nobody knows": {"tool": "payments.refund_all"},
    "a tool of another step": {"tool": "tickets.reply"},
    "a tool that nobody may propose": {"tool": "payments.reverse_refund"},
    "a tool that only reads": {"tool": "payments.list"},
    "no tool": {"tool": ""},
}


@pytest.mark.parametrize("change", FOREIGN_TOOLS.values(), ids=FOREIGN_TOOLS.keys())
@pytest.mark.parametrize(
    "proposer", ["agent:policy", "agent:triage", "agent:", "rule:refund", "person:lee", ""]
)
async def test_a_tool_that_a_proposer_does_not_list_is_refused(
    house: House, change: Change, proposer: str
) -> None:
    """B2."""
    case = await house.send(SMALL)
    async with at_desk(house, case) as desk:
        execution = await desk.execute(wish(case, proposer=proposer, **change))

    assert (execution.end, execution.reason) == (End.BLOCKED, "not_permitted")
    assert await house.effects(case.id) == []


async def test_a_tool_that_has_changed_is_refused(house: House) -> None:
    """B2."""
    case, shown = await approved(house, SCENE)

    async with at_desk(with_refunds(house, _honest, version="2"), case) as desk:
        execution = await desk.execute(wish(case), shown)

    assert (execution.end, execution.reason) == (End.BLOCKED, "tool_version_changed")
    assert await house.effects(case.id) == []


async def _honest(tool: Tool, arguments: Any, call: Call) -> Record:
    return await tool.perform(arguments, call)


async def test_a_denied_execution_leaves_its_grant_as_it_was(house: House) -> None:
    case, shown = await approved(house, SCENE)
    before = await house.rows("SELECT * FROM grants")

    async with at_desk(house, case) as desk:
        for denied in _denied(case):
            await desk.execute(denied, shown)

    assert await house.rows("SELECT * FROM grants") == before


def _denied(case: Case) -> list[Proposal]:
    return [
        with_arguments(case, amount_minor=1),
        wish(case, tool="none"),
        wish(case, proposer="agent:triage"),
    ]
