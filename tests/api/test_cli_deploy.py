"""`countersign deploy`: the new version's command asks the database of the one that runs."""

import json

import pytest

from checkpoints.cases import Status
from graphs.settings import Settings
from tests.api.command import countersign
from tests.api.door import Door
from tests.house import House

LARGE = "clean_120_00_1"
FORGET = "UPDATE checkpoints SET checkpoint = replace(checkpoint::text, '{was}', '{now}')::jsonb"


@pytest.fixture
def env(settings: Settings) -> dict[str, str]:
    return {
        "DATABASE_URL": settings.database_url or "",
        "COUNTERSIGN_SANDBOX_URL": settings.sandbox_url or "",
        "COUNTERSIGN_HOME": str(settings.home),
    }


async def from_another_version(house: House) -> str:
    """A case that waits in a step which only another version has: `gate_of_before`."""
    case = await house.after(LARGE)
    for old, new in (("branch:to:gate", "branch:to:gate_of_before"),):
        await house.tamper(FORGET.format(was=f'"{old}"', now=f'"{new}"'))
    return case.id


async def test_the_check_is_content_with_its_own_version(house: House, env: dict[str, str]) -> None:
    await house.after(LARGE)
    done = await countersign("deploy", "check", env=env)
    assert (done.code, done.err) == (0, "")
    assert "1 cases are under way" in done.out


async def test_the_check_lists_orphans_for_people_and_for_machines(house: House, env: dict[str, str]) -> None:
    case = await from_another_version(house)

    done = await countersign("deploy", "check", env=env)
    assert done.code == 1
    assert case in done.out
    assert max(len(line) for line in done.out.splitlines()) <= 80
    assert "1 cases wait in a step that this version lacks" in done.complaint

    machine = await countersign("deploy", "check", "--json", env=env)
    (orphan,) = json.loads(machine.out)["orphans"]
    assert machine.code == 1
    assert (orphan["case_id"], orphan["lacks"], orphan["status"]) == (
        case,
        ["gate_of_before"],
        Status.WAITING_REVIEW,
    )
    assert orphan["then"]["graph"] == orphan["now"]["graph"]


async def test_an_orphan_is_moved_over_the_api_by_who_resolves(door: Door, env: dict[str, str]) -> None:
    case = await from_another_version(door.house)

    def mine(who: str) -> dict[str, str]:
        return env | {"COUNTERSIGN_URL": str(door.http.base_url), "COUNTERSIGN_TOKEN": door.tokens[who]}

    wrong = await countersign("deploy", "move", case, "--to", "nowhere", env=mine("lee"))
    assert wrong.complaint.startswith("countersign: 422 ")
    denied = await countersign("deploy", "move", case, "--to", "gate", env=mine("eve"))
    assert denied.code == 1
    moved = await countersign("deploy", "move", case, "--to", "gate", env=mine("lee"))
    assert (moved.code, moved.err) == (0, "")
    await door.house.work()
    assert (await countersign("deploy", "check", env=env)).code == 0
    again = await countersign("deploy", "move", case, "--to", "gate", env=mine("lee"))
    assert again.complaint.startswith("countersign: 409 ")
