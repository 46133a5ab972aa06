"""Inbox folders: each file is one case and is then moved away, whatever it holds and is called."""

import asyncio
import hashlib
import json
import os
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from checkpoints.cases import Status
from graphs import inbox_folders
from graphs.inbox_folders import FolderRound
from graphs.intake import NEWS
from graphs.settings import Settings
from graphs.trigger_words import REFUSED
from graphs.wiring import Parts
from tests.graphs.triggering import SCENES, Office, entrust, folder_entry, rounds_of, triggered
from tests.house import House, ManualClock, refund_event
from tests.kills import killed_at
from tools.triggers.folder import LARGEST_FILE, Inbox, Tray

TYPE = "com.countersign.refund.requested"
SECRET = "the words of somebody else's file"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def office(parts: Parts, settings: Settings, folder: Path) -> Office:
    house = House(triggered(parts, settings, folders=[folder_entry(folder)]))
    return Office(house, "", "/triggers/inbox")


def data(scene: str = SCENES[0], **changes: Any) -> dict[str, Any]:
    return dict(refund_event(scene).data) | changes


def envelope(**changes: Any) -> dict[str, Any]:
    usual = {"specversion": "1.0", "id": "e-1", "source": "/shop", "type": TYPE, "data": data()}
    return usual | changes


