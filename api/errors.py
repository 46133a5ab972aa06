"""Errors become problem documents (RFC 9457) in this one place, by one table."""

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from api.access import Forbidden, Unauthenticated
from api.bodies import LARGEST_BODY, WrongContentType
from api.connections import PATIENCE
from api.rates import TooManyRequests
from api.reviews import PreconditionMissing
from api.shapes import ProblemOut
from api.stream import TooManyStreams
from checkpoints.errors import (
    AlreadyVoted,
    CaseNotFound,
    DatabaseAway,
    DatabaseUnusable,
    DelegationNotFound,
    DeliveryNotDead,
    DeliveryNotFound,
    EventNotFound,
    ExceptionClosed,
    ExceptionNotFound,
    HaltNotFound,
    NotInTheTree,
    ReviewAlreadyDecided,
    ReviewNotFound,
    RuleTableNotFound,
    ScheduleNameTaken,
    ScheduleNotFound,
    SizeUnfit,
    StaleDigest,
    TreeDamaged,
    UnknownCursor,
)
from graphs.acts import NothingAbove, NotWaitingForInfo, TooMuchSaid
from graphs.admissions import ToolNotOffered, ToolUnfit
from graphs.batches import BatchNotFound, BatchTooLarge, NothingToRollBack
from graphs.closing import NotEligible, ReviewClaimed, ReviewExpired, ReviewParked, WorkflowNotInstalled
from graphs.decisions import NothingToOverride, NotInBulk, OverrideRequired
from graphs.edits import EditRefused, EditUnfit, TooManyEdits
from graphs.envelope import EventMalformed
from graphs.halting import HaltAlreadyReleased, HaltUnfit, NotAllowedToHalt
from graphs.lending import DelegationUnfit
from graphs.moving import NoSuchStep
from graphs.outcomes import EffectUnknown, TooManyOutcomes
from graphs.people import PeopleFileUnfit
from graphs.personal import CaseUnderWay, NotAllowedToErase, NotAllowedToSee
from graphs.record.decision_record import RecordUnfit
from graphs.rollbacks import NotAllowedToRollBack, NotAtRest, PlanStale
from graphs.rule_changes import DraftAlreadyDecided, DraftStale
from graphs.rulebook import VersionTaken
from graphs.standstills import CannotRetry, CaseMovedOn
from graphs.ticks import ScheduleUnfit
from graphs.waiting_room import NoRoom
from graphs.ways_out import DeedInDoubt, NotAnOwner, NotYoursToResolve
from graphs.withdrawals import NothingToWithdraw
from nodes.edits import PatchUnfit
from nodes.event import EventRefused
from nodes.strict_yaml import TableUnfit
from tools.contract import ToolError

