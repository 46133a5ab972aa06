"""The log in a file: it is checked without a database, and no field of it can be another."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from checkpoints.anchored import read_anchored
from checkpoints.canonical import NotCanonical, canonical
from checkpoints.database import Database, open_database
from checkpoints.errors import TreeDamaged
from checkpoints.log_file import FORMAT, named_key, verify_file
from checkpoints.merkle import EMPTY_ROOT
from tests.checkpoints.log import (
    KEYS,
    MALLORY,
    SIGNER,
    anchored_in,
    append,
    event,
    exported,
    grow,
    tamper,
    verified,
)

ON_ONE_FILE = settings(
    deadline=None,
    max_examples=300,
    # examples read the same file and write another
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture
async def log(database_url: str) -> AsyncIterator[Database]:
    """Seven events under heads of four and of seven."""
    async with open_database(database_url) as database:
        for batch in (range(4), range(4, 7)):
            await append(database, *(event(number, case_id=f"c-{number % 2}") for number in batch))
            await grow(database)
        yield database


@pytest.fixture
async def file(log: Database, tmp_path: Path) -> Path:
    return await exported(log, tmp_path / "log.jsonl")


def test_an_exported_log_says_all_there_is(file: Path) -> None:
    header, *lines = [json.loads(line) for line in file.read_bytes().splitlines()]

    assert header == {"format": FORMAT, "origin": SIGNER.name, "key": str(SIGNER.key)}
    assert [line["event"]["id"] for line in lines[:7]] == [f"e-{number}" for number in range(7)]
    assert [line["index"] for line in lines[:7]] == list(range(7))
    assert [line["head"]["size"] for line in lines[7:]] == [4, 7]
    assert named_key(file) == SIGNER.key


async def test_a_file_verifies_as_its_database_does(log: Database, file: Path) -> None:
    assert verify_file(file) == verify_file(file, KEYS) == await verified(log)


async def test_an_empty_log_is_a_file_that_verifies(database_url: str, tmp_path: Path) -> None:
    async with open_database(database_url) as database:
        found = verify_file(await exported(database, tmp_path / "log.jsonl"), KEYS)

    assert (found.holds, found.events, found.root) == (True, 0, EMPTY_ROOT.hex())


async def test_what_waits_for_the_tree_is_not_in_the_file(log: Database, tmp_path: Path) -> None:
    await append(log, event(7))

    assert verify_file(await exported(log, tmp_path / "log.jsonl"), KEYS).size == 7


async def test_a_log_that_cannot_be_written_down_says_so(log: Database, tmp_path: Path) -> None:
    await tamper(log, """UPDATE audit_events SET data = '{"number": 1e30}' WHERE id = 'e-3'""")

    with pytest.raises(TreeDamaged, match="countersign verify"):
        await exported(log, tmp_path / "log.jsonl")


def test_a_file_is_verified_without_a_database_library() -> None:
    program = """
import sys
import checkpoints.anchored, checkpoints.log_file
print(sorted({"psycopg", "sqlalchemy", "procrastinate", "langgraph", "fastapi"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


# --- whatever is changed in it is found -------------------------------------------------------------------

Place = tuple[str | int, ...]
VALUES: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
    | st.just([]) | st.just({})
)  # fmt: skip


def places(item: Any, at: Place = ()) -> list[Place]:
    """Where every value of a JSON value is, containers too."""
    inner = item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else ()
    return [*([at] if at else []), *(place for key, value in inner for place in places(value, (*at, key)))]


def value_at(item: Any, place: Place) -> Any:
    for key in place:
        item = item[key]
    return item


def put(item: Any, place: Place, value: Any) -> None:
    value_at(item, place[:-1])[place[-1]] = value


def near(value: Any, data: st.DataObject) -> Any:
    """Another value: of the same kind and near to it, or of any kind."""
    if isinstance(value, str) and value and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(value) - 1))
        return value[:at] + data.draw(st.characters(codec="utf-8")) + value[at + 1 :]
    if isinstance(value, int) and data.draw(st.booleans()):
        return value + data.draw(st.sampled_from([-1, 1]))
    return data.draw(VALUES)


def refused(path: Path, lines: list[bytes]) -> tuple[str, ...]:
    path.write_bytes(b"".join(lines))
    return verify_file(path, KEYS).faults


@ON_ONE_FILE
@given(st.data())
def test_any_other_value_in_any_field_of_any_line_is_found(
    file: Path, tmp_path: Path, data: st.DataObject
) -> None:
    lines = file.read_bytes().splitlines(keepends=True)
    number = data.draw(st.integers(0, len(lines) - 1))
    item = json.loads(lines[number])
    place = data.draw(st.sampled_from(places(item)))
    value = near(value_at(item, place), data)
    put(item, place, value)
    try:
        changed = canonical(item) + b"\n"
    except NotCanonical:
        changed = json.dumps(item).encode() + b"\n"
    if changed != lines[number]:
        assert refused(tmp_path / "tampered", [*lines[:number], changed, *lines[number + 1 :]]), changed


def test_what_python_takes_for_equal_is_found(file: Path, subtests: pytest.Subtests) -> None:
    whole = file.read_bytes()
    for before, after in ((b'"index":0', b'"index":false'), (b'"index":1', b'"index":true')):
        with subtests.test(before.decode()):
            assert whole.count(before) == 1
            assert refused(file, [whole.replace(before, after)])


@ON_ONE_FILE
@given(st.data(), st.integers(0, 255))
@example(data=None, byte=0)
def test_any_other_byte_anywhere_is_found(
    file: Path, tmp_path: Path, data: st.DataObject | None, byte: int
) -> None:
    whole = file.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1)) if data else len(whole) - 1
    if whole[at] != byte:
        assert refused(tmp_path / "tampered", [whole[:at] + bytes([byte]) + whole[at + 1 :]])


