"""`countersign new workflow` and `countersign workflows`, from an empty folder to a case that is closed."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from graphs.settings import Settings
from tests.api.command import Environment, countersign, said, started
from tests.api.conftest import make_people
from tests.api.door import STRUCTURED


@pytest.fixture
def tokens(settings: Settings) -> dict[str, str]:
    """Good by the real clock, which a process of its own goes by."""
    return make_people(settings.people_file, datetime.now(UTC))


@pytest.fixture
def env(settings: Settings) -> Environment:
    return {
        "DATABASE_URL": settings.database_url or "",
        "COUNTERSIGN_SANDBOX_URL": settings.sandbox_url or "",
        "COUNTERSIGN_HOME": str(settings.home),
    }


def exports(out: str) -> dict[str, str]:
    """What the command says to put into the environment."""
    return dict(re.findall(r"export ([A-Z_]+)=(\S+)", out))


def event_in(out: str) -> str:
    """The event that the command says to send."""
    return out[out.index("-d '") + 4 : out.index("}'") + 1]


async def test_a_new_workflow_goes_from_nothing_to_a_signed_letter_as_the_command_says(
    tmp_path: Path, env: Environment, tokens: dict[str, str]
) -> None:
    made = await countersign("new", "workflow", "complaints", "--into", tmp_path, env={})
    assert (made.code, made.err) == (0, "")
    said_so = exports(made.out)
    assert said_so == {"PYTHONPATH": str(tmp_path), "COUNTERSIGN_WORKFLOWS": "complaints"}

    linted = await countersign("rules", "lint", env=said_so)
    assert (linted.code, linted.err) == (0, "")
    assert "complaints/rules.yaml: 4 rows, version 1, nothing found" in linted.out.splitlines()

    async with started("up", "--port", "0", env={**env, **said_so}) as process:
        url = (await said(process, "People file"))[0].removeprefix("Countersign listens on ")
        case_id = await send(url, tokens["shop"], event_in(made.out))
        mine = {"COUNTERSIGN_URL": url, "COUNTERSIGN_TOKEN": tokens["lee"]}
        reviews: list[dict[str, str]] = []
        while not reviews:
            reviews = json.loads((await countersign("reviews", "--mine", "--json", env=mine)).out)
        review = reviews[0]
        vote = ("decide", review["id"], "approve", "--digest", review["digest"])
        assert (await countersign(*vote, env=mine)).out == "The review is approved.\n"
        listed = ""
        while "closed" not in listed:
            listed = (await countersign("cases", env=mine)).out
    assert case_id in listed


async def send(url: str, token: str, text: str) -> str:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": STRUCTURED}
    async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=30) as http:
        return str((await http.post("/events", content=text)).json()["case_id"])


@pytest.fixture
def untouched(tmp_path: Path) -> Iterator[Path]:
    """A folder that is as empty afterwards as it was."""
    yield tmp_path
    assert list(tmp_path.iterdir()) == []


async def test_what_cannot_be_laid_out_is_one_clear_line_and_nothing_is_written(untouched: Path) -> None:
    taken = await countersign("new", "workflow", "refund", "--into", untouched, env={})
    unfit = await countersign("new", "workflow", "Not-This", "--into", untouched, env={})
    nowhere = await countersign("new", "workflow", "claims", "--into", untouched / "nowhere", env={})

    assert (taken.code, unfit.code, nowhere.code) == (1, 1, 1)
    assert taken.complaint == "countersign: there is a workflow refund already"
    assert "lower-case letters and underscores" in unfit.complaint
    assert "is no folder" in nowhere.complaint


async def test_workflows_are_listed_with_what_starts_them_and_what_they_may_do() -> None:
    shown = await countersign("workflows", env={})
    told = json.loads((await countersign("workflows", "--json", env={})).out)

    assert max(len(line) for line in shown.out.splitlines()) <= 80
    assert "com.countersign.refund.requested" in shown.out
    assert "graphs/refund/reply.yaml" in shown.out
    refund = next(one for one in told if one["name"] == "refund")
    assert refund["event_type"] == "com.countersign.refund.requested"
    assert refund["agents"] == ["fraud_analyst", "policy", "triage"]
    assert "tickets.get" in refund["reads"]
    assert dict(zip(refund["tools"], refund["tables"], strict=True))["tickets.reply"] == (
        "graphs/refund/reply.yaml"
    )


async def test_a_workflow_is_drawn_as_text_and_one_that_is_not_there_is_one_clear_line() -> None:
    drawn = await countersign("workflows", "refund", env={})
    missing = await countersign("workflows", "refunds", env={})
    unfit = await countersign("workflows", env={"COUNTERSIGN_WORKFLOWS": "no_such_package"})

    assert drawn.out.startswith("---\nconfig:")
    assert "\tretrieve(retrieve)" in drawn.out
    assert (missing.code, unfit.code) == (1, 1)
    assert "there is no workflow refunds; there are " in missing.complaint
    assert unfit.complaint == "countersign: no_such_package: there is no no_such_package to import"
