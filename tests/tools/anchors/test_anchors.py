"""Anchors keep each head where it was put, never over another one, and say when they cannot."""

import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from graphs.anchor_places import AnchorUnfit, read_anchors
from tests.fakes.object_server import ObjectServer, object_server
from tests.fakes.receiver import Answer, receiver
from tools.anchors.anchor import Anchor, AnchorUnreachable

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def anchor_at(place: str, private: Sequence[str] = ("127.0.0.1",)) -> Anchor:
    (anchor,) = read_anchors(place, private)
    return anchor


# --- files ------------------------------------------------------------------------------------------------


async def test_a_file_gets_a_line_for_each_head_and_loses_none(tmp_path: Path) -> None:
    anchor = anchor_at(f"file://{tmp_path}/heads")
    await anchor.keep(7, "seven\n", NOW)
    await anchor_at(f"file://{tmp_path}/heads").keep(9, "nine\n", NOW)

    lines = (tmp_path / "heads").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"note": "seven\n", "size": 7},
        {"note": "nine\n", "size": 9},
    ]
    assert anchor.name == f"file://{tmp_path}/heads"


async def test_a_folder_gets_a_file(tmp_path: Path) -> None:
    await anchor_at(f"file://{tmp_path}").keep(7, "seven\n", NOW)

    assert json.loads((tmp_path / "heads.jsonl").read_text())["size"] == 7


async def test_a_file_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    anchor = anchor_at(f"file://{tmp_path}/nowhere/heads")

    with pytest.raises(AnchorUnreachable, match="cannot be written: No such file or directory"):
        await anchor.keep(7, "seven\n", NOW)


# --- endpoints --------------------------------------------------------------------------------------------


async def test_an_endpoint_gets_the_note_as_text() -> None:
    async with receiver() as running:
        anchor = anchor_at(f"{running.url}?key=secret")
        await anchor.keep(7, "seven\n", NOW)

    (request,) = running.requests
    assert (request.path, request.body) == ("/in?key=secret", b"seven\n")
    assert request.headers["content-type"] == "text/plain; charset=utf-8"
    assert "secret" not in anchor.name
    assert "secret" not in repr(anchor)


async def test_an_endpoint_on_this_machine_must_be_named_as_one() -> None:
    async with receiver() as running:
        for private in ((), ("anchor.example.com",)):
            with pytest.raises(AnchorUnreachable, match="is at an address that is this machine's"):
                await anchor_at(running.url, private).keep(7, "seven\n", NOW)

    assert running.requests == []


@pytest.mark.parametrize("status", [301, 302, 307, 400, 403, 500, 503])
async def test_an_endpoint_that_takes_no_head_is_named_by_its_answer(status: int) -> None:
    async with receiver() as elsewhere, receiver() as running:
        running.answer = Answer(status=status, headers={"Location": elsewhere.url})
        with pytest.raises(AnchorUnreachable, match=f"the receiver answered {status}"):
            await anchor_at(running.url).keep(7, "seven\n", NOW)

    assert elsewhere.requests == []


# --- object stores ----------------------------------------------------------------------------------------


@pytest.fixture
async def store(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ObjectServer]:
    async with object_server() as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


async def test_a_bucket_gets_an_object_for_each_head(store: ObjectServer) -> None:
    anchor = anchor_at("s3://bucket/heads")
    await anchor.keep(7, "seven\n", NOW)
    await anchor.keep(12, "twelve\n", NOW)

    assert store.objects == {
        "/bucket/heads/00000000000000000007.note": b"seven\n",
        "/bucket/heads/00000000000000000012.note": b"twelve\n",
    }
    assert all("Signature=" in one for one in store.signed)
    assert anchor.name == "s3://bucket/heads"


async def test_a_head_that_is_there_already_is_fine_and_another_one_is_not_written_over(
    store: ObjectServer,
) -> None:
    anchor = anchor_at("s3://bucket/heads")
    await anchor.keep(7, "seven\n", NOW)
    await anchor.keep(7, "seven\n", NOW)

    with pytest.raises(AnchorUnreachable, match="another head of this size is there"):
        await anchor.keep(7, "another seven\n", NOW)
    assert list(store.objects.values()) == [b"seven\n"]


@pytest.mark.parametrize("status", [401, 403, 404, 500])
async def test_a_bucket_that_takes_no_head_is_named_without_its_address(
    store: ObjectServer, status: int
) -> None:
    store.refuses = status

    with pytest.raises(AnchorUnreachable, match="the store did not take it") as refused:
        await anchor_at("s3://bucket/heads").keep(7, "seven\n", NOW)
    assert store.url not in str(refused.value)


# --- which there are --------------------------------------------------------------------------------------


def test_no_anchor_is_none_and_several_are_each_their_own(tmp_path: Path) -> None:
    several = read_anchors(f"file://{tmp_path}/a, https://example.com/heads ,gs://bucket/b,")

    assert read_anchors(None) == read_anchors("") == ()
    assert [anchor.name for anchor in several] == [
        f"file://{tmp_path}/a",
        "https://example.com/heads",
        "gs://bucket/b",
    ]


@pytest.mark.parametrize(
    "place",
    [
        "nonsense",
        "/a/path",
        "file://elsewhere/a",
        "file:a",
        "ftp://example.com/secret",
        "http://example.com/secret",
        "https://user:secret@example.com/",
        "https://",
        "s3://",
        "s3:///secret",
        "memory:///",
        "file:///a,file:///a",
        "https://example.com/?key=secret,https://example.com/?key=other",
        "https://[",
    ],
)
def test_what_is_no_anchor_is_refused_without_being_quoted(place: str) -> None:
    with pytest.raises(AnchorUnfit, match="COUNTERSIGN_ANCHOR: ") as refused:
        read_anchors(place)
    assert "secret" not in str(refused.value)
