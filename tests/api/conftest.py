"""The API on a socket of this machine, with people and services of every kind in its people file."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

from api.serve import serving
from graphs.people import (
    PERSON_PREFIX,
    SERVICE_PREFIX,
    PeopleFile,
    Person,
    Service,
    new_token,
    write_people,
)
from graphs.settings import Settings
from graphs.wiring import Parts
from tests.api.door import Door
from tests.house import House, ManualClock

PEOPLE = {
    "lee": ["support_lead"],
    "max": ["support_lead"],
    "finn": ["finance"],
    "kit": ["rule_keeper"],
    "kai": ["rule_keeper", "support_lead"],
    "pia": ["privacy_officer"],
    "nora": [],
    "eve": ["finance"],
}
SERVICES = {
    "shop": ["cases:start", "cases:read"],
    "reader": ["cases:read"],
    "bank": ["cases:outcome"],
    "gauge": ["metrics:read"],
    "mute": [],
}
EXPIRED = "eve"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "alone: starts a whole Countersign of its own; may be run by itself")


@pytest.fixture
def tokens(settings: Settings, clock: ManualClock) -> dict[str, str]:
    """The people file is there; these are the tokens it knows, by whose they are."""
    return make_people(settings.people_file, clock.now)


@pytest.fixture
def own_home() -> Iterator[Path]:
    """A home for an embedded Postgres, which every user can enter, as pytest's own folders are not."""
    folder = Path(tempfile.mkdtemp(prefix="cs-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
async def door(
    parts: Parts, settings: Settings, house: House, clock: ManualClock, tokens: dict[str, str]
) -> AsyncIterator[Door]:
    async with (
        serving(parts, host="127.0.0.1", port=0) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as http,
    ):
        yield Door(http=http, tokens=tokens, house=house, clock=clock)


def make_people(path: Path, now: datetime) -> dict[str, str]:
    content, tokens = PeopleFile(), {}
    for name, roles in PEOPLE.items():
        life = timedelta(days=-1 if name == EXPIRED else 90)
        tokens[name], kept = new_token(PERSON_PREFIX, life, now)
        content = content.with_person(Person(id=name, name=name.title(), roles=roles, tokens=[kept]))
    for name, scopes in SERVICES.items():
        tokens[name], kept = new_token(SERVICE_PREFIX, timedelta(days=90), now)
        content = content.with_service(Service(id=name, name=name.title(), scopes=scopes, keys=[kept]))
    write_people(path, content)
    return tokens
