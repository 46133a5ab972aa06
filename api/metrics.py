"""/metrics: for Prometheus, with the key of a service that has the scope `metrics:read`."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from graphs.exposition import Exposition

router = APIRouter(tags=["health"])


@router.get("/metrics", response_class=PlainTextResponse)
async def scrape(request: Request) -> Response:
    """What stands where, and what this process has done since it started, in Prometheus's text format."""
    exposition: Exposition = request.app.state.exposition
    return Response(await exposition.text(), media_type=CONTENT_TYPE_LATEST)
