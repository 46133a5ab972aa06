"""Reviews as the record tells them: what was shown to whom and when, and what they said to it."""

from collections.abc import Collection, Sequence
from datetime import datetime

from checkpoints.event import Event
from graphs.record.shapes import Act, ReviewRecord, Viewed, VoteRecord, named

ENDS = ("review.approved", "review.rejected", "review.expired", "review.superseded")
VOTES = ("vote.cast", "vote.override")
_ELSEWHERE = {"review.opened", "review.viewed", *VOTES, "vote.denied"}


def reviews_of(events: Sequence[Event], proposal: str, digests: Collection[str]) -> list[ReviewRecord]:
    """The reviews of a proposal, known by its id or by the digest of its action."""
    return [
        _review(events, event)
        for event in events
        if event.kind == "review.opened"
        and (event.data.get("proposal") == proposal or event.data.get("digest") in digests)
    ]


def _review(events: Sequence[Event], opened: Event) -> ReviewRecord:
    own = [event for event in events if event.data.get("review") == opened.data["review"]]
    views = [_viewed(event) for event in own if event.kind == "review.viewed"]
    end = next((event for event in own if event.kind in ENDS), None)
    told = named(opened.data, "digest", "shown", "ladder")
    return ReviewRecord(
        id=opened.data["review"],
        kind=opened.data.get("review_kind", "gate"),
        opened_at=opened.at,
        views=views,
        votes=[_vote(event, views) for event in own if event.kind in VOTES],
        acts=[_act(event) for event in own if event.kind.startswith("review.") and _is_act(event)],
        status="open" if end is None else end.kind.removeprefix("review."),
        ended_at=None if end is None else end.at,
        ended_by=None if end is None else end.actor,
        **told,
    )


def _is_act(event: Event) -> bool:
    return event.kind not in _ELSEWHERE


def _act(event: Event) -> Act:
    data = {name: value for name, value in event.data.items() if name != "review"}
    return Act(at=event.at, by=event.actor, kind=event.kind, data=data)


def _viewed(event: Event) -> Viewed:
    return Viewed(at=event.at, by=event.actor, **named(event.data, "version", "digest", "shown", "clear"))


def _vote(event: Event, views: Sequence[Viewed]) -> VoteRecord:
    names = ("humans", "on_behalf_of", "delegation", "role", "rung", "digest", "reason_code", "comment")
    return VoteRecord(
        id=event.data["vote"],
        at=event.at,
        kind=event.data["vote_kind"],
        person=event.actor,
        seconds_open=_seconds_open(event.actor, event.at, views),
        **named(event.data, *names, "patch", "changes"),
    )


def _seconds_open(person: str, at: datetime, views: Sequence[Viewed]) -> float | None:
    """From when somebody first saw a review to their vote on it; None if they never opened it before."""
    first = next((view.at for view in views if view.by == person and view.at <= at), None)
    return None if first is None else (at - first).total_seconds()
