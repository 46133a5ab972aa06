"""What is no event, or none of ours, is refused with the reason; nothing but the record changes."""

import json
from typing import Any

import pytest

from tests.api.door import STRUCTURED, Door, Json, envelope, problem
from tools.sandbox.cast import CAST

SMALL = "clean_29_90_1"
WHOLE = json.dumps(envelope(SMALL))
DEEP = 100_000

MALFORMED: dict[str, tuple[bytes, str]] = {
    "no body": (b"", "not JSON"),
    "not JSON": (b"{", "not JSON"),
    "not UTF-8": (b"\xff\xfe", "not JSON"),
    "UTF-16": (WHOLE.encode("utf-16"), "not JSON"),
    "a list": (b"[]", "must be a JSON object"),
    "a string": (b'"event"', "must be a JSON object"),
    "null": (b"null", "must be a JSON object"),
    "deep lists": (b"[" * DEEP + b"]" * DEEP, "nested too deeply"),
    "deep objects": (b'{"a":' * DEEP + b"1" + b"}" * DEEP, "nested too deeply"),
    "a number of many digits": (WHOLE[:-1].encode() + b', "n": ' + b"9" * 5000 + b"}", "not JSON"),
}
"""Bodies that are no events, and what their refusal says."""

ATTRIBUTES: dict[str, tuple[Json, str]] = {
    "no id": ({"id": None}, "id is missing"),
    "an empty id": ({"id": ""}, "id is missing"),
    "no source": ({"source": None}, "source is missing"),
    "no type": ({"type": None}, "type is missing"),
    "no specversion": ({"specversion": None}, "specversion is missing"),
    "an older specversion": ({"specversion": "0.3"}, "specversion must be 1.0"),
    "a specversion that is a number": ({"specversion": 1.0}, "specversion must be a string"),
    "an id that is a number": ({"id": 7}, "id must be a string"),
    "an id that is an object": ({"id": {"a": 1}}, "id must be a string"),
    "an over-long id": ({"id": "x" * 513}, "at most 512 characters"),
    "an over-long source": ({"source": "/" * 513}, "at most 512 characters"),
    "a source of a case": ({"source": "/cases/some-case"}, "named by ourselves"),
    "a source of a schedule": ({"source": "/schedules/nightly"}, "named by ourselves"),
    "a source of a trigger": ({"source": "/triggers/mail"}, "named by ourselves"),
    "an over-long type": ({"type": "t" * 513}, "at most 512 characters"),
    "a time that is none": ({"time": "yesterday"}, "time must be an RFC 3339 timestamp"),
    "a time that is a number": ({"time": 1}, "time must be an RFC 3339 timestamp"),
    "a time without a zone": ({"time": "2026-11-20T12:00:00"}, "time is not as it must be"),
    "a time after the last": ({"time": "9999-12-31T24:00:00Z"}, "time must be an RFC 3339 timestamp"),
    "an empty subject": ({"subject": ""}, "subject is not as it must be"),
    "data that is no base64": ({"data": None, "data_base64": 5}, "data_base64"),
    "an extension with capitals": ({"Extension": "x"}, "the name of an extension"),
    "an extension named with NUL": ({"x\x00": "x"}, "NUL"),
    "an extension named with a surrogate": ({"\ud800": "x"}, "lone surrogates"),
    "NUL in the id": ({"id": "a\x00b"}, "NUL"),
    "NUL in the source": ({"source": "/a\x00b"}, "NUL"),
    "a lone surrogate in the id": ({"id": "a\ud800"}, "lone surrogates"),
    "NUL in the data": ({"data": {"order_id": "O-1\x00"}}, "NUL"),
    "NUL in a name in the data": ({"data": {"order\x00": "O-1"}}, "NUL"),
    "a lone surrogate in the data": ({"data": {"order_id": ["\udfff"]}}, "lone surrogates"),
    "data nested 200 deep": ({"data": json.loads("[" * 200 + "]" * 200)}, "more than 100 deep"),
    "data nested 900 deep": ({"data": json.loads("[" * 900 + "]" * 900)}, "more than 100 deep"),
}
"""What is put in place of an attribute (None takes it away), and what the refusal says."""

HEADERS: dict[str, tuple[Json, str]] = {
    "no id": ({"ce_id": None}, "id is missing"),
    "no source": ({"ce_source": None}, "source is missing"),
    "no type": ({"ce_type": None}, "type is missing"),
    "no specversion": ({"ce_specversion": None}, "specversion is missing"),
    "an older specversion": ({"ce_specversion": "0.3"}, "specversion must be 1.0"),
    "percent-encoded bytes that are no UTF-8": ({"ce_id": "%FF"}, "ce-id must be ASCII"),
    "bytes that are no ASCII": ({"ce_id": b"\xc3\xa9"}, "ce-id must be ASCII"),
    "percent-encoded NUL": ({"ce_id": "a%00"}, "NUL"),
    "a time that is none": ({"ce_time": "yesterday"}, "time must be an RFC 3339 timestamp"),
}
"""The same for the headers of binary mode."""

