"""Tools from outside over HTTP and by command: listed, admitted as they were seen, and withdrawn."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from graphs.people import PERSON_PREFIX, PeopleFile, Person, new_token, read_people, write_people
from graphs.settings import Settings
from tests.api.command import countersign
from tests.api.door import Door, problem
from tests.fakes.mcp_server import RESERVE, ROOT, STOCK, Warehouse


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path)


@pytest.fixture
def settings(settings: Settings, warehouse: Warehouse, tmp_path: Path) -> Settings:
    server = {"command": warehouse.command, "folder": str(ROOT), "seconds": 60}
    (tmp_path / "tools.yaml").write_text(yaml.safe_dump({"servers": {"stock": server}}))
    return replace(settings, tools_file=tmp_path / "tools.yaml")


@pytest.fixture
def with_kim(door: Door, settings: Settings) -> Door:
    """The same door, known to somebody who admits tools too."""
    token, kept = new_token(PERSON_PREFIX, timedelta(days=1), door.clock.now)
    known: PeopleFile = read_people(settings.people_file)
    kim = Person(id="kim", name="Kim", roles=["rule_keeper"], tokens=[kept])
    write_people(settings.people_file, known.with_person(kim))
    return door.with_tokens({"kim": token})


async def test_a_tool_is_let_in_as_it_was_seen_and_looked_at_again_when_it_changes(
    with_kim: Door, warehouse: Warehouse
) -> None:
    stock, reserve = (await with_kim.get("lee", "/tools"))["items"]
    assert (stock["name"], stock["state"], stock["suggested"]) == ("stock.get_stock", "offered", "read")
    assert (reserve["suggested"], reserve["effect"]) == ("write", None)
    place, seen = "/tools/stock.get_stock/admission", {"digest": stock["digest"]}

    problem(await with_kim.ask("lee", "POST", place, json=seen), 403, "not-eligible")
    problem(await with_kim.ask("kim", "POST", place, json={"digest": "0" * 64}), 412, "stale-digest")
    admitted = await with_kim.ask("kim", "POST", place, json=seen)
    assert (admitted.status_code, admitted.json()["state"]) == (201, "admitted")
    assert admitted.json()["admitted_by"] == "person:kim"

    warehouse.offer(STOCK | {"description": "Other."}, RESERVE)
    changed = (await with_kim.get("lee", "/tools"))["items"][0]
    assert (changed["state"], changed["changes"]) == (
        "changed",
        [{"where": "/description", "before": STOCK["description"], "after": "Other."}],
    )
    problem(await with_kim.ask("kim", "POST", place, json=seen), 412, "stale-digest")

    assert (await with_kim.ask("kim", "DELETE", place)).json() == {"name": "stock.get_stock"}
    problem(await with_kim.ask("kim", "DELETE", place), 404, "tool-not-offered")
    problem(await with_kim.ask("lee", "DELETE", place), 403, "not-eligible")


@pytest.mark.parametrize(
    "body",
    [{}, {"digest": "x"}, {"digest": "0" * 64, "effect": "harmless"}, {"digest": "0" * 64, "more": 1}],
)
async def test_an_admission_that_does_not_fit_is_refused(with_kim: Door, body: dict[str, object]) -> None:
    response = await with_kim.ask("kim", "POST", "/tools/stock.get_stock/admission", json=body)

    assert response.status_code == 422, response.text


async def test_the_command_shows_what_is_let_in_and_what_has_changed(
    with_kim: Door, settings: Settings, warehouse: Warehouse
) -> None:
    warehouse.offer(STOCK | {"description": "How much.\u202e\x1b[2J"}, RESERVE)
    env = {
        "COUNTERSIGN_URL": str(with_kim.http.base_url),
        "COUNTERSIGN_HOME": str(settings.home),
        "COUNTERSIGN_TOKEN": with_kim.tokens["kim"],
    }

    shown = await countersign("tools", "admit", "stock.get_stock", "--yes", env=env)
    assert shown.code == 0, shown.err
    assert "How much.\\u202e\\u001b[2J" in shown.out
    assert shown.out.splitlines()[-1] == "stock.get_stock: admitted as read by person:kim"

    warehouse.offer(STOCK, RESERVE)
    listed = await countersign("tools", "list", env=env)
    assert listed.out.splitlines() == [
        "stock.get_stock: changed as read by person:kim",
        "stock.reserve_stock: offered, says it is: write",
    ]
    again = await countersign("tools", "admit", "stock.get_stock", "--as", "egress", "--yes", env=env)
    assert "    is:  How much of an article there is, and whose it is." in again.out
    assert again.out.splitlines()[-1] == "stock.get_stock: admitted as egress by person:kim"
    gone = await countersign("tools", "withdraw", "stock.get_stock", env=env)
    assert gone.out == "stock.get_stock is admitted no longer.\n"
