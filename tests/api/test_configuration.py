"""With what Countersign runs is on the record: digests and ids, told once, and again when it differs."""

import json
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.serve import working
from checkpoints.embedded import APPLICATION
from checkpoints.worker import Pace
from graphs.configuration import code_digest, differences
from graphs.people import PERSON_PREFIX, Person, Service, new_token, read_people, write_people
from graphs.settings import Settings
from graphs.wiring import Parts, open_parts
from nodes.shapes import Json
from tests.api.door import Door, problem
from tests.engine.processes import until
from tests.house import House, ManualClock

SOON = Pace(look_every=timedelta(milliseconds=10))
NOTIFY = """
public_url: https://countersign.example.com
channels:
  - {name: ops, kind: webhook, url: "https://hooks.example.com/secret-path", secret_env: HOOK_SECRET}
"""
RECORDED = """
SELECT kind, actor, case_id, data FROM audit_events WHERE kind LIKE 'configuration.%%' ORDER BY seq
"""


async def recorded(house: House) -> list[dict[str, Any]]:
    return await house.rows(RECORDED)


async def reopened(settings: Settings, clock: ManualClock) -> None:
    async with open_parts(settings, clock=clock):
        pass


def with_person(path: Path, person: Person) -> None:
    write_people(path, read_people(path).with_person(person))


async def test_what_was_loaded_first_is_on_the_record(parts: Parts, house: House) -> None:
    (loaded,) = await recorded(house)

    assert (loaded["kind"], loaded["actor"], loaded["case_id"]) == (
        "configuration.loaded",
        "system:configuration",
        None,
    )
    found = loaded["data"]["configuration"]
    refund = parts.workflows["refund"]
    assert set(found["people"]) == {"person:lee", "person:max", "person:finn"}
    assert (found["model"], found["channels"]) == ("playbook", [])
    assert found["workflows"] == {name: one.version for name, one in parts.workflows.items()}
    assert found["workflows"]["refund"] == "1"
    assert found["rules"]["refund"] == {tool: one.table.digest for tool, one in refund.rulings.items()}
    assert found["prompts"]["refund"] == {name: one.prompt_digest for name, one in refund.agents.items()}
    assert found["code"]["digest"] == code_digest()
    assert found["database"] == {"role": APPLICATION, "may_alter_log": False}


async def test_the_same_configuration_is_told_once(
    house: House, settings: Settings, clock: ManualClock
) -> None:
    for _ in range(2):
        await reopened(settings, clock)

    assert [event["kind"] for event in await recorded(house)] == ["configuration.loaded"]


