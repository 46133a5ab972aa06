"""A new workflow is the sample under another name, and runs as it is laid out."""

import importlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import graphs
from checkpoints.cases import Status
from graphs.catalogue import all_tables, find_kits
from graphs.intake import CloudEvent, Intake
from graphs.scaffold.layout import FolderUnfit, NameUnfit, lay_out
from graphs.settings import Settings
from graphs.wiring import open_parts
from tests.house import LEE, SHOP, House, ManualClock

ROOT = Path(__file__).parents[2]
ORDINARY = {"ticket_id": "T-900001", "customer_id": "C-90001"}
URGENT = {"ticket_id": "T-900051", "customer_id": "C-90051"}


def event(name: str, data: dict[str, str]) -> CloudEvent:
    return CloudEvent(id=data["ticket_id"], source="/shop", type=f"com.example.{name}.requested", data=data)


async def test_a_new_workflow_is_done_by_rule_or_waits_for_people(
    tmp_path: Path, settings: Settings, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    laid = lay_out("messages", tmp_path)
    assert (laid.package, laid.shipped, laid.importable) == ("messages", False, True)

    async with open_parts(replace(settings, workflows=("messages",)), clock=clock) as parts:
        house, intake = House(parts), Intake(parts)
        ordinary, _ = await intake.receive(event("messages", ORDINARY), SHOP)
        urgent, _ = await intake.receive(event("messages", URGENT), SHOP)
        await house.work()
        assert (await house.case(ordinary.id)).status is Status.CLOSED
        assert (await house.case(urgent.id)).status is Status.WAITING_REVIEW

        review = await house.review(urgent.id)
        assert review.rule == "SA-30"
        assert (await house.decided(review, LEE)).status is Status.CLOSED
        assert [one.tool for one in await house.effects(urgent.id)] == ["tickets.reply"]


def test_what_is_laid_out_beside_the_shipped_ones_is_found_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = tmp_path / "graphs"
    beside.mkdir()
    (beside / "__init__.py").touch()
    monkeypatch.setattr(graphs, "__path__", [*graphs.__path__, str(beside)])

    laid = lay_out("appeals", beside)

    assert (laid.package, laid.shipped, laid.importable) == ("graphs.appeals", True, True)
    kits = {kit.name: kit for kit in find_kits()}
    assert kits["appeals"].package == "graphs.appeals"
    assert [table.load().name for table in all_tables([kits["appeals"]])] == ["appeals letter"]
    assert set(kits["appeals"].workflow().agents) == {"appeals_reader"}


@pytest.mark.parametrize("name", ["qa", "customer_message_replies"])
def test_what_is_laid_out_is_clean_however_long_its_name(name: str, tmp_path: Path) -> None:
    laid = lay_out(name, tmp_path)

    assert laid.files == ("__init__.py", "graph.py", f"prompts/{name}_reader.md", "roles.yaml", "rules.yaml")
    assert "sample" not in "".join((laid.folder / file).read_text() for file in laid.files).lower()
    settings = ROOT / "pyproject.toml"
    for check in (["check"], ["format", "--check"]):
        command = [
            sys.executable,
            "-m",
            "ruff",
            *check,
            "--no-cache",
            "--config",
            str(settings),
            str(laid.folder),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_the_sample_itself_is_a_workflow_and_not_among_those_that_are_shipped() -> None:
    sample = importlib.import_module("graphs.scaffold.sample")

    assert sample.KIT.workflow().name == "sample"
    sample.graph().compile()
    assert "sample" not in {kit.name for kit in find_kits()}


UNFIT = ["", "a", "Refunds", "with-dash", "two words", "../up", "a1", "naïve", "_mine", "qa\n", "x" * 25]
TAKEN = ["class", "match", "sample", "refund"]


@pytest.mark.parametrize("name", UNFIT + TAKEN)
def test_a_name_that_cannot_be_a_workflows_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(NameUnfit):
        lay_out(name, tmp_path, ["refund"])

    assert list(tmp_path.iterdir()) == []


def test_nothing_that_is_there_is_touched(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "notes.py").touch()

    for name, into in (("letters", tmp_path), ("notes", tmp_path), ("letters", tmp_path / "nowhere")):
        with pytest.raises(FolderUnfit):
            lay_out(name, into)
    assert list((tmp_path / "letters").iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"letters", "notes.py"}


@pytest.mark.parametrize("name", ["json", "nodes", "langgraph"])
def test_a_package_that_would_hide_another_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(FolderUnfit, match=f"a package {name} already"):
        lay_out(name, tmp_path)
