"""Envelopes: CloudEvents 1.0, read as strictly from a file as over HTTP."""

import json
import re
from typing import Any, NoReturn

from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.http import HTTPMessage, from_binary, from_structured
from cloudevents.core.exceptions import CloudEventValidationError
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent as Envelope

from graphs.intake import CloudEvent
from graphs.storable import MOST_NESTED, storable

STRUCTURED = "application/cloudevents+json"
LONGEST_ATTRIBUTE = 512
_CASE_ID = re.compile("[0-9A-Za-z-]{1,64}")
_OPTIONAL = {"time", "subject", "datacontenttype", "dataschema"}
_UNSTORABLE = f"the event holds NUL characters or lone surrogates, or is nested more than {MOST_NESTED} deep"


class EventMalformed(Exception):
    """This is no CloudEvents 1.0 event."""


def read_object(body: bytes, *, finite: bool = False) -> dict[str, Any]:
    """The JSON object that these bytes are, with `finite` also without NaN and Infinity.

    Raises:
        EventMalformed: they are none.
    """
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_no_number if finite else None)
    except ValueError as error:
        raise EventMalformed("the body is not JSON in UTF-8") from error
    except RecursionError as error:
        raise EventMalformed("the body is nested too deeply") from error
    if not isinstance(value, dict):
        raise EventMalformed("the body must be a JSON object")
    if not storable(value):
        raise EventMalformed(_UNSTORABLE)
    return value


def _no_number(name: str) -> NoReturn:
    """Python reads NaN and Infinity, which are not JSON."""
    raise ValueError(name)


def read_structured(body: bytes) -> CloudEvent:
    """The event whose whole envelope these bytes are; raises EventMalformed."""
    return read_message({"content-type": STRUCTURED}, body)


def read_message(headers: dict[str, str], body: bytes, *, binary: bool = False) -> CloudEvent:
    """The event of a message: the envelope is the body or, in a binary one, the headers.

    Raises:
        EventMalformed: it is none.
    """
    read_object(body)
    message = HTTPMessage(headers=headers, body=body)
    try:
        return _event((from_binary if binary else from_structured)(message, JSONFormat(), _envelope))
    except CloudEventValidationError as error:
        raise EventMalformed(f"not a CloudEvents 1.0 event: {_unfit(error)}") from error
    except (ValueError, TypeError, OverflowError) as error:
        raise EventMalformed("time must be an RFC 3339 timestamp, and data_base64 base64") from error


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
