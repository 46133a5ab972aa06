"""/metrics: what stands where and what was done, in words of our own and no others."""

from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.app import create_worker_app
from api.serve import listening
from checkpoints.effects import EffectState
from checkpoints.embedded import EmbeddedPostgres
from graphs.exposition import GOOD_FOR
from graphs.meter import Known, Meter
from graphs.reason_words import word_of
from graphs.settings import Settings
from nodes.agent import AgentUncertain
from tests.api.door import Door, envelope, problem
from tests.api.outage import closed
from tools.contract import OutcomeUnknown, ToolError, ToolRefused, ToolUnavailable

SMALL, LARGE, FRAUD = "clean_29_90_1", "clean_120_00_1", "fraud_customer"
HOSTILE = (
    """UPDATE cases SET workflow = E'x"} 1\\nevil_total{a="b', status = 'received'
       WHERE status = 'waiting_review'""",
    """UPDATE reviews SET workflow = E'x"} 1\\nevil_total{a="b'""",
    """UPDATE exceptions SET reason = E'x"} 1\\nevil_total{a="b: source_'""",
)
MENDED = (
    "UPDATE cases SET workflow = 'refund', status = 'waiting_review' WHERE status = 'received'",
    "UPDATE reviews SET workflow = 'refund'",
    "UPDATE exceptions SET reason = 'fraud_signal'",
)

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scraped(door: Door) -> Samples:
    """Every sample, once what an earlier scrape has read is not good any more."""
    door.clock.advance(GOOD_FOR)
    response = await door.ask("gauge", "GET", "/metrics")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/plain; version=")
    return samples(response.text)


