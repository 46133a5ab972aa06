"""`countersign log` and `countersign verify`: key, export, and verification with and without the database."""

import json
from pathlib import Path

import pytest

from checkpoints.log_key import read_signer
from graphs.settings import Settings
from tests.api.command import Done, countersign
from tests.house import House

Env = dict[str, str]


@pytest.fixture
def env(settings: Settings) -> Env:
    return {"DATABASE_URL": settings.database_url or "", "COUNTERSIGN_HOME": str(settings.home)}


async def offline(*arguments: str | Path, home: Path) -> Done:
    """A command where there is no database and no key."""
    return await countersign(*arguments, env={"COUNTERSIGN_HOME": str(home / "elsewhere")})


async def test_the_logs_key_is_printed_and_stays(settings: Settings, env: Env, house: House) -> None:
    printed = [await countersign("log", "key", env=env) for _ in range(2)]

    assert {done.out for done in printed} == {f"{house.parts.signer.key}\n"}
    assert "PRIVATE" not in printed[0].out
    elsewhere = env | {"COUNTERSIGN_LOG_KEY": str(settings.home / "other.key")}
    other = await countersign("log", "key", env=elsewhere)
    assert other.out == f"{read_signer(settings.home / 'other.key').key}\n"


async def test_a_key_that_is_configured_and_not_there_starts_nothing(settings: Settings, env: Env) -> None:
    missing = env | {"COUNTERSIGN_LOG_KEY": str(settings.home / "missing.key")}
    for command in (("up", "--port", "0"), ("verify",)):
        done = await countersign(*command, env=missing)
        assert done.code == 1
        assert "missing.key cannot be read" in done.complaint


async def test_an_anchor_that_is_none_starts_nothing(env: Env) -> None:
    done = await countersign("up", "--port", "0", env=env | {"COUNTERSIGN_ANCHOR": "ftp://example.com"})

    assert done.code == 1
    assert done.complaint.startswith("countersign: COUNTERSIGN_ANCHOR: number 1: An anchor is")


async def test_an_exported_log_is_verified_where_there_is_no_database(
    house: House, env: Env, tmp_path: Path
) -> None:
    await house.after("clean_29_90_1")
    file, key = tmp_path / "log.jsonl", str(house.parts.signer.key)
    exported = await countersign("log", "export", file, env=env)
    assert exported.code == 0
    assert exported.out.endswith(f" events written to {file}\n")
    again = await countersign("log", "export", file, env=env)
    assert again.code == 1  # nothing is written over

    whole = await offline("verify", file, "--key", key, home=tmp_path)
    assert (whole.code, whole.err) == (0, "")
    assert "The log holds." in whole.out
    unsure = await offline("verify", file, home=tmp_path)
    assert unsure.code == 0
    assert "give --key" in unsure.err

    file.write_bytes(file.read_bytes().replace(b"service:shop", b"person:max", 1))
    altered = await offline("verify", file, "--key", key, "--json", home=tmp_path)
    assert altered.code == 1
    report = json.loads(altered.out)
    assert not report["holds"]
    assert " of leaf " in report["faults"][0]
    assert not (tmp_path / "elsewhere").exists()


async def test_the_log_is_held_against_anchored_heads_here_and_offline(
    house: House, env: Env, tmp_path: Path
) -> None:
    """The events are deleted with all their heads; what is left is grown anew with the real key."""
    await house.after("clean_29_90_1")
    heads, file, key = tmp_path / "heads", tmp_path / "log.jsonl", str(house.parts.signer.key)
    await countersign("verify", env=env)
    (head,) = await house.rows("SELECT note FROM audit_heads ORDER BY size DESC LIMIT 1")
    heads.mkdir()
    (heads / "1.note").write_text(head["note"])
    assert (await countersign("verify", "--anchor", heads, env=env)).code == 0

    await house.tamper(
        "DELETE FROM audit_heads",
        "DELETE FROM audit_leaves",
        "INSERT INTO audit_pending SELECT seq FROM audit_events WHERE seq > 1",
        "DELETE FROM audit_events WHERE seq = 1",
    )
    assert (await countersign("verify", env=env)).code == 0
    await countersign("log", "export", file, env=env)
    here = await countersign("verify", "--anchor", heads, env=env)
    there = await offline("verify", file, "--key", key, "--anchor", heads, home=tmp_path)

    for done in (here, there):
        assert done.code == 1
        assert "but the anchored head in 1.note says" in done.out
    await house.rows(
        "TRUNCATE effects, grants CASCADE"
    )  # what it spoke of is gone; nothing is left to explain


async def test_looking_at_a_log_makes_no_key(env: Env, settings: Settings) -> None:
    done = await countersign("verify", env=env)

    assert done.code == 0
    assert "no key is here, so no signature was checked" in done.out
    assert not (settings.home / "log.key").exists()


@pytest.mark.parametrize("key", ["nonsense", "a+00000000+AQ=="])
async def test_what_is_no_key_is_refused(env: Env, key: str) -> None:
    done = await countersign("verify", "--key", key, env=env)

    assert done.code == 2
    assert "It is no key of a log" in " ".join(done.err.replace("│", " ").split())


async def test_a_file_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    done = await offline("verify", tmp_path / "nowhere", home=tmp_path)

    assert done.code == 1
    assert "nowhere" in done.complaint
