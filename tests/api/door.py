"""The API as its callers use it: over HTTP, each with a token of their own."""

import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from tests.house import House, ManualClock, refund_event

Json = dict[str, Any]

STRUCTURED = "application/cloudevents+json"
PROBLEM = "application/problem+json"
SECRETS = (
    "Traceback",
    'File "',
    "psycopg",
    "sqlalchemy",
    "SELECT ",
    "INSERT ",
    str(Path(__file__).parents[2]),
)
"""What would give away what the process is made of."""

_STANDING = """
SELECT (SELECT count(*) FROM cases) AS cases, (SELECT count(*) FROM commands) AS commands,
       (SELECT count(*) FROM procrastinate_jobs) AS jobs, (SELECT count(*) FROM reviews) AS reviews,
       (SELECT count(*) FROM reviews WHERE status = 'open') AS open, (SELECT count(*) FROM votes) AS votes,
       (SELECT count(*) FROM grants) AS grants, (SELECT count(*) FROM effects) AS effects,
       (SELECT count(*) FROM checkpoints) AS checkpoints
"""


_TOLD_SINCE = """
SELECT * FROM audit_events WHERE seq > %s AND NOT kind = ANY(%s) ORDER BY seq
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Door:
    """The API on a socket, the tokens of those who use it, and the house behind it."""

    http: httpx.AsyncClient
    tokens: Mapping[str, str]
    house: House
    clock: ManualClock

    def with_tokens(self, more: Mapping[str, str]) -> "Door":
        """The same door, known to more people."""
        return replace(self, tokens={**self.tokens, **more})

    async def ask(self, who: str | None, method: str, path: str, **more: Any) -> httpx.Response:
        """A request by one of the people or services, or by nobody."""
        headers = dict(more.pop("headers", {}))
        if who is not None:
            headers["Authorization"] = f"Bearer {self.tokens[who]}"
        return await self.http.request(method, path, headers=headers, **more)

    async def get(self, who: str, path: str, **params: Any) -> Json:
        """What a GET answers, which must be 200."""
        response = await self.ask(who, "GET", path, params=params)
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def send(self, event: Any, who: str | None = "shop") -> httpx.Response:
        """Send an envelope in structured mode."""
        return await self.post(json.dumps(event).encode(), who)

    async def post(
        self, body: bytes, who: str | None = "shop", content_type: str = STRUCTURED, **headers: str | bytes
    ) -> httpx.Response:
        """Send these bytes as an event."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.ask(
            who, "POST", "/events", content=body, headers={"Content-Type": content_type} | named
        )

    async def opened(self, scene: str, who: str = "shop", **data: Any) -> str:
        """The id of the case that a scene's event opens."""
        response = await self.send(envelope(scene, **data), who)
        assert response.status_code == 202, response.text
        return str(response.json()["case_id"])

    async def waiting(self, scene: str, who: str = "shop") -> Json:
        """The open review that a scene's event comes to, as its first list entry says."""
        case_id = await self.opened(scene, who)
        await self.house.work()
        (review,) = (await self.get("lee", f"/cases/{case_id}"))["reviews"]
        return dict(review)

    async def vote(
        self, who: str | None, review: Json, kind: str = "approve", comment: str | None = None, **headers: str
    ) -> httpx.Response:
        """Vote on the digest that the review shows, unless `If_Match` says another."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        body = {"kind": kind, "comment": comment or ("No." if kind == "reject" else None)}
        return await self.ask(
            who,
            "POST",
            f"/reviews/{review['id']}/votes",
            json=body,
            headers={"If-Match": f'"{review["digest"]}"'} | named,
        )

    async def standing(self) -> Json:
        """How many rows there are of everything but the record."""
        (row,) = await self.house.rows(_STANDING)
        return row

    @asynccontextmanager
    async def only_recorded(self, *kinds: str, by: str) -> AsyncIterator[list[Json]]:
        """In this block nothing changes but the record, where exactly these events by this actor appear.

        Who comes in for the first time in an hour, and who sees a review, is on the record besides; tests of
        that ask for it.
        """
        before = await self.standing()
        (last,) = await self.house.rows("SELECT coalesce(max(seq), 0) AS seq FROM audit_events")
        told: list[Json] = []
        yield told
        assert await self.standing() == before
        besides = sorted({"access.signed_in", "review.viewed"} - set(kinds))
        told += await self.house.rows(_TOLD_SINCE, last["seq"], besides)
        assert [(event["kind"], event["actor"]) for event in told] == [(kind, by) for kind in kinds]


def envelope(scene: str, event_id: str | None = None, **data: Any) -> Json:
    """A scene's event as a CloudEvents envelope, with some of its data replaced."""
    event = refund_event(scene, event_id, **data)
    return {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "data": event.data,
    }


def problem(response: httpx.Response, status: int, kind: str) -> Json:
    """The problem document of an answer, which must be one, of this kind, and give nothing away."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == PROBLEM
    body: Json = response.json()
    assert (body["type"], body["status"]) == (f"urn:countersign:problem:{kind}", status)
    assert body["title"]
    assert body["detail"]
    given_away = [secret for secret in (*SECRETS, socket.gethostname()) if secret in response.text]
    assert given_away == []
    return body
