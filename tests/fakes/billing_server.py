"""An API as OpenAPI describes it, over real HTTP: it answers as it is told, and keeps what it was asked."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.serve import listening

BILL = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "total": {"type": "number"},
        "payer": {"$ref": "#/components/schemas/Payer"},
        "note": {"type": "string", "nullable": True},
    },
    "required": ["id", "total"],
}
THE_BILL = {"$ref": "#/components/schemas/Bill"}
WORD = {"type": "string"}
WORDS = {"type": "array", "items": WORD}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": "Billing", "version": "1"},
    "servers": [{"url": "https://evil.example/"}],
    "paths": {
        "/bills/{bill}": {
            "parameters": [{"$ref": "#/components/parameters/Bill"}],
            "get": {
                "operationId": "getBill",
                "summary": "A bill.",
                "parameters": [
                    {
                        "name": "fields",
                        "in": "query",
                        "schema": {"type": "array", "items": {"type": "string"}},
                    },
                    {"name": "X-Trace", "in": "header", "schema": {"type": "string"}},
                ],
                "responses": {
                    "200": {
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Bill"}}}
                    }
                },
            },
            "delete": {"operationId": "dropBill", "responses": {"204": {"description": "Gone."}}},
        },
        "/bills/{bill}/payments": {
            "parameters": [{"$ref": "#/components/parameters/Bill"}],
            "post": {
                "operationId": "payBill",
                "description": "Pay a bill.",
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "properties": {
                                    "cents": {"type": "integer", "minimum": 1},
                                    "memo": {"type": "string"},
                                },
                                "required": ["cents"],
                            }
                        }
                    },
                },
                "responses": {"201": {"description": "Paid."}},
            },
        },
    },
    "components": {
        "parameters": {
            "Bill": {"name": "bill", "in": "path", "required": True, "schema": {"type": "string"}}
        },
        "schemas": {
            "Bill": BILL,
            "Payer": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
        },
    },
}


@dataclass(slots=True)
class Billing:
    """A running API: where it is, what it was asked, and what it answers with."""

    url: str = ""
    status: int = 200
    body: str = '{"id": "B-1", "total": 9.9, "payer": {"name": "Ada"}, "secret": "x"}'
    headers: Mapping[str, str] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        body = await request.body()
        self.asked.append(
            {
                "method": request.method,
                "path": request.scope["raw_path"].decode(),
                "query": request.url.query,
                "token": request.headers.get("authorization"),
                "body": json.loads(body) if body else None,
            }
        )
        return Response(self.body, self.status, dict(self.headers), "application/json")


@asynccontextmanager
async def billing() -> AsyncIterator[Billing]:
    """The API on a free port of this machine."""
    running = Billing()
    app = Starlette(routes=[Route("/{path:path}", running.answer, methods=["GET", "POST", "DELETE"])])
    async with listening(app, host="127.0.0.1", port=0) as url:  # type: ignore[arg-type] # any ASGI application does
        running.url = f"{url}/v1"
        yield running