UNFIT: dict[str, tuple[Json, set[str]]] = {
    "no order": ({"order_id": None}, {"order_id"}),
    "an order that is a number": ({"order_id": 900001}, {"order_id"}),
    "an order in other words": ({"order_id": "order 900001"}, {"order_id"}),
    "no customer": ({"customer_id": None}, {"customer_id"}),
    "a customer in other words": ({"customer_id": "C-1; DROP"}, {"customer_id"}),
    "no ticket": ({"ticket_id": None}, {"ticket_id"}),
    "a ticket that is a list": ({"ticket_id": ["T-900001"]}, {"ticket_id"}),
    "no reason": ({"reason_code": None}, {"reason_code"}),
    "a reason in free text": ({"reason_code": "It is broken!"}, {"reason_code"}),
    "an amount without a currency": ({"amount_minor": 100}, {"data"}),
    "a currency without an amount": ({"currency": "EUR"}, {"data"}),
    "a negative amount": ({"amount_minor": -1, "currency": "EUR"}, {"amount_minor"}),
    "no amount at all": ({"amount_minor": 0, "currency": "EUR"}, {"amount_minor"}),
    "an amount that is a float": ({"amount_minor": 10.0, "currency": "EUR"}, {"amount_minor"}),
    "an amount that is text": ({"amount_minor": "100", "currency": "EUR"}, {"amount_minor"}),
    "an amount that is true": ({"amount_minor": True, "currency": "EUR"}, {"amount_minor"}),
    "an endless amount": ({"amount_minor": 10**13, "currency": "EUR"}, {"amount_minor"}),
    "an amount that is no number": ({"amount_minor": float("nan"), "currency": "EUR"}, {"amount_minor"}),
    "a currency that is none": ({"amount_minor": 100, "currency": "euro"}, {"currency"}),
    "a field too many": ({"approved": True}, {"approved"}),
}
"""What is put in place in the data, and the fields that the refusal names."""


async def test_bodies_that_are_no_events_are_malformed(door: Door, subtests: pytest.Subtests) -> None:
    for name, (body, said) in MALFORMED.items():
        with subtests.test(name):
            async with door.only_recorded("event.refused", by="service:shop") as told:
                response = await door.post(body)
            assert said in problem(response, 400, "event-malformed")["detail"]
            assert told[0]["data"]["reason"] == "malformed"


async def test_envelopes_that_miss_what_cloudevents_wants_are_malformed(
    door: Door, subtests: pytest.Subtests
) -> None:
    for name, (changes, said) in ATTRIBUTES.items():
        with subtests.test(name):
            async with door.only_recorded("event.refused", by="service:shop"):
                response = await door.send(_changed(envelope(SMALL), changes))
            assert said in problem(response, 400, "event-malformed")["detail"]


async def test_headers_that_miss_what_cloudevents_wants_are_malformed(
    door: Door, subtests: pytest.Subtests
) -> None:
    event = envelope(SMALL)
    whole = {f"ce_{name}": event[name] for name in ("specversion", "id", "source", "type")}
    for name, (changes, said) in HEADERS.items():
        with subtests.test(name):
            async with door.only_recorded("event.refused", by="service:shop"):
                response = await door.post(
                    json.dumps(event["data"]).encode(),
                    content_type="application/json",
                    **_changed(whole, changes),
                )
            assert said in problem(response, 400, "event-malformed")["detail"]


async def test_data_that_does_not_fit_is_refused_field_by_field(
    door: Door, subtests: pytest.Subtests
) -> None:
    for name, (changes, fields) in UNFIT.items():
        with subtests.test(name):
            event = envelope(SMALL)
            async with door.only_recorded("event.refused", by="service:shop") as told:
                response = await door.send(event | {"data": _changed(event["data"], changes)})
            body = problem(response, 422, "event-refused")
            assert body["reason"] == told[0]["data"]["reason"] == "data_unfit"
            assert {item["field"] for item in body["fields"]} == fields
            assert all(item["problem"] for item in body["fields"])


async def test_data_that_is_no_object_is_refused(door: Door, subtests: pytest.Subtests) -> None:
    nothing: list[object] = [None, [], "O-900001", 7]
    for data in nothing:
        with subtests.test(repr(data)):
            response = await door.send(envelope(SMALL) | {"data": data})
            assert problem(response, 422, "event-refused")["fields"][0]["field"] == "data"


