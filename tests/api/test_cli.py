"""The command line, run as a user runs it, against an API that is up."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from graphs.settings import Settings
from tests.api.command import Done, Environment, countersign, started
from tests.api.door import Door, envelope
from tools.sandbox.cast import CAST

LEADS = "clean_120_00_1"
SMALL = "clean_29_90_1"
COMMANDS = (
    "up",
    "worker",
    "migrate",
    "event",
    "cases",
    "reviews",
    "decide",
    "verify",
    "demo",
    "people",
    "notices",
    "explain",
    "export",
    "new",
    "workflows",
    "log",
    "deploy",
)


@dataclass(frozen=True, slots=True)
class Terminal:
    """Somebody's terminal: the command with their token, and the door it knocks on."""

    door: Door
    env: Environment

    async def run(self, who: str, *arguments: str | Path, given: bytes | None = None) -> Done:
        token = {"COUNTERSIGN_TOKEN": self.door.tokens[who]}
        return await countersign(*arguments, env={**self.env, **token}, given=given)


@pytest.fixture
def terminal(door: Door, settings: Settings) -> Terminal:
    return Terminal(
        door, {"COUNTERSIGN_URL": str(door.http.base_url), "COUNTERSIGN_HOME": str(settings.home)}
    )


async def test_help_names_every_command_on_80_columns() -> None:
    shown = await countersign("--help", env={})
    assert shown.code == 0
    assert all(f" {name} " in shown.out for name in COMMANDS)
    assert max(len(line) for line in shown.out.splitlines()) <= 80

    bare = await countersign(env={})
    assert bare.code == 2
    assert "Usage: countersign" in bare.out + bare.err


async def test_an_event_is_sent_from_a_file_or_from_standard_input(
    terminal: Terminal, tmp_path: Path
) -> None:
    file = tmp_path / "event.json"
    file.write_text(json.dumps(envelope(SMALL)))

    first = await terminal.run("shop", "event", file)
    again = await terminal.run("shop", "event", "-", "--json", given=file.read_bytes())

    answer = json.loads(again.out)
    assert (first.code, again.code) == (0, 0)
    assert first.out == f"Case opened {answer['case_id']} (received)\n"
    assert answer == {"case_id": answer["case_id"], "status": "received", "new": False}


async def test_an_event_that_is_refused_says_which_fields_are_wrong(terminal: Terminal) -> None:
    event = json.dumps(envelope(SMALL, order_id="none", amount_minor=1))
    done = await terminal.run("shop", "event", "-", given=event.encode())

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("countersign: 422 ")
    assert "order_id" in done.err


async def test_what_is_no_event_is_left_to_the_api_to_refuse(
    terminal: Terminal, subtests: pytest.Subtests
) -> None:
    for given in (b"[]", b'{"id": "\\ud800"}', b"[" * 500 + b"]" * 500, b'{"data": NaN}'):
        with subtests.test(given[:20].decode()):
            done = await terminal.run("shop", "event", "-", given=given)
            assert done.code == 1
            assert done.complaint.startswith("countersign: 400 Bad Request: ")


