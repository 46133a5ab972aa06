"""The API as people and services use it: whatever happens to it, they ask again until it answers."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import httpx

from tests.engine.orders import Order
from tests.engine.plant import SHOP, Plant

PATIENCE_SECONDS = 150
ASK_AGAIN_SECONDS = 0.2
NOT_NOW = frozenset({HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS})
STRUCTURED = "application/cloudevents+json"


@dataclass(frozen=True, slots=True)
class Front:
    """Asks the API.

    Attributes:
        surprises: by what was asked, answers that say that something went wrong inside: there must be none.
        asked_again: how often there was no answer, or one that says to come back later.
    """

    http: httpx.AsyncClient
    tokens: Mapping[str, str]
    surprises: Counter[str] = field(default_factory=Counter)
    asked_again: Counter[str] = field(default_factory=Counter)

    async def ask(self, who: str, method: str, path: str, **more: Any) -> httpx.Response:
        """The answer, however often it has to be asked for."""
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} | more.pop("headers", {})
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                try:
                    answer = await self.http.request(method, path, headers=headers, **more)
                except httpx.TransportError as error:
                    self.asked_again[type(error).__name__] += 1
                else:
                    if answer.status_code not in NOT_NOW:
                        if answer.is_server_error:
                            self.surprises[f"{method} {path}: {answer.status_code}"] += 1
                        return answer
                    self.asked_again[str(answer.status_code)] += 1
                await asyncio.sleep(ASK_AGAIN_SECONDS)

    async def open(self, order: Order) -> str:
        """The id of the case that an order's event opens, as it was confirmed."""
        content, headers = json.dumps(order.envelope), {"Content-Type": STRUCTURED}
        answer = await self.ask(SHOP, "POST", "/events", content=content, headers=headers)
        assert answer.is_success, answer.text
        return str(answer.json()["case_id"])

    async def reviews(self, who: str) -> list[dict[str, Any]]:
        """The oldest open reviews."""
        answer = await self.ask(who, "GET", "/reviews", params={"limit": 200, "sort": "oldest"})
        return list(answer.json()["items"]) if answer.is_success else []

    async def vote(self, who: str, review: Mapping[str, Any], kind: str) -> httpx.Response:
        """What somebody is answered who says this to a review."""
        body = {"kind": kind, "comment": "There is a reason."}
        headers = {"If-Match": f'"{review["digest"]}"'}
        return await self.ask(who, "POST", f"/reviews/{review['id']}/votes", json=body, headers=headers)


@asynccontextmanager
async def front(plant: Plant) -> AsyncIterator[Front]:
    """The front of a plant."""
    limits = httpx.Limits(max_connections=100)
    async with httpx.AsyncClient(base_url=plant.url, trust_env=False, timeout=60, limits=limits) as http:
        yield Front(http, plant.tokens)
