"""Processes killed at crash points, a part of what `poe crash` kills; and that what goes wrong is seen."""

import asyncio
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from checkpoints.cases import Status
from tests.crash.__main__ import BEGIN, COLUMNS, DOCUMENT, END, WRONG, about
from tests.crash.forks import in_child
from tests.crash.points import Kind, Points
from tests.crash.scenarios import SCENARIOS
from tests.crash.verdict import Ending, differences, is_unknown

ROOT = Path(__file__).parents[2]
ONE, SILENT = SCENARIOS[0], SCENARIOS[-1]
USUAL = Ending(
    status="closed",
    reason=None,
    owner=None,
    effects=["payments.refund done", "tickets.reply done"],
    deeds={"refunds": 1, "ticket_replies": 1},
    told={"effect.done": 2, "case.closed": 1},
    reviews=["payments.refund approved"],
    broken=[],
)


async def test_a_case_killed_at_its_commits_calls_and_nodes_ends_as_if_nobody_had_been() -> None:
    """All such points from the decision to the end of a refund, and some of every other scenario."""
    words = ("--sample", "8", "--boundaries", "silent", "--lanes", "1")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.crash", *words, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()

    assert process.returncode == 0, said.decode()
    assert all(scenario.says in said.decode() for scenario in SCENARIOS)


@pytest.mark.parametrize(
    ("word", "changed"),
    [
        ("stuck", {"status": "failed", "reason": "worker_crashes"}),
        ("doubled", {"deeds": {"refunds": 2, "ticket_replies": 1}}),
        ("lost", {"deeds": {"refunds": 1}}),
        ("lost", {"effects": ["payments.refund done"]}),
        ("asked twice", {"reviews": ["payments.refund approved", "payments.refund open"]}),
        ("log", {"told": {"effect.done": 2}}),
        ("log", {"told": {"effect.done": 3, "case.closed": 1}}),
        ("hidden", {"broken": ["hidden: refunds has a deed"]}),
    ],
)
def test_what_differs_from_a_case_that_nobody_killed_is_told(word: str, changed: dict[str, Any]) -> None:
    told = [about(one) for one in differences(ONE, replace(USUAL, **changed), USUAL)]

    assert told
    assert {*told} == {word}
    assert {*told} <= {*WRONG}


def test_the_document_tells_of_every_scenario_and_of_nothing_wrong() -> None:
    table = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    head, _, *rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("|")]

    assert head == [*COLUMNS]
    assert [row[0] for row in rows] == [scenario.says for scenario in SCENARIOS]
    assert {cell for row in rows for cell in row[-len(WRONG) :]} == {"0"}


def test_a_case_that_ended_as_usual_differs_in_nothing() -> None:
    assert list(differences(ONE, USUAL, USUAL)) == []


def test_a_deed_of_which_nobody_can_tell_needs_an_owner_and_a_scenario_that_allows_it() -> None:
    unknown = replace(
        USUAL, status=Status.UNCERTAIN.value, owner="finance", effects=["payments.refund unknown"]
    )

    assert is_unknown(SILENT, unknown)
    assert not is_unknown(ONE, unknown)
    assert not is_unknown(SILENT, replace(unknown, owner=None))
    assert list(differences(SILENT, replace(unknown, owner=None), USUAL))


def test_points_between_which_nothing_is_sent_are_one_moment() -> None:
    points = Points(line=-1, kill_at=None, ours="ours")
    points.reach(Kind.NODE, "before", "judge")
    points.reach(Kind.CALL, "before", "orders.get")
    points._sent = True
    points.reach(Kind.CALL, "after", "orders.get")

    assert [[str(point) for point in moment] for moment in points.moments] == [
        ["before node: judge", "before call: orders.get"],
        ["after call: orders.get"],
    ]


def test_a_process_dies_hard_in_its_moment_and_says_where() -> None:
    def live(line: int) -> None:
        points = Points(line=line, kill_at=1, ours="ours")
        for node in ("judge", "gate", "refund"):
            points.reach(Kind.NODE, "before", node)
            points._sent = True

    child = in_child(live)

    assert child.killed_by == signal.SIGKILL
    assert b"gate" in child.wrote


def test_a_process_that_fails_otherwise_is_no_kill() -> None:
    def live(_: int) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(AssertionError, match="signal 15"):
        in_child(live)
