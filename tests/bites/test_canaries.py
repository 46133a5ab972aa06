"""Nothing sensitive leaks: what is planted in every source is found nowhere that it should not be."""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from api.logs import Lines
from api.serve import serving
from checkpoints.audit_export import export_log
from checkpoints.audit_tree import grow_tree
from checkpoints.cases import Status
from checkpoints.votes import VoteKind
from graphs.acts import Acts
from graphs.decisions import Ballot, Decisions
from graphs.settings import Settings
from graphs.wiring import Parts, open_parts
from nodes.model_brain import ModelBrain
from tests.api.conftest import make_people
from tests.api.door import Door
from tests.bites.planted import (
    BODY,
    COMMENT,
    CONFIGURED,
    EMAIL,
    EVERYTHING,
    FAILURE,
    FILE,
    MODEL_KEY,
    NAME,
    PERSONAL,
    SECRET,
    SUBJECT,
    Everywhere,
    Perform,
    parrot,
    plant,
    tables,
    with_tools,
)
from tests.fakes.openai_server import Request, chat_model, openai_server
from tests.house import LEE, SHOP, House, ManualClock
from tests.stories.reviewing import edited
from tools.contract import Call, OutcomeUnknown, Record, Tool, ToolRefused, ToolUnavailable

SMALL, LARGE = "clean_29_90_1", "clean_120_00_1"
WORDS = "vote.words"
EVERYWHERE = (
    *("/cases", "/reviews", "/reviews?status=approved", "/exceptions", "/notifications", "/rules"),
    *("/connectors", "/halts", "/schedules", "/triggers", "/tools", "/delegations", "/health/ready"),
)
"""Where the API tells something of more than one case."""
CHANNELS = """
public_url: https://countersign.example.com
attempts: 2
reminders_per_hour: 5
channels:
  - {name: mail, kind: smtp, host: 127.0.0.1, port: 9, tls: none, from: "countersign@example.com",
     username: countersign, password_env: CANARY_SECRET}
"""


@asynccontextmanager
async def planted(
    parts: Parts, settings: Settings, scene: str, **performs: Perform
) -> AsyncIterator[tuple[House, list[Request]]]:
    """The house with canaries in a scene's records and a model that repeats what it reads."""
    assert settings.sandbox_url is not None
    await plant(settings.sandbox_url, scene)
    named = {name.replace("_", "."): perform for name, perform in performs.items()}
    async with openai_server(parrot()) as server, chat_model(server, max_retries=0) as model:
        brain = ModelBrain(model, "openai:parrot")
        yield House(replace(with_tools(parts, named), brain=brain)), server.requests


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """What was logged, as it would have been written."""
    return "\n".join(map(Lines().format, caplog.records))


async def answers(house: House, settings: Settings, clock: ManualClock, case_id: str) -> dict[str, str]:
    """What the API tells somebody who has no right to personal data, of everything there is."""
    tokens = make_people(settings.people_file, clock.now)
    found: dict[str, str] = {}
    async with (
        serving(house.parts, host="127.0.0.1", port=0) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as http,
    ):
        door = Door(http=http, tokens=tokens, house=house, clock=clock)
        case = (await door.ask("kit", "GET", f"/cases/{case_id}")).json()
        paths = [f"/cases/{case_id}{rest}" for rest in ("", "/timeline", "/verdicts", "/record", "/dossier")]
        paths += [f"/reviews/{review['id']}" for review in case["reviews"]]
        paths += [f"/cases/{case_id}/rollbacks", "/audit/head", "/audit/verify", *EVERYWHERE]
        for who in ("kit", "reader"):
            for path in paths:
                found[f"{who} GET {path}"] = (await door.ask(who, "GET", path)).text
        found["gauge GET /metrics"] = (await door.ask("gauge", "GET", "/metrics")).text
        assert "countersign_cases" in found["gauge GET /metrics"]
        unmask = await door.ask("kit", "POST", f"/cases/{case_id}/unmask", json={"why": COMMENT})
        found["kit POST unmask"] = unmask.text
        assert unmask.status_code == 403
    return found


async def exported(house: House) -> str:
    """The whole log, as it is written for whoever verifies it elsewhere."""
    parts, lines = house.parts, bytearray()

    def write(line: bytes) -> int:
        lines.extend(line)
        return len(line)

    async with parts.database.connection() as connection:
        while await grow_tree(connection, parts.clock, parts.signer):
            pass
        await export_log(connection, parts.signer.key, write)
    return lines.decode()


async def require_nothing_leaked(house: House, caplog: pytest.LogCaptureFixture, **more: str) -> None:
    export = await exported(house)
    everywhere = Everywhere({**await tables(house), "lines": logged(caplog), "export": export, **more})
    assert {canary: found for canary in EVERYTHING if (found := everywhere.holding(canary))} == {}


async def sealed_fields(house: House, case_id: str) -> set[str]:
    return {
        row["field"]
        for row in await house.rows("SELECT field FROM sealed_values WHERE case_id = %s", case_id)
    }