def samples(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(found: Samples, name: str, **labels: str) -> float | None:
    return found.get((f"countersign_{name}", frozenset(labels.items())))


def labels_of(found: Samples) -> set[str]:
    return {word for _, labels in found for _, word in labels}


async def test_a_scrape_says_what_stands_where(door: Door) -> None:
    for scene in (SMALL, LARGE, FRAUD):
        await door.opened(scene)
    await door.house.work()
    await door.opened("clean_29_90_2")

    found = await scraped(door)

    assert value(found, "database_up") == 1
    assert value(found, "cases", workflow="refund", status="waiting_review") == 1
    assert value(found, "cases", workflow="refund", status="escalated") == 1
    assert value(found, "cases", workflow="refund", status="received") == 1
    assert value(found, "cases", workflow="refund", status="closed") is None
    assert value(found, "reviews_open", workflow="refund") == 1
    assert value(found, "exceptions", reason="fraud_signal") == 1
    assert value(found, "commands_waiting") == 1
    assert value(found, "command_oldest_seconds") == GOOD_FOR.total_seconds()
    assert value(found, "workers_alive") == 0
    assert (value(found, "audit_pending") or 0) > 0
    assert value(found, "audit_lag_seconds") == GOOD_FOR.total_seconds()
    assert {value(found, "effects", state=state) for state in EffectState} == {0}
    assert value(found, "notices", state="dead") == 0


async def test_a_review_that_is_late_is_overdue_and_a_worker_with_a_heart_is_alive(door: Door) -> None:
    await door.opened(LARGE)
    await door.house.work()
    assert value(await scraped(door), "reviews_overdue", workflow="refund") is None

    await door.house.rows("INSERT INTO procrastinate_workers DEFAULT VALUES")
    await door.house.rows(
        "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '5 minutes')"
    )
    door.clock.advance(timedelta(days=3))
    found = await scraped(door)
    assert value(found, "reviews_overdue", workflow="refund") == 1
    assert value(found, "workers_alive") == 1


async def test_a_deed_in_doubt_is_seen(door: Door) -> None:
    case_id = await door.opened(SMALL)
    await door.house.work()
    before = await door.house.rows("SELECT state, status FROM effects e JOIN cases c ON c.id = e.case_id")
    await door.house.tamper("UPDATE effects SET state = 'unknown'", "UPDATE cases SET status = 'uncertain'")
    found = await scraped(door)
    await door.house.tamper("UPDATE effects SET state = 'done'", "UPDATE cases SET status = 'closed'")

    assert {(row["state"], row["status"]) for row in before} == {("done", "closed")}, case_id
    assert (value(found, "effects_unknown") or 0) >= 1
    assert value(found, "effects", state="unknown") == value(found, "effects_unknown")


async def test_a_scrape_says_what_this_process_has_done(door: Door) -> None:
    case_id = await door.opened(SMALL)
    await door.house.work()
    await door.get("lee", f"/cases/{case_id}")
    problem(await door.ask("lee", "GET", "/cases/nobody"), 404, "case-not-found")
    problem(await door.ask(None, "GET", "/cases"), 401, "unauthenticated")

    found = await scraped(door)

    assert value(found, "requests_total", method="POST", route="/events", status="202") == 1
    assert value(found, "requests_total", method="GET", route="/cases/{case_id}", status="200") == 1
    assert value(found, "requests_total", method="GET", route="/cases/{case_id}", status="404") == 1
    assert value(found, "requests_total", method="GET", route="/cases", status="401") == 1
    assert value(found, "request_seconds_count", route="/events") == 1
    assert value(found, "segment_seconds_count", workflow="refund", outcome="ended") == 1
    assert value(found, "connector_call_seconds_count", tool="payments.refund", outcome="done") == 1
    answered = [labels for name, labels in found if name == "countersign_agent_answers_total"]
    assert {dict(labels)["outcome"] for labels in answered} == {"answered"}
    assert not [name for name, _ in found if name == "countersign_model_calls_total"]  # a playbook makes none


async def test_nothing_that_comes_from_outside_is_a_label(door: Door) -> None:
    case_id = await door.opened(LARGE)
    fraud = await door.opened(FRAUD)
    await door.house.work()
    for path in (f"/evil-{case_id}", f"/cases/{case_id}/evil", "/cases/evil%0Aevil_total"):
        await door.ask("lee", "GET", path)
    await door.http.request("EVIL", "/cases")
    await door.send({**envelope(SMALL), "type": "com.evil", "source": "/evil"})
    await door.house.tamper(*HOSTILE)
    found = await scraped(door)
    await door.house.tamper(*MENDED)

    assert value(found, "cases", workflow="other", status="received") == 1
    assert value(found, "reviews_open", workflow="other") == 1
    assert value(found, "exceptions", reason="other") == 1
    assert value(found, "requests_total", method="other", route="other", status="405") == 1
    everything = " ".join([*labels_of(found), *(name for name, _ in found)])
    for theirs in ("evil", "EVIL", case_id, fraud):
        assert theirs not in everything


def test_a_reason_is_a_label_only_if_we_have_words_for_it() -> None:
    assert word_of("fraud_signal") == "fraud_signal"
    assert word_of("limit_steps: 60") == "limit"
    assert word_of("source_of_all_evil") == "source"
    assert word_of("my_iban_is_DE02") is None


async def test_a_look_at_the_database_serves_whoever_asks_for_a_while(door: Door) -> None:
    assert value(await scraped(door), "commands_waiting") == 0
    await door.opened(SMALL)

    again = samples((await door.ask("gauge", "GET", "/metrics")).text)
    later = await scraped(door)

    assert value(again, "commands_waiting") == 0
    assert value(later, "commands_waiting") == 1
    assert value(again, "requests_total", method="POST", route="/events", status="202") == 1
    await door.house.work()


async def test_a_scrape_without_a_database_says_so_and_what_the_process_knows(
    door: Door, settings: Settings, postgres: EmbeddedPostgres
) -> None:
    await scraped(door)
    async with closed(postgres, settings):
        found = await scraped(door)
    assert value(found, "database_up") == 0
    assert value(found, "commands_waiting") is None
    assert value(found, "requests_total", method="GET", route="/metrics", status="200") == 1


async def test_a_worker_tells_the_same_on_a_port_of_its_own_and_nothing_else(door: Door) -> None:
    await door.opened(SMALL)
    await door.house.work()
    app = create_worker_app(door.house.parts)
    async with (
        listening(app, host="127.0.0.1", port=0) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as http,
    ):
        here = replace(door, http=http)
        found = await scraped(here)
        assert (await http.get("/health/ready")).status_code == 200
        problem(await http.get("/metrics"), 401, "unauthenticated")
        assert (await here.ask("lee", "GET", "/cases")).status_code == 404
    assert value(found, "segment_seconds_count", workflow="refund", outcome="ended") == 1


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ToolRefused("no"), "refused"),
        (OutcomeUnknown("?"), "unknown"),
        (ToolUnavailable("away"), "unavailable"),
        (ToolError("odd"), "failed"),
        (KeyError("odd"), "broken_off"),
    ],
)
def test_a_call_that_fails_is_counted_by_what_it_came_to(error: Exception, outcome: str) -> None:
    meter = Meter(Known(tools=frozenset({"shop.buy"})))
    with pytest.raises(type(error)), meter.call("shop.buy"):
        raise error
    with meter.call("evil.tool"):
        pass

    assert _calls(meter, "shop.buy", outcome) == 1
    assert _calls(meter, "other", "done") == 1


def test_what_a_model_spends_is_counted_by_agent() -> None:
    meter = Meter(Known(agents=frozenset({"triage"})))
    failed = AgentUncertain("model_timeout", "late")
    failed.usage = {"model_calls": 2, "input_tokens": 10, "output_tokens": 3}
    meter.answered("triage", "uncertain", failed.usage)
    meter.answered("evil", "answered", {})

    get = meter.registry.get_sample_value
    assert get("countersign_model_calls_total", {"agent": "triage"}) == 2
    assert get("countersign_model_tokens_total", {"agent": "triage", "direction": "input"}) == 10
    assert get("countersign_agent_answers_total", {"agent": "other", "outcome": "answered"}) == 1


def _calls(meter: Meter, tool: str, outcome: str) -> float | None:
    return meter.registry.get_sample_value(
        "countersign_connector_call_seconds_count", {"tool": tool, "outcome": outcome}
    )