async def test_what_cannot_be_sent_is_a_mistake_of_usage(
    terminal: Terminal, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    for given in (b"{", b"\xff", b"", b"[" * 100_000):
        with subtests.test(str(given[:10])):
            done = await terminal.run("shop", "event", "-", given=given)
            assert done.code == 2
            assert "is not JSON" in done.err
    missing = await terminal.run("shop", "event", tmp_path / "missing.json")
    assert missing.code == 1
    assert "No such file" in missing.complaint


async def test_cases_and_reviews_are_listed_for_people_and_for_machines(terminal: Terminal) -> None:
    assert (await terminal.run("lee", "cases")).out == "No cases.\n"
    assert (await terminal.run("lee", "reviews")).out == "Nothing waits for people.\n"
    review = await terminal.door.waiting(LEADS)
    closed = await terminal.door.opened(SMALL)
    await terminal.door.house.work()

    cases, machine = await terminal.run("lee", "cases"), await terminal.run("lee", "cases", "--json")
    assert max(len(line) for line in cases.out.splitlines()) <= 80
    for case in json.loads(machine.out):
        assert f"{case['id']}  {case['title']}  {case['status']}" in cases.out
    filtered = await terminal.run("lee", "cases", "--status", "closed", "--json")
    assert [case["id"] for case in json.loads(filtered.out)] == [closed]

    reviews = await terminal.run("lee", "reviews")
    listed = await terminal.run("lee", "reviews", "--json")
    assert max(len(line) for line in reviews.out.splitlines()) <= 80
    assert review["id"] in reviews.out
    assert "120.00 EUR" in reviews.out
    assert [item["digest"] for item in json.loads(listed.out)] == [review["digest"]]


async def test_a_decision_without_a_terminal_needs_the_digest_of_what_was_seen(terminal: Terminal) -> None:
    review = await terminal.door.waiting(LEADS)

    shown = await terminal.run("lee", "decide", review["id"], "approve", given=b"y\n")
    assert (shown.code, shown.out) == (2, "")
    assert "give --digest" in shown.err
    assert "payments.refund" in shown.err
    assert "You may decide this: as support_lead, up to 500.00 EUR" in shown.err.splitlines()
    assert f"Digest: {review['digest']}" in shown.err.splitlines()
    assert (await terminal.door.standing())["votes"] == 0

    decided = await terminal.run(
        "lee", "decide", review["id"], "approve", "--digest", review["digest"], "--json"
    )
    assert decided.code == 0
    assert json.loads(decided.out)["status"] == "approved"
    late = await terminal.run("max", "decide", review["id"], "approve", "--digest", review["digest"])
    assert (late.code, late.out) == (1, "")
    assert late.complaint == "countersign: 409 Conflict: already approved by person:lee"


async def test_on_a_terminal_a_decision_is_shown_and_asked_for(
    terminal: Terminal, subtests: pytest.Subtests
) -> None:
    review = await terminal.door.waiting(LEADS)
    for answer, code, said, votes in (("n", 1, "Aborted", 0), ("y", 0, "The review is approved.", 1)):
        with subtests.test(answer):
            keyboard, screen = os.openpty()
            os.write(keyboard, f"{answer}\n".encode())
            env = {**terminal.env, "COUNTERSIGN_TOKEN": terminal.door.tokens["lee"]}
            async with started("decide", review["id"], "approve", env=env, stdin=screen) as process:
                out, err = await process.communicate()
            os.close(keyboard)
            os.close(screen)
            assert process.returncode == code, err
            assert said in (out + err).decode()
            assert (await terminal.door.standing())["votes"] == votes


async def test_a_rejection_is_sent_with_its_comment(terminal: Terminal) -> None:
    review = await terminal.door.waiting(LEADS)
    digest = ("--digest", review["digest"])

    silent = await terminal.run("lee", "decide", review["id"], "reject", *digest)
    assert silent.code == 1
    assert "a rejection needs a comment" in silent.err
    done = await terminal.run("lee", "decide", review["id"], "reject", *digest, "--comment", "Not damaged.")
    assert (done.code, done.out) == (0, "The review is rejected.\n")
    shown = await terminal.door.get("lee", f"/reviews/{review['id']}")
    assert shown["votes"][0]["comment"] == "Not damaged."
    await terminal.door.house.work()
    assert await terminal.door.house.refunds(CAST[LEADS].order_id) == []


async def test_a_refusal_is_one_line_and_exit_code_1(terminal: Terminal, subtests: pytest.Subtests) -> None:
    review = await terminal.door.waiting(LEADS)
    approve = ("approve", "--digest", review["digest"])
    refusals = {
        "401 Unauthorized": await terminal.run("eve", "cases"),
        "403 Forbidden: Your token": await terminal.run("shop", "reviews"),
        "403 Forbidden: needs the role": await terminal.run("finn", "decide", review["id"], *approve),
        "404 Not Found": await terminal.run("lee", "decide", "nowhere", *approve),
        "412 Precondition Failed": await terminal.run(
            "lee", "decide", review["id"], "approve", "--digest", "abc"
        ),
    }
    for said, done in refusals.items():
        with subtests.test(said):
            assert (done.code, done.out) == (1, "")
            assert done.complaint.startswith(f"countersign: {said}")


async def test_a_mistake_of_usage_is_exit_code_2(subtests: pytest.Subtests) -> None:
    token = {"COUNTERSIGN_TOKEN": "x"}
    for arguments, said in (
        (("cases", "--token"), "--token"),
        (("nonsense",), "nonsense"),
        (("decide", "x", "maybe"), "maybe"),
        (("up", "--port", "99999"), "--port"),
        (("up", "--concurrency", "0"), "--concurrency"),
        (("people", "add", "maya"), "--role"),
        (("people", "add", "Maya!", "--role", "x"), "id: "),
        (("people", "add-service", "shop", "--scope", "all"), "scopes.0"),
        (("people", "add", "maya", "--role", "x", "--days", "0"), "--days"),
    ):
        with subtests.test(" ".join(arguments)):
            done = await countersign(*arguments, env=token)
            assert (done.code, done.out) == (2, "")
            assert said in done.err
    missing = await countersign("cases", env={})
    assert missing.code == 2
    assert "COUNTERSIGN_TOKEN" in missing.err


async def test_people_are_added_with_a_token_that_is_shown_once(
    door: Door, settings: Settings, terminal: Terminal
) -> None:
    added = await terminal.run("lee", "people", "add", "maya", "--role", "support_lead", "--name", "Maya")
    again = await terminal.run("lee", "people", "add", "maya", "--role", "finance")
    service = await terminal.run("lee", "people", "add-service", "market", "--scope", "cases:read")

    tokens = [done.out.strip().splitlines()[-1] for done in (added, again, service)]
    assert [token[:4] for token in tokens] == ["csp_", "csp_", "csk_"]
    file = settings.people_file.read_text()
    assert not any(token in file for token in tokens)
    first, second, third = ({"Authorization": f"Bearer {token}"} for token in tokens)
    assert (await door.http.get("/cases", headers=first)).status_code == 401
    assert (await door.http.get("/reviews", headers=second)).status_code == 200
    assert (await door.http.get("/reviews", headers=third)).status_code == 403


async def test_an_api_that_is_not_there_is_one_clear_line(subtests: pytest.Subtests) -> None:
    for url, said in (
        ("http://127.0.0.1:9", "nobody answers at http://127.0.0.1:9: start 'countersign up' first"),
        ("http://nowhere.invalid", "nobody answers at http://nowhere.invalid"),
        ("nonsense", "is no address"),
        ("http://[::1", "is no address"),
    ):
        with subtests.test(url):
            done = await countersign("cases", "--url", url, env={"COUNTERSIGN_TOKEN": "x"})
            assert (done.code, done.out) == (1, "")
            assert said in done.complaint
    for token in ("", "a b", "ü", "a\n"):
        with subtests.test(repr(token)):
            done = await countersign("cases", env={"COUNTERSIGN_TOKEN": token})
            assert "token" in done.err
            assert done.code in {1, 2}
