"""The log's key: made once, read by its owner alone, and never replaced."""

import asyncio
import sys
from pathlib import Path

import pytest

from checkpoints.log_key import LogKeyUnfit, read_signer, signer_at
from checkpoints.notes import VerifierKey

PROCESSES = 8
_PRINT_KEY = """
import sys
from pathlib import Path
from checkpoints.log_key import signer_at
sys.stdin.read()
print(signer_at(Path(sys.argv[1])).key)
"""


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def test_a_key_is_made_on_first_use_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "home" / "log.key"

    first = signer_at(path)

    assert str(signer_at(path).key) == str(read_signer(path).key) == str(first.key)
    assert path.stat().st_mode & 0o777 == 0o600
    assert names(path.parent) == ["log.key"]
    assert VerifierKey.parse(str(first.key)).name.startswith("countersign/")


def test_each_log_has_a_key_and_a_name_of_its_own(tmp_path: Path) -> None:
    one, other = signer_at(tmp_path / "one"), signer_at(tmp_path / "other")

    assert one.key != other.key
    assert one.name != other.name


async def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    path = tmp_path / "log.key"
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _PRINT_KEY, str(path)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(PROCESSES)
    ]

    told = await asyncio.gather(*(process.communicate(b"") for process in processes))

    assert {out for out, _ in told} == {f"{read_signer(path).key}\n".encode()}
    assert names(tmp_path) == ["log.key"]


@pytest.mark.parametrize(
    "content",
    [b"", b"nonsense", b"PRIVATE+KEY+a+00000000+AQ==\n", b"\xff\xfe", b"PRIVATE+KEY+\n"],
)
def test_a_file_that_holds_no_key_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "log.key"
    path.write_bytes(content)
    path.chmod(0o600)

    with pytest.raises(LogKeyUnfit, match=r"log\.key"):
        signer_at(path)
    assert path.read_bytes() == content


def test_a_key_with_a_letter_changed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.key"
    signer_at(path)
    whole = path.read_text()

    for place in range(len(whole) - 1):
        path.write_text(whole[:place] + ("A" if whole[place] != "A" else "B") + whole[place + 1 :])
        with pytest.raises(LogKeyUnfit):
            read_signer(path)


def test_a_key_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.key"
    signer_at(path)
    path.chmod(0o644)

    with pytest.raises(LogKeyUnfit, match="chmod 600"):
        signer_at(path)


def test_a_place_where_nothing_can_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(LogKeyUnfit, match="cannot be made at"):
        signer_at(tmp_path / "file" / "log.key")