def put(folder: Path, name: str, content: Any) -> str:
    """Write a file elsewhere and rename it into place, as writers do; returns the digest of its bytes."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    draft = folder.parent / "draft"
    draft.write_bytes(body)
    draft.rename(folder / name)
    return hashlib.sha256(body).hexdigest()


def lying(folder: Path) -> list[str]:
    """The names of the files in a folder, folders aside."""
    return sorted(path.name for path in folder.iterdir() if path.is_symlink() or not path.is_dir())


def why(folder: Path, name: str) -> str:
    return (folder / "refused" / f"{name}.why").read_text()


# --- a file is one case -----------------------------------------------------------------------------------


async def test_data_in_a_file_is_one_case_and_the_file_is_moved(office: Office, folder: Path) -> None:
    digest = put(folder, "claim.json", data())
    await office.look(times=2)

    assert await office.opened() == [digest]
    assert (lying(folder), lying(folder / "done"), lying(folder / "refused")) == ([], ["claim.json"], [])
    (row,) = await office.house.rows("SELECT id, opened_by FROM cases")
    assert row["opened_by"] == "service:tills"
    await office.house.work()
    assert (await office.house.case(row["id"])).status is Status.CLOSED


async def test_an_envelope_names_itself(office: Office, folder: Path) -> None:
    put(folder, "a.json", envelope())
    put(folder, "b.json", envelope(data=data(SCENES[1])))
    await office.look()

    rows = await office.house.rows("SELECT event_source, event_id FROM cases")
    assert rows == [{"event_source": "/shop", "event_id": "e-1"}], "the same event said twice is one"
    assert lying(folder / "done") == ["a.json", "b.json"]


async def test_news_in_a_file_lets_a_case_look_again(office: Office, folder: Path) -> None:
    put(folder, "a.json", data())
    await office.look()
    (row,) = await office.house.rows("SELECT id FROM cases")
    put(folder, "news.json", envelope(id="n-1", type=NEWS, subject=row["id"], data={}))
    put(folder, "none.json", envelope(id="n-2", type=NEWS, data={}))
    await office.look()

    assert (await office.house.kinds(row["id"])).count("case.informed") == 1
    assert lying(folder / "done") == ["a.json", "news.json"]
    assert why(folder, "none.json").startswith("unknown_case: ")


async def test_the_same_bytes_again_are_the_same_case_and_overwrite_nothing(
    office: Office, folder: Path
) -> None:
    digest = put(folder, "claim.json", data())
    await office.look()
    for _ in range(2):
        put(folder, "claim.json", data())
        await office.look()
    put(folder, "claim.json", data(SCENES[1]))
    await office.look()

    assert len(await office.opened()) == 2
    kept = lying(folder / "done")
    assert len(kept) == 4
    assert {"claim.json", f"claim.{digest[:12]}.json", f"claim.{digest[:12]}.2.json"} <= set(kept)


async def test_what_does_not_end_in_json_begins_with_a_dot_or_is_a_folder_is_left(
    office: Office, folder: Path
) -> None:
    put(folder, ".claim.json", data())
    put(folder, "claim.json.part", data())
    (folder / "folder.json").mkdir()
    await office.look()

    assert lying(folder) == [".claim.json", "claim.json.part"]
    assert await office.opened() == []


async def test_more_files_than_a_look_takes_are_taken_look_by_look(
    office: Office, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_folders, "MOST_FILES", 2)
    for number in range(5):
        put(folder, f"{number}.json", data(SCENES[number % 4], reason_code="x" * (number + 1)))
    await office.look()

    assert len(await office.opened()) == 5


# --- refused ----------------------------------------------------------------------------------------------


def nested(depth: int) -> bytes:
    return b'{"a": ' + b"[" * depth + b"]" * depth + b"}"


CONTENTS = {
    "binary": (bytes(range(256)), "malformed"),
    "nothing": (b"", "malformed"),
    "a list": (b"[]", "malformed"),
    "half a file": (b'{"order_id": ', "malformed"),
    "deep": (nested(200), "malformed"),
    "deeper": (nested(500_000), "malformed"),
    "NUL": (b'{"order_id": "a\\u0000b"}', "malformed"),
    "a lone surrogate": (b'{"order_id": "\\ud800"}', "malformed"),
    "NaN": (b'{"order_id": NaN}', "malformed"),
    "a number without end": (b'{"order_id": ' + b"9" * 5000 + b"}", "malformed"),
    "UTF-16": (json.dumps(data()).encode("utf-16"), "malformed"),
    "too large": (b'{"a": "' + b"x" * LARGEST_FILE + b'"}', "too_large"),
    "a field that is unknown": (json.dumps(data(name_of_the_customer="Jane Doe")).encode(), "data_unfit"),
    "a field that is missing": (b"{}", "data_unfit"),
    "somebody else's order": (
        json.dumps(data(customer_id=refund_event(SCENES[1]).data["customer_id"])).encode(),
        "out_of_scope",
    ),
    "an envelope without id": (json.dumps(envelope(id="")).encode(), "malformed"),
    "an envelope of another kind": (json.dumps(envelope(type="com.example.x")).encode(), "wrong_type"),
    "an envelope of another version": (json.dumps(envelope(specversion="2.0")).encode(), "malformed"),
    "another trigger's name": (json.dumps(envelope(source="/triggers/claims")).encode(), "reserved_source"),
    "a schedule's name": (json.dumps(envelope(source="/schedules/1")).encode(), "reserved_source"),
    "a parent that is none": (json.dumps(envelope(parent="no-such-case")).encode(), "unknown_parent"),
}


@pytest.mark.parametrize("what", CONTENTS)
async def test_what_is_refused_is_moved_with_a_reason_and_on_the_record_once(
    office: Office, folder: Path, what: str
) -> None:
    body, reason = CONTENTS[what]
    put(folder, "bad.json", body)
    good = put(folder, "good.json", data())
    await office.look(times=2)

    assert await office.opened() == [good]
    assert (lying(folder), lying(folder / "refused")) == ([], ["bad.json", "bad.json.why"])
    assert (folder / "refused" / "bad.json").read_bytes() == body
    assert await office.reasons("event.refused") == [reason]
    assert why(folder, "bad.json").startswith(f"{reason}: {REFUSED[reason]}")


async def test_the_reason_names_fields_of_the_workflow_and_nothing_of_the_sender(
    office: Office, folder: Path
) -> None:
    put(folder, "jane_doe.json", data(order_id="Jane Doe", jane="Doe"))
    await office.look()

    assert why(folder, "jane_doe.json") == (
        "data_unfit: The data does not fit the workflow. Fields: order_id.\n"
    )
    (told,) = await office.told("event.refused")
    assert "jane" not in json.dumps(told).lower()


def link(folder: Path) -> None:
    secret = folder.parent / "secret.json"
    secret.write_text(json.dumps(data() | {"secret": SECRET}))
    (folder / "bad.json").symlink_to(secret)


def hard_link(folder: Path) -> None:
    secret = folder.parent / "secret.json"
    secret.write_text(json.dumps(data()))
    (folder / "bad.json").hardlink_to(secret)


def fifo(folder: Path) -> None:
    os.mkfifo(folder / "bad.json")


def loop(folder: Path) -> None:
    (folder / "bad.json").symlink_to("bad.json")


def to_a_folder(folder: Path) -> None:
    (folder / "bad.json").symlink_to(folder.parent)


@pytest.mark.parametrize("made", [link, hard_link, fifo, loop, to_a_folder])
async def test_what_is_no_regular_file_is_not_read_and_moved_as_it_is(
    office: Office, folder: Path, made: Any
) -> None:
    made(folder)
    good = put(folder, "good.json", data())
    async with asyncio.timeout(60):
        await office.look(times=2)

    assert await office.opened() == [good]
    assert lying(folder) == []
    assert why(folder, "bad.json").startswith("not_a_file: ")
    assert await office.reasons("event.refused") == ["not_a_file"]
    if made in {link, hard_link}:
        assert (folder.parent / "secret.json").exists()


NAMES = [
    b"-rf.json",
    b"a\nb.json",
    b"\xff\xfe.json",
    b"..json.json",
    b"..%2f..%2fetc.json",
    b"x" * 250 + b".json",
    "ä".encode() * 120 + b".json",
    b"$(reboot);`id`.json",
    b"done.json",
    b"a.why.json",
    b" .json",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fit", [True, False])
async def test_a_hostile_name_is_only_a_name(office: Office, folder: Path, name: bytes, fit: bool) -> None:  # noqa: FBT001
    draft = folder.parent / "draft"
    draft.write_text(json.dumps(data() if fit else {}))
    draft.rename(os.fsdecode(os.fsencode(folder) + b"/" + name))
    await office.look(times=2)

    hidden = name.startswith(b".")
    assert len(await office.opened()) == int(fit and not hidden)
    assert len(lying(folder)) == int(hidden)
    tray = folder / ("done" if fit else "refused")
    assert len(lying(tray)) == (0 if hidden else 1 if fit else 2)


# --- several at once, and killed --------------------------------------------------------------------------


async def test_a_worker_killed_anywhere_leaves_one_case_a_file_and_no_refusal_twice(
    office: Office, folder: Path
) -> None:
    good = [put(folder, f"{scene}.json", data(scene)) for scene in SCENES[:2]]
    put(folder, "bad.json", b"{}")
    kills = 0
    for suspension in count(step=4):
        if not await killed_at(suspension, office.look()):
            break
        kills += 1
    await office.look()

    assert kills > 5
    assert await office.opened() == sorted(good)
    assert await office.reasons("event.refused") == ["data_unfit"]
    assert lying(folder) == []
    assert {f"{scene}.json" for scene in SCENES[:2]} <= set(lying(folder / "done"))


async def test_a_crash_between_receiving_and_moving_finds_the_same_case(office: Office, folder: Path) -> None:
    digest = put(folder, "claim.json", data())
    await office.look()
    (folder / "done" / "claim.json").rename(folder / "claim.json")
    await office.look()

    assert await office.opened() == [digest]
    assert lying(folder / "done") == ["claim.json"]


async def test_two_looks_at_once_are_one(office: Office, folder: Path) -> None:
    digests = [put(folder, f"{scene}.json", data(scene)) for scene in SCENES]
    await asyncio.gather(*(office.look() for _ in range(4)))

    assert await office.opened() == sorted(digests)
    assert len(lying(folder / "done")) == len(SCENES)


async def test_a_file_that_is_gone_is_none(office: Office, folder: Path) -> None:
    inbox = Inbox(folder)
    inbox.require_trays()
    assert inbox.read("gone.json") is None
    inbox.move("gone.json", Tray.REFUSED, "0" * 64, "why")

    assert lying(folder / "refused") == []
    assert isinstance(office, Office)


# --- standing still and going on --------------------------------------------------------------------------


def without_folder(folder: Path) -> None:
    folder.rename(folder.parent / "aside")


def with_a_file_for_a_tray(folder: Path) -> None:
    (folder / "done").write_text("")


def with_a_tray_that_leads_elsewhere(folder: Path) -> None:
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    (folder / "refused").symlink_to(elsewhere)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (without_folder, "folder_away"),
        (with_a_file_for_a_tray, "folder_not_writable"),
        (with_a_tray_that_leads_elsewhere, "folder_not_writable"),
    ],
)
async def test_a_folder_that_cannot_be_used_is_said_once_and_tried_again_later(
    office: Office, folder: Path, clock: ManualClock, spoil: Any, reason: str
) -> None:
    digest = put(folder, "claim.json", data())
    spoil(folder)
    await office.look(times=2)
    assert (await office.state())["tries"] == 1, "not at once"
    clock.advance(timedelta(minutes=5))
    await office.look()
    assert (await office.state())["tries"] == 2
    assert await office.opened() == []
    assert await office.reasons("trigger.stands_still") == [reason]

    aside = folder.parent / "aside"
    if aside.exists():
        aside.rename(folder)
    for tray in ("done", "refused"):
        if (folder / tray).is_symlink() or (folder / tray).is_file():
            (folder / tray).unlink()
    clock.advance(timedelta(minutes=15))
    await office.look()
    assert await office.opened() == [digest]
    assert await office.reasons("trigger.goes_on") == [reason]


async def test_a_service_that_lost_its_right_leaves_the_files_where_they_are(
    office: Office, folder: Path, settings: Settings, clock: ManualClock
) -> None:
    digest = put(folder, "claim.json", data())
    entrust(settings, "cases:read", now=clock.now)
    await office.look(times=2)
    assert lying(folder) == ["claim.json"]

    entrust(settings, "cases:start", now=clock.now)
    async with rounds_of(office.house.parts) as one:
        assert isinstance(one, FolderRound)
        await one.run()
    assert await office.opened() == [digest]
    assert await office.reasons("trigger.stands_still") == ["not_permitted"]
