"""What the API's reads take while 200 cases wait: at the client, HTTP included, and at the server."""

import statistics
import time
from collections.abc import Mapping
from typing import NamedTuple

import httpx
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.table import Table

READS = 50
PATHS = (
    "/health/ready",
    "/cases",
    "/cases/{case}",
    "/cases/{case}/timeline",
    "/cases/{case}/verdicts",
    "/cases/{case}/record",
    "/cases/{case}/dossier",
    "/reviews",
    "/reviews?q=refund",
    "/reviews?mine=true",
    "/reviews/counts",
    "/reviews/{review}",
    "/exceptions",
    "/rules",
    "/audit/head",
    "/audit/proofs/inclusion?event={event}",
    "/audit/proofs/consistency?from=100",
    "/metrics",
)
"""Every kind of read, with as much as it gives unless more is asked for: of lists, 50."""
_SECONDS = "countersign_request_seconds"


class Took(NamedTuple):
    """Milliseconds of a read: the median at the client, and the mean until the server's first byte."""

    client: float
    server: float


async def measure(
    lead: httpx.AsyncClient, gauge: httpx.AsyncClient, ids: Mapping[str, str]
) -> dict[str, Took]:
    """Each read many times over; `ids` are of a case that has ended, an open review and an event."""
    found = {}
    for path in PATHS:
        caller = gauge if path == "/metrics" else lead
        before = await _answered(gauge)
        client = statistics.median([await _once(caller, path.format(**ids)) for _ in range(READS)])
        found[path] = Took(client, _mean(before, await _answered(gauge)))
    return found


def show(found: Mapping[str, Took]) -> None:
    table = Table(title="Reads, in milliseconds", title_justify="left")
    for name in ("read", "at the client", "at the server"):
        table.add_column(name, justify="left" if name == "read" else "right")
    for path, took in found.items():
        table.add_row(f"GET {path}", f"{took.client:.1f}", f"{took.server:.1f}")
    Console(width=100).print(table)


async def _once(caller: httpx.AsyncClient, path: str) -> float:
    began = time.perf_counter()
    answer = await caller.get(path)
    assert answer.status_code == 200, (path, answer.text)
    return (time.perf_counter() - began) * 1000


async def _answered(gauge: httpx.AsyncClient) -> dict[str, tuple[float, float]]:
    """By route, how many requests the server has answered, and in how many seconds."""
    counts, seconds = {}, {}
    for family in text_string_to_metric_families((await gauge.get("/metrics")).text):
        for sample in family.samples:
            if sample.name == f"{_SECONDS}_count":
                counts[sample.labels["route"]] = sample.value
            if sample.name == f"{_SECONDS}_sum":
                seconds[sample.labels["route"]] = sample.value
    return {route: (counts[route], seconds[route]) for route in counts}


def _mean(before: Mapping[str, tuple[float, float]], after: Mapping[str, tuple[float, float]]) -> float:
    """Milliseconds a request of the route that was asked for most between the two."""
    grown = {
        route: (count - before.get(route, (0, 0))[0], seconds - before.get(route, (0, 0))[1])
        for route, (count, seconds) in after.items()
    }
    count, seconds = max(grown.values())
    return seconds / count * 1000
