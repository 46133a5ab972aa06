"""POST /events: CloudEvents 1.0 over HTTP, structured and binary."""

import json
import re
from typing import Any
from urllib.parse import unquote

from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.http import HTTPMessage, from_binary, from_structured
from cloudevents.core.exceptions import CloudEventValidationError
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent as Envelope
from fastapi import APIRouter, Request, Response, status

from api.access import Caller, TheParts
from api.bodies import MOST_NESTED, WrongContentType, storable
from api.shapes import Received
from graphs.intake import CloudEvent, Intake

router = APIRouter(tags=["events"])

STRUCTURED = "application/cloudevents+json"
BINARY = "application/json"
LONGEST_ATTRIBUTE = 512
_CASE_ID = re.compile("[0-9A-Za-z-]{1,64}")
_OPTIONAL = {"time", "subject", "datacontenttype", "dataschema"}
_UNSTORABLE = f"the event holds NUL characters or lone surrogates, or is nested more than {MOST_NESTED} deep"


class EventMalformed(Exception):
    """The request is no CloudEvents 1.0 event."""


@router.post(
    "/events",
    status_code=status.HTTP_202_ACCEPTED,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {STRUCTURED: {"schema": {"type": "object"}}, BINARY: {"schema": {"type": "object"}}},
        }
    },
)
async def receive_event(request: Request, response: Response, parts: TheParts, caller: Caller) -> Received:
    """Start the case of an event, or tell the case in its subject that there is news outside.

    The same `(source, id)` again is the same event, with status 200.
    """
    intake = Intake(parts)
    try:
        event = _read(request, await request.body())
    except (EventMalformed, WrongContentType) as malformed:
        await intake.note_malformed(caller, str(malformed))
        raise
    case, new = await intake.receive(event, caller)
    if not new:
        response.status_code = status.HTTP_200_OK
    response.headers["Location"] = f"/cases/{case.id}"
    return Received(case_id=case.id, status=case.status, new=new)


def _read(request: Request, body: bytes) -> CloudEvent:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    binary = kind == BINARY and any(name.startswith("ce-") for name in request.headers)
    if not binary and kind != STRUCTURED:
        raise WrongContentType(
            f"send {STRUCTURED}, or {BINARY} with ce-* headers; not {kind[:100] or 'nothing'}"
        )
    _require_object(body)
    message = HTTPMessage(headers=_headers(request) | {"content-type": kind}, body=body)
    try:
        return _event((from_binary if binary else from_structured)(message, JSONFormat(), _envelope))
    except CloudEventValidationError as error:
        raise EventMalformed(f"not a CloudEvents 1.0 event: {_unfit(error)}") from error
    except (ValueError, TypeError, OverflowError) as error:
        raise EventMalformed("time must be an RFC 3339 timestamp, and data_base64 base64") from error


def _require_object(body: bytes) -> None:
    try:
        value = json.loads(body.decode("utf-8"))
    except ValueError as error:
        raise EventMalformed("the body is not JSON in UTF-8") from error
    except RecursionError as error:
        raise EventMalformed("the body is nested too deeply") from error
    if not isinstance(value, dict):
        raise EventMalformed("the body must be a JSON object")
    if not storable(value):
        raise EventMalformed(_UNSTORABLE)


def _headers(request: Request) -> dict[str, str]:
    """The headers; of ce-* the library replaces what it cannot decode, which makes different ids equal."""
    headers = dict(request.headers)
    for name, value in headers.items():
        if name.startswith("ce-") and not _decodable(value):
            raise EventMalformed(f"{name} must be ASCII, with other characters percent-encoded UTF-8")
    return headers


def _decodable(value: str) -> bool:
    try:
        unquote(value, errors="strict")
    except UnicodeDecodeError:
        return False
    return value.isascii()


def _envelope(attributes: dict[str, Any], data: Any) -> BaseCloudEvent:
    """The library invents what is missing; an event without an id of its own could not be told twice."""
    for name in ("specversion", "id", "source", "type"):
        value = attributes.get(name)
        if not value:
            raise EventMalformed(f"not a CloudEvents 1.0 event: {name} is missing")
        if not isinstance(value, str) or len(value) > LONGEST_ATTRIBUTE:
            raise EventMalformed(f"{name} must be a string of at most {LONGEST_ATTRIBUTE} characters")
    if attributes["specversion"] != "1.0":
        raise EventMalformed("not a CloudEvents 1.0 event: specversion must be 1.0")
    if not storable(attributes):
        raise EventMalformed(_UNSTORABLE)
    return Envelope(attributes, data)


def _event(envelope: BaseCloudEvent) -> CloudEvent:
    return CloudEvent(
        id=envelope.get_id(),
        source=envelope.get_source(),
        type=envelope.get_type(),
        data=envelope.get_data(),
        parent=_parent(envelope.get_extension("parent")),
        subject=envelope.get_subject(),
    )


def _parent(named: object) -> str | None:
    """The case that sends the event, an extension of the envelope."""
    if named is None:
        return None
    if not isinstance(named, str) or not _CASE_ID.fullmatch(named):
        raise EventMalformed("parent must be the id of a case")
    return named


def _unfit(error: CloudEventValidationError) -> str:
    """Which attributes are wrong; those with a name of the sender's own making are not repeated."""
    wrong = {name if name in _OPTIONAL else "the name of an extension" for name in error.errors}
    return f"{' and '.join(sorted(wrong))} is not as it must be"
