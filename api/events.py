"""POST /events: CloudEvents 1.0 over HTTP, structured and binary."""

from urllib.parse import unquote

from fastapi import APIRouter, Request, Response, status

from api.access import Caller, TheParts
from api.bodies import WrongContentType
from api.shapes import Received
from graphs.envelope import STRUCTURED, EventMalformed, read_message
from graphs.intake import RESERVED, CloudEvent, Intake

router = APIRouter(tags=["events"])

BINARY = "application/json"


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
    event = read_message(_headers(request) | {"content-type": kind}, body, binary=binary)
    if event.source.startswith(RESERVED):
        raise EventMalformed(f"source: what begins with {' or '.join(RESERVED)} is named by ourselves")
    return event


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