async def test_what_a_model_repeats_is_in_no_checkpoint_no_row_and_no_answer(
    parts: Parts,
    settings: Settings,
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with planted(parts, settings, SMALL) as (house, _):
        case = await house.after(SMALL)
        assert case.status is Status.CLOSED
        await require_nothing_leaked(house, caplog, **await answers(house, settings, clock, case.id))

        assert {"agent.triage.summary", "agent.policy.reason", "tickets.reply.body"} <= await sealed_fields(
            house, case.id
        )


async def test_an_agent_is_given_what_its_role_lists_and_nothing_else(
    parts: Parts, settings: Settings
) -> None:
    async with planted(parts, settings, SMALL) as (house, requests):
        await house.after(SMALL)
        asked = {tool: [r for r in requests if tool in r.tools] for tool in ("Triage", "Assessment")}

    triage, policy = (json.dumps([r.body for r in asked[tool]]) for tool in ("Triage", "Assessment"))
    assert all(asked.values())
    assert [canary for canary in EVERYTHING if canary in triage] == [SUBJECT, BODY]
    assert [canary for canary in EVERYTHING if canary in policy] == []


async def test_what_people_write_is_in_no_row_and_no_answer(
    parts: Parts, settings: Settings, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with planted(parts, settings, LARGE) as (house, _):
        review = await house.review((await house.after(LARGE)).id)
        await Acts(house.parts).comment(review.id, COMMENT, LEE)
        await Acts(house.parts).ask_back(review.id, review.digest, f"{COMMENT}?", LEE)
        await Acts(house.parts).answer(review.id, f"{COMMENT}!", SHOP)
        ballot = Ballot(kind=VoteKind.REJECT, digest=review.digest, comment=COMMENT)
        await Decisions(house.parts).vote(review.id, ballot, LEE)
        await house.work()

        seen = await answers(house, settings, clock, review.case_id)
        await require_nothing_leaked(house, caplog, **seen)
        assert WORDS in await sealed_fields(house, review.case_id)


async def test_what_the_reviewer_is_shown_is_kept_apart_and_shown_to_them(
    parts: Parts, settings: Settings, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with planted(parts, settings, LARGE) as (house, _):
        review = await house.review((await house.after(LARGE)).id)
        await require_nothing_leaked(house, caplog)
        tokens = make_people(settings.people_file, clock.now)
        async with (
            serving(house.parts, host="127.0.0.1", port=0) as url,
            httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as http,
        ):
            door = Door(http=http, tokens=tokens, house=house, clock=clock)
            shown = json.dumps(await door.get("lee", f"/reviews/{review.id}"))

    assert [canary for canary in (NAME, SUBJECT, BODY) if canary not in shown] == []
    assert [canary for canary in (EMAIL, SECRET) if canary in shown] == []


async def test_edited_words_are_kept_apart(
    parts: Parts, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    async with planted(parts, settings, LARGE) as (house, _):
        review = await house.review((await house.after(LARGE)).id)
        await edited(house, review, LEE, amount_minor=8000)
        await require_nothing_leaked(house, caplog)


async def refuses(tool: Tool, arguments: Any, call: Call) -> Record:
    raise ToolRefused(FAILURE)


async def loses_the_answer(tool: Tool, arguments: Any, call: Call) -> Record:
    raise OutcomeUnknown(FAILURE)


async def is_away(tool: Tool, arguments: Any, call: Call) -> Record:
    raise ToolUnavailable(FAILURE)


async def breaks(tool: Tool, arguments: Any, call: Call) -> Record:
    raise RuntimeError(FAILURE)


async def breaks_within(tool: Tool, arguments: Any, call: Call) -> Record:
    try:
        return await breaks(tool, arguments, call)
    except RuntimeError as error:
        raise LookupError(FAILURE) from error


@pytest.mark.parametrize(
    ("tool", "perform", "status"),
    [
        ("payments_refund", refuses, Status.FAILED),
        ("payments_refund", loses_the_answer, Status.UNCERTAIN),
        ("payments_refund", breaks, Status.FAILED),
        ("fraud_signals", refuses, None),
        ("fraud_signals", is_away, Status.BLOCKED),
        ("fraud_signals", breaks_within, Status.FAILED),
    ],
)
async def test_what_a_failing_system_says_is_in_no_row_no_line_and_no_answer(
    parts: Parts,
    settings: Settings,
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
    *,
    tool: str,
    perform: Perform,
    status: Status | None,
) -> None:
    caplog.set_level(logging.DEBUG, logger="graphs")
    caplog.set_level(logging.DEBUG, logger="nodes")
    async with planted(parts, settings, SMALL) as (house, _):
        case = await house.send(SMALL)
        failing = House(with_tools(house.parts, {tool.replace("_", "."): perform}))
        await failing.work()
        ended = await house.case(case.id)
        assert status is None or ended.status is status
        await require_nothing_leaked(house, caplog, **await answers(house, settings, clock, case.id))


async def test_what_is_configured_is_in_no_row_and_no_line(
    settings: Settings,
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", MODEL_KEY)
    monkeypatch.setenv("CANARY_SECRET", CONFIGURED)
    people = settings.people_file.rename(settings.home / f"{FILE}.yaml")
    notify = settings.home / f"{FILE}-notify.yaml"
    notify.write_text(CHANNELS, encoding="utf-8")
    named = replace(settings, people_file=people, notify_file=notify)
    async with open_parts(named, clock=clock) as opened, planted(opened, named, LARGE) as (house, _):
        review = await house.review((await house.after(LARGE)).id)
        await house.decided(review, LEE)
        await require_nothing_leaked(house, caplog, **await answers(house, named, clock, review.case_id))


async def test_the_canaries_would_be_found(parts: Parts, settings: Settings) -> None:
    async with planted(parts, settings, SMALL) as (house, _):
        case = await house.after(SMALL)
        kept = await house.rows("SELECT value::text FROM sealed_values WHERE case_id = %s", case.id)
        told = Everywhere({"kept": "\n".join(row["value"] for row in kept)})

    assert [canary for canary in (SUBJECT, BODY) if told.holding(canary)] == [SUBJECT, BODY]
    assert set(PERSONAL) < set(EVERYTHING)
