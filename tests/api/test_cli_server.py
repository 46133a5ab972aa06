"""`countersign up` and `countersign worker`: they say where they are, and end in good order."""

import asyncio
import json
import shutil
import signal
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from api.serve import listening
from graphs.settings import Settings
from tests.api.command import Environment, countersign, ended, said, started
from tests.api.conftest import make_people
from tests.api.door import STRUCTURED, envelope
from tests.engine.processes import until
from tests.house import House, ManualClock
from tools.sandbox.cast import CAST

SCENES = [f"clean_29_90_{turn}" for turn in range(1, 9)] + [f"clean_120_00_{turn}" for turn in range(1, 5)]
AT_REST = {"closed", "waiting_review", "rejected", "escalated"}


@pytest.fixture
def env(settings: Settings) -> Environment:
    return {
        "DATABASE_URL": settings.database_url or "",
        "COUNTERSIGN_SANDBOX_URL": settings.sandbox_url or "",
        "COUNTERSIGN_HOME": str(settings.home),
    }


@pytest.fixture
def now_tokens(settings: Settings) -> dict[str, str]:
    """The people file with tokens that are good by the real clock, which a process of its own goes by."""
    return make_people(settings.people_file, datetime.now(UTC))


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
async def test_what_is_under_way_at_a_signal_is_finished_or_handed_back(
    house: House, env: Environment, now_tokens: dict[str, str], by: signal.Signals
) -> None:
    async with started("up", "--port", "0", env=env) as process:
        lines = await said(process, "People file")
        url = lines[0].removeprefix("Countersign listens on ")
        await _send_all(url, now_tokens["shop"])
        done = await ended(process, by)

    assert (done.code, done.out, done.err) == (0, "", "")
    assert await house.rows("SELECT id FROM procrastinate_jobs WHERE status = 'doing'") == []
    assert (
        await house.rows(
            "SELECT id FROM commands c WHERE done_at IS NULL AND NOT EXISTS ("
            "SELECT FROM procrastinate_jobs j WHERE j.status = 'todo' AND j.args ->> 'command_id' = c.id)"
        )
        == []
    )
    await house.work()
    cases = await house.rows("SELECT status FROM cases")
    assert len(cases) == len(SCENES)
    assert {case["status"] for case in cases} <= AT_REST


async def test_up_takes_cases_from_event_to_effect(
    house: House, env: Environment, now_tokens: dict[str, str]
) -> None:
    async with started("up", "--port", "0", env=env) as process:
        url = (await said(process, "People file"))[0].removeprefix("Countersign listens on ")
        mine = {"COUNTERSIGN_URL": url, "COUNTERSIGN_TOKEN": now_tokens["shop"]}
        sent = await countersign("event", "-", env=mine, given=json.dumps(envelope("clean_29_90_1")).encode())
        assert sent.code == 0
        listed = ""
        while not any(status in listed for status in AT_REST):
            listed = (await countersign("cases", env=mine)).out
        assert (await ended(process, signal.SIGTERM)).code == 0


async def test_up_without_people_says_how_to_add_one(settings: Settings, env: Environment) -> None:
    settings.people_file.unlink()
    async with started("up", "--port", "0", env=env) as process:
        lines = await said(process, "countersign people add")
        assert lines[0].startswith("Countersign listens on http://127.0.0.1:")
        assert lines[1] == "Tracing is off."
        assert lines[2] == f"People file: {settings.people_file}"
        assert lines[3].startswith("Nobody can come in yet: ")
        done = await ended(process, signal.SIGINT)
    assert (done.code, done.err) == (0, "")


async def test_what_up_suggests_works_while_it_runs(settings: Settings, env: Environment) -> None:
    settings.people_file.unlink()
    async with started("up", "--port", "0", env=env) as process:
        lines = await said(process, "countersign people add")
        url = lines[0].removeprefix("Countersign listens on ")
        suggested = lines[-1].partition(": countersign ")[2].split()
        added = await countersign(*suggested, env=env)
        token = added.out.strip().splitlines()[-1]
        listed = await countersign("cases", env={"COUNTERSIGN_URL": url, "COUNTERSIGN_TOKEN": token})
        assert (listed.code, listed.out) == (0, "No cases.\n")
        assert (await ended(process, signal.SIGTERM)).code == 0


async def test_up_does_not_start_with_a_broken_people_file(settings: Settings, env: Environment) -> None:
    settings.people_file.write_text("people: [{id: lee}]")
    done = await countersign("up", "--port", "0", env=env)
    assert (done.code, done.out) == (1, "")
    assert done.complaint == f"countersign: {settings.people_file}: people.0.name: Field required"


async def test_an_address_that_is_taken_is_one_clear_line(env: Environment) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = await countersign("up", "--port", str(port), env=env)
    assert (done.code, done.out) == (1, "")
    assert done.complaint == f"countersign: cannot listen on 127.0.0.1:{port}: Address already in use"


async def test_an_address_of_another_machine_cannot_be_listened_on() -> None:
    with pytest.raises(OSError, match=r"^cannot listen on 203\.0\.113\.1:0: "):
        async with listening(FastAPI(), host="203.0.113.1", port=0):
            pass
    with pytest.raises(OSError, match=r"^cannot listen on nowhere\.invalid:0: "):
        async with listening(FastAPI(), host="nowhere.invalid", port=0):
            pass