async def test_base64_data_is_refused_as_no_object(door: Door) -> None:
    event = _changed(envelope(SMALL), {"data": None, "data_base64": "AAAA"})
    assert problem(await door.send(event), 422, "event-refused")["reason"] == "data_unfit"


async def test_a_type_that_starts_nothing_is_refused_with_those_that_do(door: Door) -> None:
    async with door.only_recorded("event.refused", by="service:shop") as told:
        response = await door.send(envelope(SMALL) | {"type": "com.example.other"})

    body = problem(response, 422, "event-refused")
    assert body["reason"] == "unknown_workflow"
    assert "com.countersign.refund.requested" in body["detail"]
    assert told[0]["data"] == {
        "reason": "unknown_workflow",
        "source": "/shop",
        "id": SMALL,
        "type": "com.example.other",
    }


async def test_an_order_of_another_customer_is_out_of_scope(door: Door) -> None:
    async with door.only_recorded("event.refused", by="service:shop"):
        response = await door.send(envelope(SMALL, order_id=CAST["clean_29_90_2"].order_id))

    body = problem(response, 422, "event-refused")
    assert body["reason"] == "out_of_scope"
    assert "order.customer_id" in body["detail"]


async def test_a_ticket_of_another_customer_is_out_of_scope(door: Door) -> None:
    async with door.only_recorded("event.refused", by="service:shop"):
        response = await door.send(envelope("strangers_ticket"))

    body = problem(response, 422, "event-refused")
    assert body["reason"] == "out_of_scope"
    assert "ticket.customer_id" in body["detail"]


async def test_records_that_are_not_there_are_named(door: Door, subtests: pytest.Subtests) -> None:
    unknown = {"order_id": "O-999999", "customer_id": "C-99999", "ticket_id": "T-999999"}
    for field, value in unknown.items():
        with subtests.test(field):
            async with door.only_recorded("event.refused", by="service:shop"):
                response = await door.send(envelope(SMALL, **{field: value}))

            body = problem(response, 422, "event-refused")
            assert body["reason"] == "record_not_found"
            assert value in body["detail"]


async def test_an_event_that_was_refused_may_come_again_mended(door: Door) -> None:
    await door.send(envelope(SMALL, order_id="O-999999"))
    assert (await door.send(envelope(SMALL))).status_code == 202


async def test_other_content_types_are_refused_with_those_that_are_read(
    door: Door, subtests: pytest.Subtests
) -> None:
    for kind in ("text/plain", "application/json", "application/cloudevents-batch+json", "", "x" * 5000):
        with subtests.test(kind):
            async with door.only_recorded("event.refused", by="service:shop"):
                response = await door.post(WHOLE.encode(), content_type=kind)
            detail = problem(response, 415, "wrong-content-type")["detail"]
            assert STRUCTURED in detail


async def test_nobody_without_a_valid_token_gets_as_far_as_the_event(
    door: Door, subtests: pytest.Subtests
) -> None:
    """Who they are is not known: of a token that is no good the record says only that one was tried."""
    good = door.tokens["shop"]
    wrong = {
        "no token": {},
        "a scheme alone": {"Authorization": "Bearer"},
        "a token of nobody": {"Authorization": f"Bearer {good}x"},
        "a token that has expired": {"Authorization": f"Bearer {door.tokens['eve']}"},
        "another scheme": {"Authorization": f"Basic {good}"},
        "no scheme": {"Authorization": good},
        "the token in a cookie": {"Cookie": f"token={good}"},
    }
    for name, headers in wrong.items():
        with subtests.test(name):
            tried = ["access.refused"] if name.startswith("a token") else []
            async with door.only_recorded(*tried, by="system:door"):
                response = await door.http.post("/events", content=b"not even JSON", headers=headers)
            assert "token" in problem(response, 401, "unauthenticated")["detail"]
            assert response.headers["www-authenticate"] == "Bearer"


async def test_a_token_in_the_address_is_no_token(door: Door) -> None:
    response = await door.http.get("/cases", params={"token": door.tokens["lee"]})
    problem(response, 401, "unauthenticated")


@pytest.mark.parametrize(("who", "actor"), [("reader", "service:reader"), ("mute", "service:mute")])
async def test_a_service_without_the_scope_is_denied_on_the_record(door: Door, who: str, actor: str) -> None:
    async with door.only_recorded("access.denied", by=actor) as told:
        response = await door.send(envelope(SMALL), who)

    problem(response, 403, "forbidden")
    assert told[0]["data"] == {"route": "receive_event"}


async def test_a_person_without_roles_is_denied_on_the_record(door: Door) -> None:
    async with door.only_recorded("access.denied", by="person:nora"):
        problem(await door.send(envelope(SMALL), "nora"), 403, "forbidden")


def _changed(whole: Json, changes: Json) -> dict[str, Any]:
    return {name: value for name, value in (whole | changes).items() if value is not None}