STATUS: dict[type[Exception], HTTPStatus] = {
    UnknownCursor: HTTPStatus.BAD_REQUEST,
    EventMalformed: HTTPStatus.BAD_REQUEST,
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    NotEligible: HTTPStatus.FORBIDDEN,
    NotAllowedToSee: HTTPStatus.FORBIDDEN,
    NotAllowedToErase: HTTPStatus.FORBIDDEN,
    NotAllowedToRollBack: HTTPStatus.FORBIDDEN,
    NotAllowedToHalt: HTTPStatus.FORBIDDEN,
    HaltNotFound: HTTPStatus.NOT_FOUND,
    HaltAlreadyReleased: HTTPStatus.CONFLICT,
    HaltUnfit: HTTPStatus.UNPROCESSABLE_ENTITY,
    TooManyRequests: HTTPStatus.TOO_MANY_REQUESTS,
    TooManyStreams: HTTPStatus.TOO_MANY_REQUESTS,
    NoRoom: HTTPStatus.TOO_MANY_REQUESTS,
    CaseUnderWay: HTTPStatus.CONFLICT,
    NotAtRest: HTTPStatus.CONFLICT,
    PlanStale: HTTPStatus.CONFLICT,
    NothingToRollBack: HTTPStatus.CONFLICT,
    NothingToWithdraw: HTTPStatus.CONFLICT,
    BatchNotFound: HTTPStatus.NOT_FOUND,
    BatchTooLarge: HTTPStatus.UNPROCESSABLE_ENTITY,
    CaseNotFound: HTTPStatus.NOT_FOUND,
    ReviewNotFound: HTTPStatus.NOT_FOUND,
    ExceptionNotFound: HTTPStatus.NOT_FOUND,
    ExceptionClosed: HTTPStatus.CONFLICT,
    NotYoursToResolve: HTTPStatus.FORBIDDEN,
    CannotRetry: HTTPStatus.CONFLICT,
    DeedInDoubt: HTTPStatus.CONFLICT,
    CaseMovedOn: HTTPStatus.CONFLICT,
    NotAnOwner: HTTPStatus.UNPROCESSABLE_ENTITY,
    NoSuchStep: HTTPStatus.UNPROCESSABLE_ENTITY,
    RuleTableNotFound: HTTPStatus.NOT_FOUND,
    ScheduleNotFound: HTTPStatus.NOT_FOUND,
    ToolNotOffered: HTTPStatus.NOT_FOUND,
    ToolUnfit: HTTPStatus.UNPROCESSABLE_ENTITY,
    ScheduleNameTaken: HTTPStatus.CONFLICT,
    ScheduleUnfit: HTTPStatus.UNPROCESSABLE_ENTITY,
    VersionTaken: HTTPStatus.CONFLICT,
    DraftStale: HTTPStatus.CONFLICT,
    DraftAlreadyDecided: HTTPStatus.CONFLICT,
    ReviewAlreadyDecided: HTTPStatus.CONFLICT,
    AlreadyVoted: HTTPStatus.CONFLICT,
    DelegationNotFound: HTTPStatus.NOT_FOUND,
    ReviewClaimed: HTTPStatus.CONFLICT,
    ReviewParked: HTTPStatus.CONFLICT,
    WorkflowNotInstalled: HTTPStatus.CONFLICT,
    OverrideRequired: HTTPStatus.CONFLICT,
    NothingToOverride: HTTPStatus.CONFLICT,
    NothingAbove: HTTPStatus.CONFLICT,
    NotWaitingForInfo: HTTPStatus.CONFLICT,
    TooMuchSaid: HTTPStatus.CONFLICT,
    NotInBulk: HTTPStatus.CONFLICT,
    TooManyEdits: HTTPStatus.CONFLICT,
    DeliveryNotFound: HTTPStatus.NOT_FOUND,
    DeliveryNotDead: HTTPStatus.CONFLICT,
    EventNotFound: HTTPStatus.NOT_FOUND,
    NotInTheTree: HTTPStatus.CONFLICT,
    SizeUnfit: HTTPStatus.UNPROCESSABLE_ENTITY,
    TreeDamaged: HTTPStatus.SERVICE_UNAVAILABLE,
    ReviewExpired: HTTPStatus.GONE,
    StaleDigest: HTTPStatus.PRECONDITION_FAILED,
    WrongContentType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    EventRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    TableUnfit: HTTPStatus.UNPROCESSABLE_ENTITY,
    PatchUnfit: HTTPStatus.UNPROCESSABLE_ENTITY,
    EditUnfit: HTTPStatus.UNPROCESSABLE_ENTITY,
    EditRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    DelegationUnfit: HTTPStatus.UNPROCESSABLE_ENTITY,
    EffectUnknown: HTTPStatus.UNPROCESSABLE_ENTITY,
    TooManyOutcomes: HTTPStatus.CONFLICT,
    RecordUnfit: HTTPStatus.CONFLICT,
    PreconditionMissing: HTTPStatus.PRECONDITION_REQUIRED,
    DatabaseUnusable: HTTPStatus.SERVICE_UNAVAILABLE,
    PeopleFileUnfit: HTTPStatus.SERVICE_UNAVAILABLE,
    ToolError: HTTPStatus.SERVICE_UNAVAILABLE,
    DatabaseAway: HTTPStatus.SERVICE_UNAVAILABLE,
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    kind: {
        "description": description,
        "content": {"application/problem+json": {"schema": ProblemOut.model_json_schema()}},
    }
    for kind, description in (("4XX", "What is wrong with the request"), ("5XX", "What is wrong here"))
}
"""What the OpenAPI document says about errors."""
_QUIET = {
    PeopleFileUnfit: "nobody can be let in: the people file is unfit",
    DatabaseUnusable: "the database cannot be used",
    DatabaseAway: "the database does not answer; try again",
    ToolError: "a system that is needed does not answer; try again",
}
"""What callers are told where the message may name files, hosts or records; that goes to the log."""