async def test_another_model_and_another_role_are_told_with_what_they_were(
    house: House, settings: Settings, clock: ManualClock, owner_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-for-the-record")
    await reopened(replace(settings, model="openai:gpt-5.5", database_url=owner_url), clock)

    changed = (await recorded(house))[-1]
    assert changed["kind"] == "configuration.changed"
    assert changed["data"]["changes"] == {
        "model": {"before": "playbook", "after": "openai:gpt-5.5"},
        "database": {
            "before": {"role": APPLICATION, "may_alter_log": False},
            "after": {"role": "postgres", "may_alter_log": True},
        },
    }
    assert "sk-not" not in json.dumps(changed["data"])


async def test_that_personal_data_is_kept_for_another_time_is_told(
    house: House, settings: Settings, clock: ManualClock, tmp_path: Path
) -> None:
    file = tmp_path / "retention.yaml"
    file.write_text("{others: 200d}")
    await reopened(replace(settings, retention_file=file), clock)

    assert (await recorded(house))[-1]["data"]["changes"] == {
        "retention": {"before": {"others": "184d"}, "after": {"others": "200d"}}
    }


async def test_of_people_it_is_told_who_came_went_or_may_do_something_else(
    parts: Parts, house: House, settings: Settings, clock: ManualClock
) -> None:
    file = settings.people_file
    content = read_people(file)
    write_people(
        file, content.model_copy(update={"people": [one for one in content.people if one.id != "max"]})
    )
    with_person(file, Person(id="lee", name="Somebody Else", roles=["finance"], email="lee@example.com"))
    token, kept = new_token(PERSON_PREFIX, timedelta(days=1), clock.now)
    with_person(file, Person(id="finn", name="Finn", roles=["finance"], tokens=[kept]))
    write_people(file, read_people(file).with_service(Service(id="shop", name="Shop", scopes=[], keys=[])))
    await reopened(settings, clock)

    event = (await recorded(house))[-1]
    assert event["data"]["changes"] == {
        "people": {
            "added": ["service:shop"],
            "removed": ["person:max"],
            "roles_changed": ["person:lee"],
            "keys_changed": ["person:finn"],
        }
    }
    for private in ("Somebody", "example.com", token, kept.sha256):
        assert private not in json.dumps(event["data"])


async def test_channels_are_told_by_name_and_never_with_their_address(
    house: House, settings: Settings, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_SECRET", "whsec_" + "c2VjcmV0" * 4)
    (tmp_path / "notify.yaml").write_text(NOTIFY, encoding="utf-8")
    await reopened(replace(settings, notify_file=tmp_path / "notify.yaml"), clock)

    event = (await recorded(house))[-1]
    assert event["data"]["changes"] == {"channels": {"before": [], "after": ["ops"]}}
    whole = json.dumps(event["data"])
    assert "example.com" not in whole
    assert os.environ["HOOK_SECRET"] not in whole


async def test_a_change_of_the_people_file_is_told_while_a_worker_runs(
    door: Door, settings: Settings
) -> None:
    before = len(await recorded(door.house))

    async def told() -> bool:
        return len(await recorded(door.house)) > before

    async with working(door.house.parts, pace=SOON):
        await until(told, "the file that the door knows is told")
        problem(await door.ask("nora", "GET", "/cases"), 403, "forbidden")
        before += 1
        nora = next(one for one in read_people(settings.people_file).people if one.id == "nora")
        with_person(settings.people_file, nora.model_copy(update={"roles": ["finance"]}))
        await door.get("nora", "/cases")
        await until(told, "the new role is told")

    changes = (await recorded(door.house))[-1]["data"]["changes"]["people"]
    assert (changes["roles_changed"], changes["added"]) == (["person:nora"], [])


async def test_two_workers_tell_of_one_change_once(parts: Parts, house: House, settings: Settings) -> None:
    looks = [parts.configuration(), parts.configuration()]
    assert [await one.look() for one in looks] == [0, 0]
    with_person(settings.people_file, Person(id="new", name="New", roles=[]))

    assert [await one.look() for one in looks] == [1, 0]
    assert [await one.look() for one in looks] == [0, 0]
    assert len(await recorded(house)) == 2


async def test_two_processes_with_two_people_files_do_not_answer_each_other_for_ever(
    parts: Parts, house: House, settings: Settings, tmp_path: Path
) -> None:
    other = replace(parts, people=type(parts.people)(tmp_path / "others.yaml", parts.clock))
    looks = [parts.configuration(), other.configuration()]
    for _ in range(3):
        for one in looks:
            await one.look()

    assert len(await recorded(house)) == 2


async def test_a_people_file_that_cannot_be_read_changes_nothing_on_the_record(
    parts: Parts, house: House, settings: Settings, clock: ManualClock
) -> None:
    settings.people_file.write_text("people: [", encoding="utf-8")

    assert await parts.configuration().look() == 0
    await reopened(settings, clock)

    assert [event["kind"] for event in await recorded(house)] == ["configuration.loaded"]


async def test_a_rule_table_that_came_in_force_is_told_at_the_next_opening(
    parts: Parts, house: House, settings: Settings, clock: ManualClock
) -> None:
    await house.rows("UPDATE rule_tables SET state = 'retired' WHERE tool = 'tickets.reply'")
    await reopened(settings, clock)

    (changed,) = [event for event in await recorded(house) if event["kind"] == "configuration.changed"]
    assert set(changed["data"]["changes"]) == {"rules"}


def test_the_difference_names_only_what_differs() -> None:
    before = {"model": "a", "people": {"person:a": {"roles": "1", "keys": "1"}}, "channels": []}
    after = before | {"people": {"person:a": {"roles": "1", "keys": "2"}}}

    assert differences(before, before) == {}
    moves: Json = {"added": [], "removed": [], "roles_changed": [], "keys_changed": ["person:a"]}
    assert differences(before, after) == {"people": moves}
