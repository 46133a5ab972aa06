"""Events come in once, by whichever way CloudEvents offers."""

import asyncio
import json

from tests.api.door import STRUCTURED, Door, envelope
from tests.house import refund_event
from tools.sandbox.cast import CAST

SMALL = "clean_29_90_1"


async def test_an_event_opens_a_case_and_says_where_it_is(door: Door) -> None:
    response = await door.send(envelope(SMALL))

    body = response.json()
    assert response.status_code == 202
    assert (body["status"], body["new"]) == ("received", True)
    assert response.headers["location"] == f"/cases/{body['case_id']}"
    case = await door.get("shop", response.headers["location"])
    assert (case["event_source"], case["event_id"]) == ("/shop", SMALL)
    assert case["event"]["order_id"] == CAST[SMALL].order_id
    assert case["opened_by"] == "service:shop"


async def test_the_same_event_again_is_the_same_case_with_200(door: Door) -> None:
    first = await door.send(envelope(SMALL))
    await door.house.work()
    again = await door.send(envelope(SMALL))
    await door.house.work()

    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json() == {"case_id": first.json()["case_id"], "status": "closed", "new": False}
    assert again.headers["location"] == first.headers["location"]
    assert len(await door.house.refunds(CAST[SMALL].order_id)) == 1


async def test_an_event_told_again_with_other_data_is_still_the_first_one(door: Door) -> None:
    await door.send(envelope(SMALL))
    again = await door.send(envelope(SMALL, order_id="O-900002", customer_id="C-90002", ticket_id="T-900002"))

    case = await door.get("shop", f"/cases/{again.json()['case_id']}")
    assert again.status_code == 200
    assert case["event"]["order_id"] == CAST[SMALL].order_id


async def test_twenty_times_at_once_is_one_case_one_job_and_one_refund(door: Door) -> None:
    answers = await asyncio.gather(*(door.send(envelope(SMALL)) for _ in range(20)))

    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [202]
    assert len({answer.json()["case_id"] for answer in answers}) == 1
    standing = await door.standing()
    assert (standing["cases"], standing["commands"], standing["jobs"]) == (1, 1, 1)
    await door.house.work()
    assert len(await door.house.refunds(CAST[SMALL].order_id)) == 1


async def test_events_of_two_sources_may_have_the_same_id(door: Door) -> None:
    one = await door.send(envelope(SMALL, "e-1") | {"source": "/shop"})
    other = await door.send(envelope("clean_29_90_2", "e-1") | {"source": "/market"})

    assert (one.status_code, other.status_code) == (202, 202)
    assert one.json()["case_id"] != other.json()["case_id"]


async def test_a_colon_in_a_source_does_not_make_two_events_one(door: Door) -> None:
    await door.send(envelope(SMALL, "a:b") | {"source": "/shop"})
    await door.send(envelope("clean_29_90_2", "b") | {"source": "/shop:a"})

    standing = await door.standing()
    assert (standing["cases"], standing["commands"], standing["jobs"]) == (2, 2, 2)


async def test_binary_mode_says_in_headers_what_structured_mode_says_in_the_body(door: Door) -> None:
    binary = await door.post(
        json.dumps(refund_event(SMALL).data).encode(),
        content_type="application/json; charset=utf-8",
        ce_specversion="1.0",
        ce_id=SMALL,
        ce_source="/shop",
        ce_type="com.countersign.refund.requested",
        ce_time="2026-11-20T12:00:00Z",
    )
    structured = await door.send(envelope(SMALL))

    assert (binary.status_code, structured.status_code) == (202, 200)
    assert binary.json()["case_id"] == structured.json()["case_id"]


async def test_percent_encoded_headers_are_decoded(door: Door) -> None:
    binary = await door.post(
        json.dumps(refund_event(SMALL).data).encode(),
        content_type="application/json",
        ce_specversion="1.0",
        ce_id="Gr%C3%B6%C3%9Fe%20100%25",
        ce_source="/shop/%E2%82%AC",
        ce_type="com.countersign.refund.requested",
    )

    case = await door.get("shop", binary.headers["location"])
    assert (case["event_id"], case["event_source"]) == ("Größe 100%", "/shop/€")
    again = await door.send(envelope(SMALL, "Größe 100%") | {"source": "/shop/€"})
    assert again.status_code == 200


async def test_the_content_type_decides_the_mode_whatever_headers_a_proxy_adds(door: Door) -> None:
    body = json.dumps(envelope(SMALL, "e-1")).encode()
    response = await door.post(body, content_type=STRUCTURED, ce_id="other", ce_traceparent="00-1")

    case = await door.get("shop", response.headers["location"])
    assert (response.status_code, case["event_id"]) == (202, "e-1")


async def test_content_types_are_read_in_any_case_and_with_parameters(door: Door) -> None:
    body = json.dumps(envelope(SMALL)).encode()
    response = await door.post(body, content_type="Application/CloudEvents+JSON; charset=UTF-8")
    assert response.status_code == 202

    binary = await door.post(
        json.dumps(refund_event(SMALL).data).encode(),
        content_type="Application/JSON",
        ce_specversion="1.0",
        ce_id=SMALL,
        ce_source="/shop",
        ce_type="com.countersign.refund.requested",
    )
    assert binary.status_code == 200, binary.text


async def test_optional_attributes_and_extensions_are_welcome(door: Door) -> None:
    more = {
        "time": "2026-11-20T12:00:00+01:00",
        "subject": "refund",
        "traceparent": "00-1",
        "dataschema": "/s",
    }
    assert (await door.send(envelope(SMALL) | more)).status_code == 202


async def test_a_person_may_open_a_case_too(door: Door) -> None:
    response = await door.send(envelope(SMALL), who="lee")

    case = await door.get("lee", response.headers["location"])
    assert case["opened_by"] == "person:lee"


async def test_an_id_of_512_characters_is_no_longer_than_allowed(door: Door) -> None:
    assert (await door.send(envelope(SMALL, "ü" * 512))).status_code == 202


async def test_an_amount_with_its_currency_is_refunded_in_part(door: Door) -> None:
    case_id = await door.opened(SMALL, amount_minor=1000, currency="EUR")
    await door.house.work()

    case = await door.get("shop", f"/cases/{case_id}")
    (refund,) = await door.house.refunds(CAST[SMALL].order_id)
    assert (case["status"], refund["amount_minor"]) == ("closed", 1000)