@ON_ONE_FILE
@given(st.data())
def test_a_line_left_out_doubled_or_moved_is_found(file: Path, tmp_path: Path, data: st.DataObject) -> None:
    """All but the head that another one comes after: it adds nothing to what that one says."""
    lines = file.read_bytes().splitlines(keepends=True)
    number = data.draw(st.integers(0, len(lines) - 1))
    without = [*lines[:number], *lines[number + 1 :]]
    to = data.draw(st.integers(0, len(without)))
    moved = [*without[:to], lines[number], *without[to:]]

    assert refused(tmp_path / "tampered", without) or number == len(lines) - 2
    assert refused(tmp_path / "tampered", [*lines[:number], lines[number], *lines[number:]])
    assert refused(tmp_path / "tampered", moved) or moved == lines


@ON_ONE_FILE
@given(st.integers(0, 3000))
def test_a_file_cut_anywhere_is_found(file: Path, tmp_path: Path, at: int) -> None:
    """But after its first line: that is an empty log, which only an anchored head tells from this one."""
    whole = file.read_bytes()
    if at < len(whole) and at != whole.index(b"\n") + 1:
        assert refused(tmp_path / "tampered", [whole[:at]])


FORMS: dict[str, tuple[bytes, bytes]] = {
    "a space": (b'"index":3', b'"index": 3'),
    "a number in another form": (b'"index":3', b'"index":3.0'),
    "a name twice": (b'"index":3', b'"index":9,"index":3'),
    "an escape": (b'"e-3"', b'"e\\u002d3"'),
    "another name": (b'"index":3', b'"more":0,"index":3'),
    "another name in the event": (b'"id":"e-3"', b'"id":"e-3","jd":"x"'),
    "the time in another form": (b"12:00:03+00:00", b"12:00:03Z"),
    "the line's end": (b'"index":3', b'"index":3\r'),
    "not a number": (b'"index":3', b'"index":NaN'),
    "nested too deeply": (b'"index":3', b'"index":' + b"[" * 100_000),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_in_another_form_is_found(file: Path, form: str) -> None:
    before, after = FORMS[form]
    whole = file.read_bytes()
    assert whole.count(before) == 1

    assert refused(file, [whole.replace(before, after)])


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"{}\n", b"[]\n", b"null\n", b"\xff\xfe", b"nonsense", b'{"format":1}\n']
)
def test_what_is_no_exported_log_is_told_from_one(tmp_path: Path, content: bytes) -> None:
    assert "this is no exported log" in refused(tmp_path / "file", [content])[0]


# --- where it is ------------------------------------------------------------------------------------------


def test_a_fault_says_where_it_is(file: Path, tmp_path: Path) -> None:
    lines = file.read_bytes().splitlines(keepends=True)
    tampered = tmp_path / "tampered"

    altered = [*lines[:4], lines[4].replace(b"as it was", b"as it wos"), *lines[5:]]
    assert refused(tampered, altered) == ("event 'e-3' of leaf 3 was altered: its leaf does not match it",)

    deleted = refused(tampered, [*lines[:4], *lines[5:]])
    assert deleted[0] == "leaf 3 is missing: the next one says 4"
    assert "the head of size 4 is not the root of its leaves" in deleted
    assert "the log ends at 6, but a head says 7" in deleted

    assert refused(tampered, [*lines[:5], b"nonsense\n", *lines[6:]])[0] == (
        "line 6, which should be leaf 4: it cannot be read"
    )


def test_a_file_of_another_log_is_not_this_one(file: Path) -> None:
    faults = verify_file(file, [MALLORY.key]).faults

    assert faults[0] == "the file names another key than the one it was to be checked with"
    assert (
        "the head of size 7 has a note that cannot be trusted: it is not signed with a key that is known"
        in (faults)
    )


# --- anchors ----------------------------------------------------------------------------------------------


async def test_a_file_is_held_against_anchored_heads(log: Database, file: Path, tmp_path: Path) -> None:
    note = await anchored_in(log, tmp_path / "7.note")
    (tmp_path / "heads").mkdir()
    lines = [json.dumps({"note": note.read_text(), "size": 7}) + "\n"] * 2
    (tmp_path / "heads" / "heads.jsonl").write_text("".join(lines))

    anchored, faults = read_anchored([note, tmp_path / "heads"], KEYS)
    found = verify_file(file, KEYS, anchored)

    assert (found.holds, found.anchored, faults) == (True, 3, [])


async def test_an_anchored_head_that_cannot_be_trusted_is_named(log: Database, tmp_path: Path) -> None:
    note = (await anchored_in(log, tmp_path / "7.note")).read_text()
    (tmp_path / "heads.jsonl").write_text(json.dumps({"note": note}) + "\n{}\nnonsense\n")
    (tmp_path / "7.note").write_text(note.replace("\n7\n", "\n8\n"))
    (tmp_path / "empty").mkdir()

    found, faults = read_anchored([tmp_path / name for name in ("7.note", "heads.jsonl", "empty")], KEYS)

    assert [one.head.size for one in found] == [7]
    assert faults == [
        "the anchored head in 7.note cannot be trusted: its signature is forged",
        "the anchored head in line 2 of heads.jsonl cannot be trusted: it is no signed note",
        "the anchored head in line 3 of heads.jsonl cannot be trusted: it is no signed note",
        f"there is no anchored head in {tmp_path / 'empty'}",
    ]
