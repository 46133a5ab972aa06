"""Who may come in stands in a small file: hashed, expiring tokens, believed only while the file is whole."""

import hashlib
import json
import stat
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from graphs.people import (
    PERSON_PREFIX,
    People,
    PeopleFile,
    PeopleFileUnfit,
    Person,
    UnknownToken,
    new_token,
    read_people,
    write_people,
)
from graphs.settings import Settings
from tests.api.conftest import make_people
from tests.api.door import Door, Json, problem
from tests.conftest import AS_OF
from tests.house import ManualClock

TOKEN = PERSON_PREFIX + "x" * 43
HASH = hashlib.sha256(TOKEN.encode()).hexdigest()
LEE: Json = {
    "id": "lee",
    "name": "Lee",
    "roles": ["support_lead"],
    "tokens": [{"sha256": HASH, "expires_at": "2027-01-01T00:00:00Z"}],
}

UNFIT: dict[str, tuple[str | bytes, str]] = {
    "no YAML": ("people: [", "line 1"),
    "no UTF-8": (b"people: []\n\xff", "cannot be read"),
    "a list": ("- lee", "valid dictionary"),
    "a key twice": ("people: []\npeople: []", "said twice"),
    "an alias": ("people: &all []\nservices: *all", "aliases are not read"),
    "lists in lists": ("[" * 5000, "cannot be read"),
    "an unknown key": (yaml.safe_dump({"persons": [LEE]}), "persons: Extra inputs"),
    "an unknown key of a person": (
        yaml.safe_dump({"people": [LEE | {"admin": True}]}),
        "people.0.admin: Extra",
    ),
    "an unknown scope": (
        yaml.safe_dump({"services": [{"id": "shop", "name": "Shop", "scopes": ["cases:all"]}]}),
        "services.0.scopes.0",
    ),
    "a role that is no name": (yaml.safe_dump({"people": [LEE | {"roles": ["Lead!"]}]}), "people.0.roles.0"),
    "an id that YAML takes for a truth value": ("people: [{id: no, name: No, roles: []}]", "people.0.id"),
    "a token in clear": (
        yaml.safe_dump({"people": [LEE | {"tokens": [{"sha256": TOKEN, "expires_at": AS_OF}]}]}),
        "people.0.tokens.0.sha256",
    ),
    "an expiry without a zone": (
        yaml.safe_dump({"people": [LEE | {"tokens": [{"sha256": HASH, "expires_at": "2027-01-01T00:00"}]}]}),
        "people.0.tokens.0.expires_at",
    ),
    "a token without an expiry": (
        yaml.safe_dump({"people": [LEE | {"tokens": [{"sha256": HASH}]}]}),
        "people.0.tokens.0.expires_at",
    ),
    "a person twice": (json.dumps({"people": [LEE, LEE | {"tokens": []}]}), "a person is there twice"),
    "one token for two": (json.dumps({"people": [LEE, LEE | {"id": "max"}]}), "a token is there twice"),
}
"""Contents of a people file, and what the refusal says."""


def test_the_file_holds_hashes_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "people.yaml"
    tokens = make_people(path, AS_OF)

    text = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for token in tokens.values():
        assert token not in text
        assert token.partition("_")[2] not in text
        assert hashlib.sha256(token.encode()).hexdigest() in text
    assert [entry.name for entry in path.parent.iterdir()] == ["people.yaml"]


def test_writing_takes_a_file_back_that_others_could_read(tmp_path: Path) -> None:
    path = tmp_path / "people.yaml"
    path.touch(mode=0o666)
    write_people(path, PeopleFile())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_tokens_are_long_and_never_the_same() -> None:
    tokens = {new_token(PERSON_PREFIX, timedelta(days=1), AS_OF)[0] for _ in range(100)}
    assert len(tokens) == 100
    assert all(token.startswith(PERSON_PREFIX) and len(token) >= 47 for token in tokens)


def test_adding_somebody_again_replaces_their_tokens_and_nobody_elses(tmp_path: Path) -> None:
    old = PeopleFile.model_validate({"people": [LEE, LEE | {"id": "max", "tokens": []}]})
    new = old.with_person(Person(id="lee", name="Lee", roles=["finance"]))

    assert [(person.id, person.roles, len(person.tokens)) for person in new.people] == [
        ("max", ["support_lead"], 0),
        ("lee", ["finance"], 0),
    ]


