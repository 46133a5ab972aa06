"""OpenAPI operations over real HTTP: chosen ones, as they were admitted, and what odd documents come to."""

import copy
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from nodes.marks import mark_of
from tests.fakes.billing_server import DOCUMENT, Billing, billing
from tools.contract import (
    Call,
    Effect,
    OutcomeUnknown,
    Record,
    RecordNotFound,
    Tool,
    ToolChanged,
    ToolNotReached,
    ToolRefused,
    ToolUnavailable,
    Trust,
)
from tools.outside.addresses import Destination
from tools.outside.definition import Definition, Unfit
from tools.outside.governed import Admitted, Settings, governed
from tools.outside.http import Guard
from tools.outside.openapi import OpenApi

CALL = Call(key="k-1")
CHOSEN = ("getBill", "payBill", "dropBill")


@pytest.fixture
async def server() -> AsyncIterator[Billing]:
    async with billing() as running:
        yield running


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "openapi.yaml"
    path.write_text(as_yaml(DOCUMENT))
    return path


def as_yaml(document: dict[str, Any]) -> str:
    """The document written out, with nothing that stands for something else."""
    return yaml.safe_dump(json.loads(json.dumps(document)))


def write(path: Path, text: str) -> None:
    path.write_text(text)


def remove(path: Path) -> None:
    path.unlink()


def api(document: Path, url: str, *chosen: str, private: bool = True, seconds: int = 20) -> OpenApi:
    return OpenApi(
        system="billing",
        document=document,
        operations=chosen or CHOSEN,
        guard=Guard.to(Destination.at(url, allow_private=private), most_bytes=10_000),
        timeout=timedelta(seconds=seconds),
        headers={"Authorization": "Bearer secret"},
    )


async def tools(of: OpenApi) -> dict[str, Tool]:
    found = [one for one in await of.offered() if isinstance(one, Definition)]
    made = [governed(of, Admitted(definition=one, effect=one.suggested), Settings()) for one in found]
    return {tool.name: tool for tool in made}


async def done(tool: Tool, **values: Any) -> Record:
    return await tool.perform(tool.arguments.model_validate(values), CALL)


async def why_not(document: Path, change: dict[str, Any], operation: str = "payBill") -> str:
    """Why an operation is not taken in once it, or its path, says this too."""
    changed = copy.deepcopy(DOCUMENT)
    place = "/bills/{bill}/payments" if operation == "payBill" else "/bills/{bill}"
    changed["paths"][place]["post" if operation == "payBill" else "get"] |= change
    write(document, as_yaml(changed))
    (one,) = await api(document, "https://billing.example/", operation).offered()
    assert isinstance(one, Unfit)
    return one.why


async def test_operations_are_called_as_they_are_described(document: Path, server: Billing) -> None:
    found = await tools(api(document, server.url))

    bill = await done(found["billing.get_bill"], bill="B/1 ü", fields=["id", "a&b"])
    assert bill.model_dump(mode="json") == {
        "id": "B-1",
        "total": "9.9",
        "payer": {"name": "Ada"},
        "note": None,
    }
    await done(found["billing.pay_bill"], bill="B-1", cents=5)

    first, second = server.asked
    assert (first["method"], first["path"]) == ("GET", "/v1/bills/B%2F1%20%C3%BC")
    assert (first["query"], first["token"]) == ("fields=id&fields=a%26b", "Bearer secret")
    assert (second["method"], second["path"], second["body"]) == (
        "POST",
        "/v1/bills/B-1/payments",
        {"cents": 5},
    )


async def test_the_method_speaks_first_and_everything_that_is_answered_is_untrusted(
    document: Path, server: Billing
) -> None:
    found = await tools(api(document, server.url))

    assert {name: tool.effect for name, tool in found.items()} == {
        "billing.get_bill": Effect.READ,
        "billing.pay_bill": Effect.WRITE,
        "billing.drop_bill": Effect.WRITE,
    }
    assert [tool.idempotent for tool in found.values()] == [True, False, True]
    result = found["billing.get_bill"].result
    assert {mark_of(result, name).trust for name in result.model_fields} == {Trust.UNTRUSTED}


async def test_an_operation_that_is_described_otherwise_is_not_called(
    document: Path, server: Billing
) -> None:
    found = await tools(api(document, server.url))
    changed = copy.deepcopy(DOCUMENT)
    changed["components"]["schemas"]["Payer"]["properties"]["iban"] = {"type": "string"}
    write(document, as_yaml(changed))

    with pytest.raises(ToolChanged):
        await done(found["billing.get_bill"], bill="B-1")
    await done(found["billing.pay_bill"], bill="B-1", cents=5)

    remove(document)
    with pytest.raises(ToolUnavailable):
        await done(found["billing.get_bill"], bill="B-1")
    with pytest.raises(ToolNotReached):
        await done(found["billing.pay_bill"], bill="B-1", cents=5)
    assert len(server.asked) == 1


@pytest.mark.parametrize("bill", ["", ".", ".."])
async def test_no_argument_leads_out_of_its_place_in_the_path(
    document: Path, server: Billing, bill: str
) -> None:
    found = await tools(api(document, server.url))
    with pytest.raises(ToolRefused):
        await done(found["billing.pay_bill"], bill=bill, cents=5)

    assert server.asked == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"bill": "B-1"},
        {"bill": "B-1", "cents": 0},
        {"bill": 1, "cents": 1},
        {"bill": "B", "cents": 1, "x": 1},
    ],
)
async def test_arguments_are_strict(document: Path, wrong: dict[str, Any]) -> None:
    found = await tools(api(document, "https://billing.example/"))
    with pytest.raises(ValidationError):
        found["billing.pay_bill"].arguments.model_validate(wrong)