async def test_a_worker_takes_jobs_until_a_signal(house: House, env: Environment, clock: ManualClock) -> None:
    clock.now = datetime.now(UTC)  # as the worker's, or the case would be older than a case may be
    await house.send("clean_29_90_1")
    async with started("worker", env=env) as process:
        await said(process, "The worker takes jobs.")
        await until(lambda: _at_rest(house), "the case is at rest")
        done = await ended(process, signal.SIGINT)
    assert (done.code, done.out, done.err) == (0, "", "")


@pytest.mark.parametrize(
    ("command", "last"), [(("up", "--port", "0"), "People file"), (("worker",), "takes jobs")]
)
async def test_start_up_says_where_traces_go_and_never_with_which_key(
    env: Environment, command: tuple[str, ...], last: str
) -> None:
    traced = {
        "LANGSMITH_TRACING": "true",
        "LANGSMITH_API_KEY": "lsv2_hidden",
        "LANGSMITH_ENDPOINT": "http://somebody:hidden@127.0.0.1:9/api/",
        "LANGSMITH_PROJECT": "refunds",
    }
    async with started(*command, env={**env, **traced}) as process:
        lines = await said(process, last)
        done = await ended(process, signal.SIGTERM)
    assert "Traces go to http://127.0.0.1:9/api, project refunds." in lines
    assert "hidden" not in "".join(lines)
    assert (done.code, done.out, done.err) == (0, "", "")


async def test_a_key_that_is_missing_is_said_at_start_up(env: Environment) -> None:
    async with started("worker", env={**env, "LANGSMITH_TRACING": "true"}) as process:
        lines = await said(process, "takes jobs")
        assert (await ended(process, signal.SIGTERM)).code == 0
    assert "Tracing is off: LANGSMITH_API_KEY is not set." in lines


async def test_a_variable_by_which_langchain_would_refuse_every_case_is_one_clear_line(
    env: Environment,
) -> None:
    done = await countersign("worker", env={**env, "LANGCHAIN_TRACING": "true"})
    assert (done.code, done.out) == (1, "")
    assert done.complaint.startswith("countersign: LANGCHAIN_TRACING is of an older LangChain: unset it")


async def test_a_signal_while_it_starts_leaves_no_traceback_and_no_server_behind(
    own_home: Path, subtests: pytest.Subtests
) -> None:
    """From its first line on; before that it is Python that is being imported."""
    for by in (signal.SIGINT, signal.SIGTERM):
        with subtests.test(by.name):
            async with started("up", "--port", "0", env={"COUNTERSIGN_HOME": str(own_home)}) as process:
                await until(lambda: _is_made(own_home), "the database is being made")
                done = await ended(process, by)
            assert (done.code, done.out) == (130, "")
            assert done.err == "countersign: stopped before it was done\n"
            assert _running(own_home) == []
            shutil.rmtree(own_home / "postgres")


async def _is_made(home: Path) -> bool:
    return _has_data(home)


def _has_data(home: Path) -> bool:
    return (home / "postgres").exists()


def _running(home: Path) -> list[Path]:
    return list(home.rglob("postmaster.pid"))


async def _at_rest(house: House) -> bool:
    return {case["status"] for case in await house.rows("SELECT status FROM cases")} <= AT_REST


async def _send_all(url: str, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": STRUCTURED}
    async with httpx.AsyncClient(base_url=url, trust_env=False, headers=headers, timeout=60) as http:
        for scene in SCENES:
            assert (await http.post("/events", json=envelope(scene))).status_code == 202


async def test_what_nobody_foresaw_is_logged_line_by_line_without_a_word_of_it(
    house: House, env: Environment, now_tokens: dict[str, str]
) -> None:
    async with started("api", "--port", "0", env=env) as process:
        lines = await said(process, "People file")
        url = lines[0].removeprefix("Countersign listens on ")
        await house.rows("ALTER TABLE cases RENAME COLUMN title TO heading")
        async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
            answer = await http.post(
                "/events",
                content=json.dumps(envelope("clean_29_90_1")),
                headers={"Content-Type": STRUCTURED, "Authorization": f"Bearer {now_tokens['shop']}"},
            )
        done = await ended(process, signal.SIGTERM)

    assert answer.status_code == httpx.codes.INTERNAL_SERVER_ERROR
    logged = [json.loads(line) for line in done.err.splitlines()]
    assert [line["level"] for line in logged] == ["error"]
    assert "UndefinedColumn" in str(logged[0]["error"])
    assert CAST["clean_29_90_1"].order_id not in done.err


async def test_what_ends_a_process_is_logged_in_the_same_way() -> None:
    code = "from api.logs import configure; configure(); raise RuntimeError('canary-4711')"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stderr=asyncio.subprocess.PIPE)
    _, err = await process.communicate()

    assert process.returncode == 1
    assert [one["type"] for one in json.loads(err)["error"]] == ["builtins.RuntimeError"]
    assert b"canary-4711" not in err
