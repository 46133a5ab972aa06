"""The queue of reviews: searched, filtered, sorted, in pages that stay stable while reviews come and go."""

import base64
import binascii
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from psycopg.rows import dict_row
from sqlalchemy import ColumnElement, Row, Select, cast, false, func, or_, select, text, tuple_
from sqlalchemy.dialects.postgresql import ARRAY, TEXT

from checkpoints import schema
from checkpoints.database import Transaction
from checkpoints.derived import MARKS
from checkpoints.errors import UnknownCursor
from checkpoints.listed_reviews import AT_STAKE, LISTED, ListedReview, Stake
from checkpoints.pages import Page
from checkpoints.reviews import ReviewKind, ReviewStatus

T = TypeVar("T", ListedReview, Stake)


class Sort(StrEnum):
    """In which order reviews are listed."""

    NEWEST = "newest"
    OLDEST = "oldest"
    DUE = "due"
    AMOUNT = "amount"
    RISK = "risk"


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    """Which reviews are wanted; what is None does not matter.

    Attributes:
        search: words, or beginnings of words, of the title, the ids or the arguments, all of them.
        roles: somebody of one of these roles is asked now.
        claimed_by: in whose hands it is at the time `at`.
        free_for: at the time `at` nobody else has it in hand, it waits for nothing, and has not expired.
        amount_min: minor units, in whatever currency.
    """

    status: ReviewStatus | None = ReviewStatus.OPEN
    kind: ReviewKind | None = None
    search: str | None = None
    workflow: str | None = None
    risk: str | None = None
    rule: str | None = None
    roles: Sequence[str] | None = None
    claimed_by: str | None = None
    free_for: str | None = None
    at: datetime | None = None
    case_id: str | None = None
    amount_min: int | None = None
    amount_max: int | None = None
    due_before: datetime | None = None
    opened_before: datetime | None = None


_C = schema.reviews.c
_KEYS: dict[Sort, tuple[ColumnElement[Any], bool]] = {
    Sort.NEWEST: (_C.opened_at, True),
    Sort.OLDEST: (_C.opened_at, False),
    Sort.DUE: (_C.due_at, False),
    Sort.AMOUNT: (_C.amount_rank, True),
    Sort.RISK: (_C.risk_rank, True),
}
"""What each order sorts by, and whether it falls; each with `status` and `id` has an index."""
_LARGEST_KEY = 2**63 - 1
_BETWEEN = str.maketrans(dict.fromkeys(MARKS, " "))
_LONGEST = 200
LOOKED_THROUGH = 200
"""How many reviews a search looks through one by one before it asks its index."""
_COUNTS = """
SELECT risk, workflow, count(*) AS open, count(*) FILTER (WHERE due_at <= %(now)s) AS overdue,
       count(*) FILTER (WHERE paused_at IS NOT NULL) AS waiting_info,
       count(*) FILTER (WHERE claimed_until > %(now)s) AS claimed
FROM reviews WHERE status = 'open' GROUP BY risk, workflow ORDER BY risk, workflow
"""
_FOR_THESE_WORDS = text("SET LOCAL plan_cache_mode = force_custom_plan")


async def list_queue(
    tx: Transaction, wanted: Filter, *, sort: Sort, limit: int, after: str | None = None
) -> Page[ListedReview]:
    """A page of the reviews that are wanted; raises UnknownCursor."""
    rows = await _rows(tx, wanted, sort=sort, limit=limit + 1, after=after, columns=LISTED)
    return _page([ListedReview._make(row) for row in rows], limit, sort)


async def list_stakes(
    tx: Transaction, wanted: Filter, *, sort: Sort, limit: int, after: str | None = None
) -> Page[Stake]:
    """The same reviews, with no more of each than says who may sign it; raises UnknownCursor."""
    rows = await _rows(tx, wanted, sort=sort, limit=limit + 1, after=after, columns=AT_STAKE)
    return _page([Stake._make(row) for row in rows], limit, sort)


def queue_query(
    wanted: Filter,
    *,
    sort: Sort,
    limit: int,
    after: str | None,
    columns: Sequence[ColumnElement[Any]] = LISTED,
) -> Select[Any]:
    """The first reviews after the cursor, an index serving each order; raises UnknownCursor."""
    key, falls = _KEYS[sort]
    query = select(*columns).where(*_conditions(wanted))
    if after is not None:
        query = query.where(_beyond(key, falls=falls, cursor=_decode(after, sort)))
    return _ordered(query, key, _C.id, falls=falls).limit(limit)


def cursor_at(review: ListedReview | Stake, sort: Sort) -> str:
    """The cursor after which the list goes on behind this review."""
    values = {
        Sort.NEWEST: review.opened_at,
        Sort.OLDEST: review.opened_at,
        Sort.DUE: review.due_at,
        Sort.AMOUNT: -1 if review.amount_minor is None else review.amount_minor,
        Sort.RISK: {"high": 2, "medium": 1}.get(review.risk, 0),
    }
    return _encode(sort, values[sort], review.id)


async def count_queue(tx: Transaction, now: datetime) -> dict[str, Any]:
    """How many reviews are open, overdue, waiting for information and in hand; and by risk and workflow."""
    async with tx.driver.cursor(row_factory=dict_row) as cursor:
        rows = await (await cursor.execute(_COUNTS, {"now": now})).fetchall()
    counted: dict[str, Any] = {
        name: sum(row[name] for row in rows) for name in ("open", "overdue", "waiting_info", "claimed")
    }
    for name in ("risk", "workflow"):
        by: Counter[str] = Counter()
        for row in rows:
            by[row[name]] += row["open"]
        counted[f"by_{name}"] = dict(sorted(by.items()))
    return counted