MOST_FIELDS = 50
"""Faults that one answer names: a body can have more of them than anybody reads."""

logger = logging.getLogger(__name__)


def problem(
    status: HTTPStatus,
    kind: str,
    detail: str,
    *,
    reason: str | None = None,
    fields: list[dict[str, str]] | None = None,
) -> Response:
    """A problem document."""
    body = ProblemOut(
        type=f"urn:countersign:problem:{kind}",
        title=status.phrase,
        status=status.value,
        detail=detail,
        reason=reason,
        fields=fields,
    )
    headers = {"WWW-Authenticate": "Bearer"} if status is HTTPStatus.UNAUTHORIZED else None
    return JSONResponse(
        body.model_dump(exclude_none=True),
        status_code=status.value,
        media_type="application/problem+json",
        headers=headers,
    )


def body_too_large() -> Response:
    """The answer to a body over the limit."""
    detail = f"a body has at most {LARGEST_BODY} bytes"
    return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body-too-large", detail)


def body_too_late() -> Response:
    """The answer to a body that has not come in time; whatever else comes of it is not read."""
    detail = f"the body did not come within {PATIENCE.seconds} s; send it again"
    answer = problem(HTTPStatus.REQUEST_TIMEOUT, "body-too-late", detail)
    answer.headers["Connection"] = "close"
    return answer


def handle_errors(app: FastAPI) -> None:
    """Let every error of the table, and FastAPI's own, be answered with a problem document."""
    for error in STATUS:
        app.add_exception_handler(error, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _plain)
    app.add_exception_handler(Exception, _unforeseen)


async def _known(_request: Request, error: Exception) -> Response:
    kind = next(base for base in type(error).__mro__ if base in STATUS)
    if kind in _QUIET:
        said = type(error).__name__ if kind is ToolError else str(error)  # what a system says stays there
        logger.warning("%s: %s", _QUIET[kind], said)
    reason, fields = None, None
    if isinstance(error, EventRefused):
        reason, fields = error.reason, _fields([(item["field"], item["problem"]) for item in error.fields])
    if isinstance(error, EditUnfit):
        fields = _fields([(item["field"], item["problem"]) for item in error.fields])
    detail = _QUIET.get(kind) or str(error) or (kind.__doc__ or "").strip()
    answer = problem(STATUS[kind], _dashed(kind.__name__), detail, reason=reason, fields=fields)
    if isinstance(error, TooManyRequests | TooManyStreams | NoRoom):
        answer.headers["Retry-After"] = str(error.seconds)
    return answer


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    fields = _fields(
        [(".".join(map(str, item["loc"])), item["msg"]) for item in error.errors()[:MOST_FIELDS]]
    )
    detail = "the request does not fit"
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "request-unfit", detail, fields=fields)


async def _plain(request: Request, error: Exception) -> Response:
    """Starlette's own refusals, such as an address or a method that is not there."""
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    headers = error.headers or {}
    match status:
        case HTTPStatus.NOT_FOUND:
            detail = "there is nothing at this address; /openapi.json says what there is"
        case HTTPStatus.METHOD_NOT_ALLOWED:
            detail = f"this address takes {headers.get('Allow', 'other methods')}, not {request.method}"
        case _:
            detail = str(error.detail)
    response = problem(status, status.name.lower().replace("_", "-"), detail)
    response.headers.update(headers)
    return response


async def _unforeseen(_request: Request, _error: Exception) -> Response:
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "unforeseen", "this should not happen; it was logged")


def _fields(wrong: list[tuple[str, str]]) -> list[dict[str, str]] | None:
    return [{"field": name, "problem": said.removeprefix("Value error, ")} for name, said in wrong] or None


def _dashed(name: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).strip("-")
