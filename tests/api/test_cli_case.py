"""`countersign explain` and `export`: a case on one screen, and in two files that stand alone."""

import json
from pathlib import Path

import pytest

from graphs.settings import Settings
from tests.api.command import countersign
from tests.api.door import Door
from tests.api.test_cli import Terminal

LEADS, SMALL = "clean_120_00_1", "clean_29_90_1"
OFFLINE = {"COUNTERSIGN_URL": "http://127.0.0.1:1"}


@pytest.fixture
def terminal(door: Door, settings: Settings) -> Terminal:
    return Terminal(
        door, {"COUNTERSIGN_URL": str(door.http.base_url), "COUNTERSIGN_HOME": str(settings.home)}
    )


def names_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


async def done(door: Door) -> str:
    review = await door.waiting(LEADS)
    await door.get("lee", f"/reviews/{review['id']}")
    await door.vote("lee", review, comment="Seen the photo.")
    await door.house.work()
    return str(review["case_id"])


async def test_a_case_is_explained_on_one_screen(terminal: Terminal) -> None:
    case_id = await done(terminal.door)
    told = await terminal.run("reader", "explain", case_id)

    lines = told.out.splitlines()
    assert (told.code, told.err) == (0, "")
    assert len(lines) <= 50
    assert max(len(line) for line in lines[:-1]) <= 80
    for words in (
        "Refund for order",
        "policy (playbook, 90 % sure)",
        "row RF-91",
        "window_total 120.00 EUR",
        "approved by person:lee as support_lead after 0 s",
        "payments.reverse_refund until",
        "closed",
    ):
        assert words in told.out, words
    assert "Seen the photo." not in told.out
    assert lines[-1] == (
        f"Check the proof: countersign export {case_id} --to . && countersign verify {case_id}.json"
    )


async def test_an_exported_case_is_explained_and_drawn_again_offline(
    terminal: Terminal, tmp_path: Path
) -> None:
    case_id = await done(terminal.door)
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    for folder in (first, second):
        made = await terminal.run("lee", "export", case_id, "--to", folder)
        assert (made.code, made.err) == (0, "")
        assert made.out.splitlines() == [str(folder / f"{case_id}.{end}") for end in ("json", "html")]
    again = await countersign("export", first / f"{case_id}.json", "--to", third, env=OFFLINE)

    assert again.code == 0
    for end in ("json", "html"):
        files = [(folder / f"{case_id}.{end}").read_bytes() for folder in (first, second, third)]
        assert files[0] == files[1] == files[2]
    told = await countersign("explain", first / f"{case_id}.json", env=OFFLINE)
    assert (told.code, told.err) == (0, "")
    assert "approved by person:lee as support_lead" in told.out
    assert told.out.splitlines()[-1].endswith(f"countersign verify {first / case_id}.json")


async def test_unmasked_files_show_values_to_their_owner_alone(terminal: Terminal, tmp_path: Path) -> None:
    case_id = await done(terminal.door)
    folder = tmp_path / "clear"
    clear = ("export", case_id, "--to", folder, "--unmask")
    silent = await terminal.run("pia", *clear)
    refused = await terminal.run("lee", *clear, "--why", "I want to know.")
    assert (silent.code, refused.code) == (2, 1)
    assert "--why" in silent.err
    assert folder.name not in names_in(tmp_path)

    made = await terminal.run("pia", *clear, "--why", "The bank asks.")
    assert made.code == 0, made.err
    files = [folder / f"{case_id}.{end}" for end in ("json", "html")]
    assert all("Seen the photo." in file.read_text() for file in files)
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    told = await countersign("explain", files[0], env=OFFLINE)
    assert "Seen the photo." in told.out


async def test_what_does_not_hold_is_said_before_it_is_explained(terminal: Terminal, tmp_path: Path) -> None:
    case_id = await terminal.door.opened(SMALL)
    await terminal.door.house.work()
    await terminal.run("lee", "export", case_id, "--to", tmp_path)
    file = tmp_path / f"{case_id}.json"
    file.write_text(file.read_text().replace('"amount_minor":2990', '"amount_minor":29900'))

    told = await countersign("explain", file, env=OFFLINE)
    assert "This does not hold: " in told.err
    assert "digest is not that of the action" in told.err


async def test_what_is_no_dossier_is_a_mistake_of_usage(tmp_path: Path) -> None:
    file = tmp_path / "case.json"
    file.write_text(json.dumps({"format": "another"}))
    for command in (("explain", file), ("export", file, "--to", tmp_path)):
        refused = await countersign(*command, env=OFFLINE)
        assert refused.code == 2
        words = refused.err.replace("│", " ").split()  # which break where the path is long
        assert "is no dossier:" in " ".join(words)


async def test_a_case_that_is_no_file_takes_a_token() -> None:
    refused = await countersign("explain", "01a21ce7", env=OFFLINE)
    assert refused.code == 2
    assert "COUNTERSIGN_TOKEN" in refused.err


async def test_an_exported_case_is_verified_offline(terminal: Terminal, tmp_path: Path) -> None:
    case_id = await done(terminal.door)
    await terminal.run("lee", "export", case_id, "--to", tmp_path)
    file, key = tmp_path / f"{case_id}.json", str(terminal.door.house.parts.signer.key)

    held = await countersign("verify", file, "--key", key, env=OFFLINE)
    assert (held.code, held.err) == (0, "")
    assert held.out.splitlines()[-1] == "The dossier holds."
    by_itself = await countersign("verify", file, "--json", env=OFFLINE)
    assert json.loads(by_itself.out)["holds"]

    altered = tmp_path / "altered.json"
    altered.write_text(file.read_text().replace("person:lee", "person:max"))
    found = await countersign("verify", altered, "--key", key, env=OFFLINE)
    assert found.code == 1
    assert "was altered" in found.out
