"""The demo: a whole Countersign on a Postgres of its own; it says so when something is off."""

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api import demo
from api.cli import app
from api.demo import play, refunds, tickets
from graphs.settings import Settings
from tests.api.command import countersign
from tools.sandbox.cast import CAST
from tools.sandbox.product_events.cast import TICKETS


@pytest.mark.alone
async def test_the_demo_ends_well_and_prints_what_was_really_refunded_and_answered(own_home: Path) -> None:
    done = await countersign("demo", env={"COUNTERSIGN_HOME": str(own_home)})

    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("Every case is where it should be.\n")
    assert "the log holds" in done.out
    paid = [line for line in done.out.splitlines() if line.startswith("│ R-")]
    wanted = {CAST[scene].order_id for scene, end in refunds.ENDS.items() if end == "closed"}
    assert {line.split()[3] for line in paid} == wanted
    assert len(paid) == len(wanted)
    answered = [line.split() for line in done.out.splitlines() if line.startswith("│ Y-")]
    assert {(line[3], line[7]) for line in answered} == {
        (TICKETS[scene].ticket_id, template) for scene, template in tickets.ANSWERED.items()
    }
    assert max(len(line) for line in done.out.splitlines() if "refused, as" not in line) <= 84


@pytest.mark.alone
async def test_the_demo_says_what_is_not_where_it_should_be(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two expectations that do not come true: one case is paid all the same, another one is not."""
    for scene, end in (("clean_29_90_1", "rejected"), ("usd", "closed")):
        monkeypatch.setitem(refunds.ENDS, scene, end)
    cases = {scene: replace(one, ends=refunds.ENDS[scene]) for scene, one in refunds.SCENARIO.cases.items()}
    monkeypatch.setattr(play, "SCENARIOS", (replace(refunds.SCENARIO, cases=cases),))
    settings = Settings(home=own_home, people_file=own_home / "people.yaml")

    faults = await demo.run_demo(settings, stay=False)

    order, usd = CAST["clean_29_90_1"].order_id, CAST["usd"].order_id
    assert faults == [
        f"order {order}: refunded [2990], not []",
        f"order {usd}: refunded [], not [3000]",
        "refund: clean_29_90_1 is closed, not rejected",
        "refund: usd is escalated, not closed",
    ]


@pytest.mark.alone
async def test_the_demo_says_which_ticket_was_not_answered_as_it_should_be(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(tickets.ANSWERED, "late", "order_status")
    monkeypatch.setitem(tickets.ANSWERED, "unclear", "order_status")
    monkeypatch.setattr(play, "SCENARIOS", (tickets.SCENARIO,))
    settings = Settings(home=own_home, people_file=own_home / "people.yaml")

    assert await demo.run_demo(settings, stay=False) == [
        f"ticket {TICKETS['late'].ticket_id}: answered with ['delivery_delay'], not ['order_status']",
        f"ticket {TICKETS['unclear'].ticket_id}: answered with [], not ['order_status']",
    ]


def test_the_command_ends_with_1_and_names_each_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run_badly(settings: Settings, *, stay: bool) -> list[str]:
        return ["usd is escalated, not closed", "order O-1: refunded [], not [1]"]

    monkeypatch.setattr(demo, "run_demo", run_badly)
    done = CliRunner().invoke(app, ["demo"])

    assert done.exit_code == 1
    assert done.stderr.splitlines() == [
        "not as it should be: usd is escalated, not closed",
        "not as it should be: order O-1: refunded [], not [1]",
    ]
    assert "where it should be." not in done.stdout
