from collections.abc import Mapping

import pytest

from tools.contract import Effect, Marked, Tool
from tools.sandbox.accounts.fields import RESTORABLE
from tools.sandbox.correspondence import HELD
from tools.sandbox.refunds import REVERSIBLE
from tools.sandbox.vendors.accounts import REVOCABLE
from tools.sandbox.vendors.activation import ENDABLE
from tools.sandbox.vendors.clearances import WITHDRAWABLE
from tools.sandbox.vendors.messages import HELD as VENDOR_HELD


def test_the_company_has_these_tools_and_no_others(tools: Mapping[str, Tool]) -> None:
    assert {name: tool.effect for name, tool in tools.items()} == {
        "customers.get": Effect.READ,
        "orders.get": Effect.READ,
        "orders.of_customer": Effect.READ,
        "payments.list": Effect.READ,
        "payments.history": Effect.READ,
        "payments.refund": Effect.WRITE,
        "payments.reverse_refund": Effect.WRITE,
        "fraud.signals": Effect.READ,
        "product_events.of_customer": Effect.READ,
        "tickets.get": Effect.READ,
        "tickets.of_customer": Effect.READ,
        "tickets.reply": Effect.EGRESS,
        "tickets.retract_reply": Effect.WRITE,
        "crm.get_account": Effect.READ,
        "crm.relations": Effect.READ,
        "crm.set_field": Effect.WRITE,
        "crm.restore_field": Effect.WRITE,
        "firmographics.get": Effect.READ,
        "news.search": Effect.READ,
        "services.get": Effect.READ,
        "services.actions": Effect.READ,
        "services.restart": Effect.WRITE,
        "alerts.get": Effect.READ,
        "alerts.clear": Effect.WRITE,
        "logs.around": Effect.READ,
        "deployments.recent": Effect.READ,
        "deployments.rollback": Effect.WRITE,
        "deployments.redeploy": Effect.WRITE,
        "incidents.list": Effect.READ,
        "incidents.search": Effect.READ,
        "incidents.open": Effect.WRITE,
        "incidents.withdraw": Effect.WRITE,
        "incidents.join": Effect.WRITE,
        "incidents.detach": Effect.WRITE,
        "incidents.grade": Effect.WRITE,
        "incidents.regrade": Effect.WRITE,
        "incidents.resolve": Effect.WRITE,
        "incidents.reopen": Effect.WRITE,
        "incidents.page": Effect.EGRESS,
        "tasks.list": Effect.READ,
        "tasks.create": Effect.WRITE,
        "tasks.withdraw": Effect.WRITE,
        "tasks.complete": Effect.WRITE,
        "vendors.get": Effect.READ,
        "vendors.requirements": Effect.READ,
        "vendors.documents": Effect.READ,
        "vendors.screening": Effect.READ,
        "vendors.accounts": Effect.READ,
        "vendors.endorse_account": Effect.WRITE,
        "vendors.revoke_account": Effect.WRITE,
        "vendors.clearances": Effect.READ,
        "vendors.record_clearance": Effect.WRITE,
        "vendors.withdraw_clearance": Effect.WRITE,
        "vendors.messages": Effect.READ,
        "vendors.request_information": Effect.EGRESS,
        "vendors.retract_request": Effect.WRITE,
        "vendors.activate": Effect.WRITE,
        "vendors.deactivate": Effect.WRITE,
    }


def test_whatever_changes_something_is_idempotent_and_can_be_found(tools: Mapping[str, Tool]) -> None:
    writes = [tool for tool in tools.values() if tool.effect is not Effect.READ]
    assert all(tool.idempotent and tool.find and tool.authority for tool in writes)


def test_what_carries_authority_is_an_argument(tools: Mapping[str, Tool]) -> None:
    assert all(tool.authority <= set(tool.arguments.model_fields) for tool in tools.values())


@pytest.mark.parametrize(
    ("name", "undo", "window"),
    [
        ("payments.refund", "payments.reverse_refund", REVERSIBLE),
        ("tickets.reply", "tickets.retract_reply", HELD),
        ("crm.set_field", "crm.restore_field", RESTORABLE),
        ("vendors.endorse_account", "vendors.revoke_account", REVOCABLE),
        ("vendors.record_clearance", "vendors.withdraw_clearance", WITHDRAWABLE),
        ("vendors.request_information", "vendors.retract_request", VENDOR_HELD),
        ("vendors.activate", "vendors.deactivate", ENDABLE),
    ],
)
def test_a_deed_is_undone_by_a_tool_that_exists(
    tools: Mapping[str, Tool], name: str, undo: str, window: object
) -> None:
    declared = tools[name].undo
    assert declared is not None
    assert (declared.tool, declared.window) == (undo, window)
    assert undo in tools


def test_an_undo_cannot_itself_be_undone(tools: Mapping[str, Tool]) -> None:
    undos = {tool.undo.tool for tool in tools.values() if tool.undo}
    assert all(tools[name].undo is None for name in undos)


def test_every_result_survives_json(tools: Mapping[str, Tool]) -> None:
    schemas = [tool.result.model_json_schema() for tool in tools.values()]
    assert all(schema["additionalProperties"] is False for schema in schemas)


def test_no_field_is_marked_twice(tools: Mapping[str, Tool]) -> None:
    fields = [field for tool in tools.values() for field in tool.result.model_fields.values()]
    assert all(sum(isinstance(mark, Marked) for mark in field.metadata) <= 1 for field in fields)
