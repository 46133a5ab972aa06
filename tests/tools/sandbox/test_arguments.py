"""What a model may write into a tool's arguments: it is right, or it is refused before any call."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tools.contract import Arguments
from tools.sandbox.accounts.fields import RestoreField, SetField
from tools.sandbox.accounts.records import GetAccount, ListRelations
from tools.sandbox.accounts.sources import GetFirmographics, SearchNews
from tools.sandbox.customers import GetCustomer
from tools.sandbox.fraud import ListSignals
from tools.sandbox.orders import GetOrder, ListOrders
from tools.sandbox.payments import ListHistory, ListPayments
from tools.sandbox.product_events.events import ListEvents
from tools.sandbox.refunds import RefundPayment, ReverseRefund
from tools.sandbox.replies import ReplyToTicket, RetractReply
from tools.sandbox.tickets import GetTicket, ListTickets
from tools.sandbox.vendors.accounts import EndorseAccount, RevokeAccount
from tools.sandbox.vendors.activation import ActivateVendor, DeactivateVendor
from tools.sandbox.vendors.clearances import RecordClearance, WithdrawClearance
from tools.sandbox.vendors.documents import ListDocuments
from tools.sandbox.vendors.messages import RequestInformation, RetractRequest
from tools.sandbox.vendors.register import GetVendor, ListRequirements
from tools.sandbox.vendors.screening import ScreenVendor

REFUND = {
    "payment_id": "P-900001",
    "order_id": "O-900001",
    "customer_id": "C-90001",
    "amount_minor": 2990,
    "currency": "EUR",
    "reason_code": "damaged",
}
RIGHT: dict[type[Arguments], dict[str, Any]] = {
    GetCustomer: {"customer_id": "C-90001"},
    GetOrder: {"order_id": "O-900001"},
    ListOrders: {"customer_id": "C-90001"},
    ListTickets: {"customer_id": "C-90001"},
    ListEvents: {"customer_id": "C-90001"},
    ListPayments: {"order_id": "O-900001"},
    ListHistory: {"customer_id": "C-90001", "since": "2026-11-01T00:00:00Z"},
    ListSignals: {"customer_id": "C-90001", "order_id": "O-900001"},
    RefundPayment: REFUND,
    ReverseRefund: {"refund_id": "R-1000001", "amount_minor": 100, "currency": "EUR"},
    GetTicket: {"ticket_id": "T-900001"},
    ReplyToTicket: {
        "ticket_id": "T-900001",
        "customer_id": "C-90001",
        "template": "refund_done",
        "body": "Hi",
    },
    RetractReply: {"reply_id": "Y-1000001"},
    GetAccount: {"account_id": "A-90001"},
    ListRelations: {"account_id": "A-90001"},
    GetFirmographics: {"register_no": "HR-900001"},
    SearchNews: {"company_name": "Lindner Systems"},
    SetField: {"account_id": "A-90001", "field": "industry", "value": "software", "expected_version": 1},
    RestoreField: {"account_id": "A-90001", "field": "industry", "version": 1},
    GetVendor: {"vendor_id": "V-90001"},
    ListRequirements: {"kind": "goods", "country": "DE"},
    ListDocuments: {"vendor_id": "V-90001"},
    ScreenVendor: {"vendor_id": "V-90001"},
    EndorseAccount: {
        "vendor_id": "V-90001",
        "iban": "DE89370400440532013000",
        "document_id": "D-900012",
        "page": 1,
        "quote": "IBAN: DE89 3704 0044 0532 0130 00",
    },
    RevokeAccount: {"account_id": "A-1000001"},
    RecordClearance: {"vendor_id": "V-90001", "department": "legal", "dossier": "0" * 64},
    WithdrawClearance: {"clearance_id": "L-1000001"},
    RequestInformation: {
        "vendor_id": "V-90001",
        "template": "missing_information",
        "items": ["field:iban"],
        "turn": 1,
    },
    RetractRequest: {"message_id": "M-1000001"},
    ActivateVendor: {"vendor_id": "V-90001", "account_id": "A-1000001"},
    DeactivateVendor: {"activation_id": "N-1000001"},
}
FIELDS = [(arguments, name) for arguments, right in RIGHT.items() for name in right]

every_tool = pytest.mark.parametrize("arguments", RIGHT)
every_field = pytest.mark.parametrize(("arguments", "name"), FIELDS)
few = settings(max_examples=40, deadline=None)

anything_but_text = (
    st.none() | st.booleans() | st.floats() | st.binary() | st.lists(st.integers()) | st.integers(max_value=0)
)
odd_text = st.sampled_from(
    [
        " ",
        "C-9000\u0661",  # an Arabic digit
        "C-90001\n",
        " C-90001",
        "C-90001; DROP TABLE refunds",
        "\u202eC-90001",
        "NaN",
        "Infinity",
        "../../etc/passwd",
    ]
)
impossible_text = st.sampled_from(["", "C-90001\x00", "\ud800", "x" * 5_000])


@every_tool
def test_right_arguments_are_accepted_from_python_and_from_json(arguments: type[Arguments]) -> None:
    assert arguments.model_validate(RIGHT[arguments]) == arguments.model_validate_json(
        json.dumps(RIGHT[arguments])
    )


@every_tool
def test_arguments_survive_a_round_trip_through_json(arguments: type[Arguments]) -> None:
    right = arguments.model_validate(RIGHT[arguments])
    assert arguments.model_validate_json(right.model_dump_json()) == right
    assert arguments.model_validate(right.model_dump(mode="json")) == right


@every_field
def test_a_missing_argument_is_refused(arguments: type[Arguments], name: str) -> None:
    refuse(arguments, {key: value for key, value in RIGHT[arguments].items() if key != name})


@every_field
@few
@given(value=anything_but_text)
def test_an_argument_of_another_type_is_refused(arguments: type[Arguments], name: str, value: object) -> None:
    refuse(arguments, RIGHT[arguments] | {name: value})


@every_field
@few
@given(value=impossible_text)
def test_text_that_cannot_be_stored_is_refused(arguments: type[Arguments], name: str, value: str) -> None:
    refuse(arguments, RIGHT[arguments] | {name: value})


@pytest.mark.parametrize(
    ("arguments", "name"), [field for field in FIELDS if field[1] not in {"body", "company_name", "quote"}]
)
@few
@given(value=odd_text)
def test_odd_text_is_refused_where_an_id_or_a_code_belongs(
    arguments: type[Arguments], name: str, value: str
) -> None:
    refuse(arguments, RIGHT[arguments] | {name: value})


@every_tool
@few
@given(name=st.text(max_size=30), value=st.none() | st.booleans() | st.integers() | st.text())
def test_an_extra_argument_is_refused(arguments: type[Arguments], name: str, value: object) -> None:
    if name not in RIGHT[arguments]:
        refuse(arguments, RIGHT[arguments] | {name: value})


@few
@given(
    st.integers(max_value=0) | st.integers(min_value=10**13 + 1) | st.booleans() | st.floats() | st.decimals()
)
def test_an_amount_is_a_positive_whole_number_within_reason(amount: object) -> None:
    refuse(RefundPayment, REFUND | {"amount_minor": amount})


@few
@given(st.integers(min_value=1, max_value=10**13))
def test_an_amount_within_reason_is_kept_exactly(amount: int) -> None:
    assert RefundPayment.model_validate(REFUND | {"amount_minor": amount}).amount_minor == amount


@pytest.mark.parametrize("text", ["2990.0", "2.99e3", '"2990"', "true", "NaN", "1e400", "-1", "0"])
def test_an_amount_in_json_is_written_as_a_whole_number(text: str) -> None:
    document = json.dumps(REFUND).replace("2990", text)
    with pytest.raises(ValidationError):
        RefundPayment.model_validate_json(document)


@few
@given(st.datetimes(timezones=st.just(UTC) | st.just(timezone(timedelta(hours=5, minutes=45)))))
def test_a_time_is_read_alike_as_a_value_and_as_text(since: datetime) -> None:
    right = RIGHT[ListHistory]
    as_value = ListHistory.model_validate(right | {"since": since})
    as_text = ListHistory.model_validate(right | {"since": since.isoformat()})
    assert as_value == as_text == ListHistory.model_validate_json(as_value.model_dump_json())


@pytest.mark.parametrize(
    "since",
    [0, 1.5, True, "0", "1700000000", "2026-11-01", "2026-11-01T00:00:00", "yesterday", datetime.min],  # noqa: DTZ901
)
def test_a_time_without_a_zone_is_refused(since: object) -> None:
    refuse(ListHistory, RIGHT[ListHistory] | {"since": since})


@few
@given(
    st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=4000)
)
def test_a_reply_may_say_anything_that_can_be_stored(body: str) -> None:
    assert ReplyToTicket.model_validate(RIGHT[ReplyToTicket] | {"body": body}).body == body


def test_a_reply_has_an_end() -> None:
    refuse(ReplyToTicket, RIGHT[ReplyToTicket] | {"body": "x" * 4001})


def refuse(arguments: type[Arguments], values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        arguments.model_validate(values)