async def _rows(
    tx: Transaction,
    wanted: Filter,
    *,
    sort: Sort,
    limit: int,
    after: str | None,
    columns: Sequence[ColumnElement[Any]],
) -> Sequence[Row[Any]]:
    """The rows of a page. What many reviews have is found among the next few; what few have, by the index.

    A search by the index is planned for its own words: a plan for any words reads all reviews for rare ones.
    """
    if wanted.search:
        if wanted.status is not None:
            near = _near_query(wanted, sort=sort, limit=limit, after=after, columns=columns)
            found: Sequence[Row[Any]] = (await tx.sql.execute(near)).all()
            if len(found) == limit:
                return found
        await tx.sql.execute(_FOR_THESE_WORDS)
    query = queue_query(wanted, sort=sort, limit=limit, after=after, columns=columns)
    rows: Sequence[Row[Any]] = (await tx.sql.execute(query)).all()
    return rows


def _near_query(
    wanted: Filter, *, sort: Sort, limit: int, after: str | None, columns: Sequence[ColumnElement[Any]]
) -> Select[Any]:
    """What a search finds among the next few in order, without its index."""
    key, falls = _KEYS[sort]
    needed = [*columns, _C.words.label("said"), key.label("place"), _C.id.label("tie")]
    all_of_them = replace(wanted, search=None)
    few = queue_query(all_of_them, sort=sort, limit=LOOKED_THROUGH, after=after, columns=needed).subquery()
    *shown, said, place, tie = few.c
    query = select(*shown).where(*_says(wanted.search or "", said))
    return _ordered(query, place, tie, falls=falls).limit(limit)


def _page(found: list[T], limit: int, sort: Sort) -> Page[T]:
    """The page made of `limit + 1` reviews: the one too many says that there is more."""
    items = found[:limit]
    return Page(items, cursor_at(items[-1], sort) if len(found) > limit else None)


def _conditions(wanted: Filter) -> list[ColumnElement[bool]]:
    equal = {
        _C.status: wanted.status,
        _C.kind: wanted.kind,
        _C.workflow: wanted.workflow,
        _C.risk: wanted.risk,
        _C.rule: wanted.rule,
        _C.claimed_by: wanted.claimed_by,
        _C.case_id: wanted.case_id,
    }
    found: list[ColumnElement[bool]] = [
        column == value for column, value in equal.items() if value is not None
    ]
    if wanted.roles is not None:
        found.append(_C.roles.bool_op("&&")(cast(list(wanted.roles), ARRAY(TEXT))))
    if wanted.amount_min is not None:
        found.append(_C.amount_minor >= wanted.amount_min)
    if wanted.amount_max is not None:
        found.append(_C.amount_minor <= wanted.amount_max)
    if wanted.due_before is not None:
        found.append(_C.due_at < wanted.due_before)
    if wanted.opened_before is not None:
        found.append(_C.opened_at < wanted.opened_before)
    return found + _in_hand(wanted) + _says(wanted.search or "", _C.words)


def _in_hand(wanted: Filter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.claimed_by is not None:
        found.append(_C.claimed_until > wanted.at)
    if wanted.free_for is not None:
        let_go = or_(_C.claimed_until.is_(None), _C.claimed_until <= wanted.at)
        found.append(or_(let_go, _C.claimed_by == wanted.free_for))
        found.append(_C.paused_at.is_(None))
        found.append(or_(_C.expires_at.is_(None), _C.expires_at > wanted.at))
    return found


def _says(search: str, said: ColumnElement[Any]) -> list[ColumnElement[bool]]:
    """Whether the review has words that begin like all of these; marks only part them, as in the index."""
    words = search.translate(_BETWEEN).split()
    if not words:
        return [false()] if search.strip() else []
    query = " & ".join(f"'{word[:_LONGEST]}':*" for word in words)
    return [said.bool_op("@@")(func.to_tsquery("simple", query))]


def _beyond(key: ColumnElement[Any], *, falls: bool, cursor: tuple[Any, str]) -> ColumnElement[bool]:
    """What comes after the cursor, said as one comparison of rows, which an index can begin at."""
    here, there = tuple_(key, _C.id), tuple_(*cursor)
    return here < there if falls else here > there


def _ordered(
    query: Select[Any], key: ColumnElement[Any], tie: ColumnElement[Any], *, falls: bool
) -> Select[Any]:
    return query.order_by(key.desc(), tie.desc()) if falls else query.order_by(key, tie)


def _encode(sort: Sort, value: Any, tie: str) -> str:
    written = value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
    return base64.urlsafe_b64encode(json.dumps([sort.value, written, tie]).encode()).decode().rstrip("=")


def _decode(cursor: str, sort: Sort) -> tuple[Any, str]:
    try:
        named, value, tie = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if sort in {Sort.NEWEST, Sort.OLDEST, Sort.DUE}:
            value = datetime.fromisoformat(value)
            fits = value.utcoffset() == timedelta(0)
        else:
            fits = type(value) is int and abs(value) <= _LARGEST_KEY
    except (binascii.Error, ValueError, TypeError) as error:
        raise UnknownCursor from error
    if named != sort or not fits or not isinstance(tie, str) or not tie.isascii() or "\x00" in tie:
        raise UnknownCursor
    return value, tie