@pytest.mark.parametrize(
    ("status", "of_a_read", "of_a_deed"),
    [
        (302, ToolUnavailable, OutcomeUnknown),
        (400, ToolUnavailable, ToolRefused),
        (403, ToolUnavailable, ToolRefused),
        (404, RecordNotFound, ToolRefused),
        (408, ToolUnavailable, OutcomeUnknown),
        (409, ToolUnavailable, ToolRefused),
        (500, ToolUnavailable, OutcomeUnknown),
        (503, ToolUnavailable, OutcomeUnknown),
    ],
)
async def test_a_status_says_whether_anything_has_happened(
    document: Path, server: Billing, status: int, of_a_read: type[Exception], of_a_deed: type[Exception]
) -> None:
    server.status, server.headers = status, {"Location": "https://169.254.169.254/"}
    found = await tools(api(document, server.url))
    with pytest.raises(of_a_read):
        await done(found["billing.get_bill"], bill="B-1")
    with pytest.raises(of_a_deed):
        await done(found["billing.pay_bill"], bill="B-1", cents=5)

    assert len(server.asked) == 2


@pytest.mark.parametrize("body", ["nonsense", "[]", '{"id": 1, "total": 1}', "{}", "x" * 10_001])
async def test_an_answer_that_is_not_what_was_described_is_none(
    document: Path, server: Billing, body: str
) -> None:
    server.body = body
    found = await tools(api(document, server.url))
    with pytest.raises(ToolUnavailable):
        await done(found["billing.get_bill"], bill="B-1")


async def test_of_a_deed_whose_answer_is_too_long_nobody_knows(document: Path, server: Billing) -> None:
    server.body = "x" * 10_001
    found = await tools(api(document, server.url))
    with pytest.raises(OutcomeUnknown):
        await done(found["billing.pay_bill"], bill="B-1", cents=5)


async def test_a_private_address_is_not_called_unless_that_is_said(document: Path, server: Billing) -> None:
    found = await tools(api(document, server.url, private=False))
    with pytest.raises(ToolUnavailable, match="this machine"):
        await done(found["billing.get_bill"], bill="B-1")
    with pytest.raises(ToolNotReached):
        await done(found["billing.pay_bill"], bill="B-1", cents=5)

    assert server.asked == []


PARAMETER = {"name": "q", "in": "query", "schema": {"type": "string"}}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"parameters": [PARAMETER | {"style": "deepObject"}]}, "a way that is not understood"),
        ({"parameters": [PARAMETER | {"explode": False}]}, "a way that is not understood"),
        ({"parameters": [PARAMETER | {"allowReserved": True}]}, "a way that is not understood"),
        ({"parameters": [PARAMETER | {"in": "header", "required": True}]}, "something in its header"),
        ({"parameters": [PARAMETER | {"in": "cookie", "required": True}]}, "something in its cookie"),
        ({"parameters": [PARAMETER | {"name": "cents"}]}, "two of its arguments"),
        ({"parameters": [PARAMETER | {"name": "bill"}]}, "two of its arguments"),
        ({"parameters": [PARAMETER | {"name": "other", "in": "path"}]}, "do not go together"),
        ({"parameters": [{"$ref": "https://evil.example/p.json"}]}, "outside of the document"),
        ({"parameters": [{"$ref": "#/components/parameters/None"}]}, "not there"),
        ({"parameters": {}}, "no list"),
        ({"requestBody": {"content": {"text/xml": {}}}}, "not there"),
        (
            {"requestBody": {"content": {"application/json": {"schema": {"type": "array"}}}}},
            "no plain",
        ),
        (
            {"requestBody": {"content": {"application/json": {"schema": {"type": "object", "oneOf": []}}}}},
            "no plain object",
        ),
        (
            {
                "requestBody": {
                    "content": {
                        "application/json": {"schema": {"type": "object", "additionalProperties": {}}}
                    }
                }
            },
            "names of its body's fields",
        ),
        ({"description": "x" * 5_000}, "description is longer"),
    ],
)
async def test_what_is_not_understood_is_not_taken_in(
    document: Path, change: dict[str, Any], why: str
) -> None:
    assert why in await why_not(document, change)


async def test_an_operation_that_is_not_there_or_twice_is_named(document: Path) -> None:
    doubled = copy.deepcopy(DOCUMENT)
    doubled["paths"]["/bills/{bill}"]["delete"]["operationId"] = "getBill"
    write(document, as_yaml(doubled))

    found = await api(document, "https://billing.example/", "getBill", "nothing").offered()

    assert [(one.remote, type(one)) for one in found] == [("getBill", Unfit), ("nothing", Unfit)]


@pytest.mark.parametrize(
    "text",
    [
        "nonsense: [",
        "a: &a [x]\nb: *a\nopenapi: 3.0.0",
        '{"swagger": "2.0"}',
        "- 1",
        "openapi: 3.1.0\nx: !!python/object/apply:os.system [id]",
        "x" * 5_000_001,
    ],
)
async def test_a_document_that_is_none_offers_nothing(document: Path, text: str) -> None:
    write(document, text)
    with pytest.raises(ToolUnavailable):
        await api(document, "https://billing.example/").offered()


async def test_a_document_in_json_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(DOCUMENT))

    assert len(await api(path, "https://billing.example/").offered()) == 3