def test_a_token_is_good_until_the_instant_it_expires(tmp_path: Path) -> None:
    clock, path = ManualClock(AS_OF), tmp_path / "people.yaml"
    token, kept = new_token(PERSON_PREFIX, timedelta(days=1), AS_OF)
    write_people(path, PeopleFile(people=[Person(id="lee", name="Lee", roles=[], tokens=[kept])]))
    people = People(path, clock)

    clock.advance(timedelta(days=1) - timedelta(microseconds=1))
    assert people.principal(token).id == "lee"
    clock.advance(timedelta(microseconds=1))
    with pytest.raises(UnknownToken):
        people.principal(token)


def test_neither_a_hash_nor_a_piece_of_a_token_is_a_token(tmp_path: Path) -> None:
    path = tmp_path / "people.yaml"
    path.write_text(yaml.safe_dump({"people": [LEE]}))
    people = People(path, ManualClock(AS_OF))

    assert people.principal(TOKEN).actor == "person:lee"
    for wrong in (HASH, TOKEN[:-1], TOKEN.upper(), TOKEN.removeprefix(PERSON_PREFIX), "", "\ud800"):
        with pytest.raises(UnknownToken):
            people.principal(wrong)


@pytest.mark.parametrize("what", UNFIT)
def test_a_file_that_is_not_whole_is_refused_in_one_line_that_quotes_no_token(
    tmp_path: Path, what: str
) -> None:
    content, said = UNFIT[what]
    path = tmp_path / "people.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(PeopleFileUnfit) as refused:
        read_people(path)

    message = str(refused.value)
    assert said in message
    assert str(path) in message
    assert "\n" not in message
    assert TOKEN not in message


def test_a_folder_in_the_files_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PeopleFileUnfit, match="cannot be read"):
        People(tmp_path, ManualClock(AS_OF)).principal(TOKEN)
    beside = tmp_path / "file"
    beside.touch()
    with pytest.raises(PeopleFileUnfit, match="cannot be read"):
        People(beside / "people.yaml", ManualClock(AS_OF)).principal(TOKEN)


def test_no_file_and_an_empty_file_know_nobody(tmp_path: Path) -> None:
    assert read_people(tmp_path / "people.yaml") == PeopleFile()
    (tmp_path / "people.yaml").touch()
    assert read_people(tmp_path / "people.yaml") == PeopleFile()


async def test_who_is_taken_out_of_the_file_is_refused_at_the_next_request(
    door: Door, settings: Settings
) -> None:
    await door.get("lee", "/cases")
    content = read_people(settings.people_file)
    write_people(
        settings.people_file,
        content.model_copy(update={"people": [p for p in content.people if p.id != "lee"]}),
    )

    problem(await door.ask("lee", "GET", "/cases"), 401, "unauthenticated")
    await door.get("max", "/cases")


async def test_a_file_that_is_edited_where_it_is_counts_at_the_next_request(
    door: Door, settings: Settings
) -> None:
    await door.get("shop", "/cases")
    text = settings.people_file.read_text()
    settings.people_file.write_text(text.replace("- cases:read", "- cases:start"))

    problem(await door.ask("shop", "GET", "/cases"), 403, "forbidden")


async def test_a_role_that_is_taken_away_is_gone_at_the_next_vote(door: Door, settings: Settings) -> None:
    review = await door.waiting("clean_120_00_1")
    text = settings.people_file.read_text()
    settings.people_file.write_text(text.replace("support_lead", "auditor"))

    problem(await door.vote("lee", review), 403, "not-eligible")


async def test_a_broken_file_lets_nobody_in_until_it_is_mended(
    door: Door, settings: Settings, caplog: pytest.LogCaptureFixture, subtests: pytest.Subtests
) -> None:
    await door.get("lee", "/cases")
    whole = settings.people_file.read_bytes()
    for what, (content, _) in UNFIT.items():
        with subtests.test(what):
            caplog.clear()
            settings.people_file.write_bytes(content if isinstance(content, bytes) else content.encode())
            async with door.only_recorded(by="nobody"):
                response = await door.ask("lee", "GET", "/cases")
            body = problem(response, 503, "people-file-unfit")
            assert body["detail"] == "nobody can be let in: the people file is unfit"
            assert str(settings.people_file) not in response.text
            (line,) = [record.getMessage() for record in caplog.records]
            assert str(settings.people_file) in line
            assert "\n" not in line

    assert (await door.http.get("/health/ready")).status_code == 200
    settings.people_file.write_bytes(whole)
    await door.get("lee", "/cases")


async def test_without_a_file_nobody_comes_in(door: Door, settings: Settings) -> None:
    await door.get("lee", "/cases")
    settings.people_file.unlink()
    problem(await door.ask("lee", "GET", "/cases"), 401, "unauthenticated")
