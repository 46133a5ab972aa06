"""deploy/ is kept honest: what it starts is started here, the same commands without Docker."""

import asyncio
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
import tomllib
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from api import serve
from checkpoints.embedded import APPLICATION, EmbeddedPostgres, embedded_postgres
from checkpoints.worker import USUAL_PACE
from graphs.tracing import FLUSH_SECONDS
from tests.api.command import countersign, ended, said, started
from tests.api.conftest import make_people
from tests.api.door import STRUCTURED, envelope
from tests.deploy.containers import (
    DEPLOY,
    ROOT,
    Instruction,
    address,
    compose,
    dockerfile,
    entry_point,
    image_environment,
    one,
    seconds,
    variables_of_compose,
)
from tests.engine.processes import until

OWNER = "countersign_owner"
PATIENCE_SECONDS = 400
"""Three processes start from nothing, and found a company first."""
SECRETS = {"COUNTERSIGN_OWNER_PASSWORD": "ownerpass", "COUNTERSIGN_APP_PASSWORD": "apppass"}
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Stage:
    """The compose file's Postgres, as a server of our own with the same roles and databases; and a home."""

    server: EmbeddedPostgres
    home: Path
    services: dict[str, Any]

    def environment(self, service: str) -> dict[str, str]:
        """The image's variables and the service's, with addresses and paths that lead somewhere here."""
        inside = image_environment(dockerfile()[-1])
        given = {name: self._here(value) for name, value in self.services[service]["environment"].items()}
        return {"COUNTERSIGN_HOME": str(self.home), "PYTHONUNBUFFERED": inside["PYTHONUNBUFFERED"], **given}

    def command(self, service: str, port: int | None = None) -> list[str]:
        """The service's command, on another port: on this machine its own may be taken."""
        return [str(port) if port and word.isdigit() else word for word in self.services[service]["command"]]

    async def healthy(self, service: str, port: int) -> bool:
        """Whether the service's health check holds."""
        kind, program, *arguments = self.services[service]["healthcheck"]["test"]
        assert (kind, program) == ("CMD", "python")
        own = self.services[service]["command"][-1]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *(word.replace(f":{own}/", f":{port}/") for word in arguments),
            stderr=asyncio.subprocess.DEVNULL,
        )
        return await process.wait() == 0

    def _here(self, value: str) -> str:
        there = address(value)
        return self.server.url(there[1], there[0]) if there else value


@pytest.fixture
def stage_home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="cs-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
async def stage(stage_home: Path) -> AsyncIterator[Stage]:
    services = compose(SECRETS)["services"]
    given = services["postgres"]["environment"]
    async with embedded_postgres(stage_home, durable=False) as server:
        async with await psycopg.AsyncConnection.connect(server.url("postgres"), autocommit=True) as admin:
            await admin.execute(f"CREATE ROLE {given['POSTGRES_USER']} SUPERUSER LOGIN".encode())
            await admin.execute(
                f"CREATE DATABASE {given['POSTGRES_DB']} OWNER {given['POSTGRES_USER']}".encode()
            )
        folder = server.server.binaries.folder
        if not (folder / "psql").exists():
            pytest.skip("there is no psql beside this Postgres")
        process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            str(DEPLOY / "first-start.sh"),
            env={
                "PATH": f"{folder}:{os.environ['PATH']}",
                "PGHOST": str(server.server.socket),
                "PGPORT": "5432",
                **given,
            },
        )
        assert await process.wait() == 0
        yield Stage(server, stage_home, services)


async def test_what_compose_starts_takes_a_case_to_its_end_and_drains(stage: Stage) -> None:
    migrated = await countersign(*stage.command("migrate"), env=stage.environment("migrate"))
    assert (migrated.code, migrated.err) == (0, "")  # a warning would say that the log has one owner for all
    tokens = make_people(stage.home / "people.yaml", datetime.now(UTC))
    replicas = stage.services["worker"]["deploy"]["replicas"]
    ports = [_free_port() for _ in range(1 + replicas)]
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(
            started(*stage.command("api", ports[0]), env=stage.environment("api"), patience=PATIENCE_SECONDS)
        )
        await said(api, "People file")
        workers = []
        for port in ports[1:]:
            command = stage.command("worker", port)
            workers.append(
                await stack.enter_async_context(
                    started(*command, env=stage.environment("worker"), patience=PATIENCE_SECONDS)
                )
            )
        for worker, port in zip(workers, ports[1:], strict=True):
            await said(worker, "The worker takes jobs.")
            assert await stage.healthy("worker", port)
        assert await stage.healthy("api", ports[0])

        await _closes(f"http://127.0.0.1:{ports[0]}", tokens["shop"])
        looked = await countersign("doctor", env=stage.environment("api"))
        assert looked.code == 0, looked.out
        assert f"{replicas} alive" in looked.out
        for process in (*workers, api):
            done = await ended(process, signal.SIGTERM)
            assert (done.code, done.out, done.err) == (0, "", "")


async def _closes(url: str, token: str) -> None:
    """An event's case is closed by whichever worker takes it."""
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=url, trust_env=False, headers=headers, timeout=60) as http:
        sent = await http.post(
            "/events", json=envelope("clean_29_90_1"), headers={"Content-Type": STRUCTURED}
        )
        assert sent.status_code == 202, sent.text

        async def closed() -> bool:
            found = await http.get(f"/cases/{sent.json()['case_id']}")
            return str(found.json()["status"]) == "closed"

        await until(closed, "the case is closed")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def test_only_the_migration_knows_the_owner_and_it_runs_once_before_the_rest() -> None:
    services = compose(SECRETS)["services"]
    ours = {name: service for name, service in services.items() if name != "postgres"}
    assert {name for name, service in ours.items() if OWNER in str(service["environment"])} == {"migrate"}
    assert services["migrate"]["restart"] == "no"
    for name in ("api", "worker"):
        assert services[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
        (role, _) = address(services[name]["environment"]["DATABASE_URL"]) or ("", "")
        assert role == APPLICATION
    assert services["worker"]["deploy"]["replicas"] == 2


def test_the_grace_period_is_longer_than_a_drain_takes() -> None:
    longest = serve._PATIENCE_SECONDS + USUAL_PACE.grace.total_seconds() + FLUSH_SECONDS
    for name in ("api", "worker"):
        assert seconds(compose(SECRETS)["services"][name]["stop_grace_period"]) > longest


def test_nothing_listens_beyond_this_machine_and_nobody_has_more_than_he_needs() -> None:
    services = compose(SECRETS)["services"]
    published = [port for service in services.values() for port in service.get("ports", ())]
    assert all(port.startswith("127.0.0.1:") for port in published)
    for name in ("migrate", "api", "worker"):
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["read_only"]


def test_every_secret_is_asked_for_and_none_is_chosen() -> None:
    example = (DEPLOY / "env.example").read_text(encoding="utf-8")
    assert set(re.findall(r"^(\w+)=$", example, re.MULTILINE)) == variables_of_compose() == set(SECRETS)


def test_the_image_holds_the_packages_and_no_more_than_is_named() -> None:
    build, _ = dockerfile()
    copied = _copied(build)
    assert {name for name in copied if (ROOT / name).is_dir()} == set(
        PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    )
    let_in = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert {line.removeprefix("!") for line in let_in if line.startswith("!")} == {
        name.removesuffix("*") for name in copied
    }
    synced = [line.rest for line in build if "uv sync" in line.rest]
    assert all("uv sync --no-dev" in line for line in synced)
    locked = {package["name"] for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}
    left_out = {name for line in synced for name in re.findall(r"--no-install-package (\S+)", line)}
    assert left_out <= locked


def test_the_image_is_built_from_what_a_fresh_clone_has() -> None:
    build, _ = dockerfile()
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    needed = {name for name in _copied(build) if not name.endswith("*")}
    assert all((ROOT / name).exists() for name in needed)
    assert needed.isdisjoint(name.strip("/") for name in ignored)


def _copied(stage: list[Instruction]) -> set[str]:
    return {word for line in stage if line.word == "COPY" for word in line.rest.split()[:-1]}


def test_what_runs_is_not_root_and_has_nothing_to_build_with() -> None:
    build, final = dockerfile()
    asked = PROJECT["project"]["requires-python"].removeprefix(">=")
    assert one(build, "FROM") == f"python:{asked}-slim AS build"
    assert one(final, "FROM") == f"python:{asked}-slim"
    assert one(final, "USER") == "countersign"
    assert "pip uninstall" in one(final, "RUN")
    assert not re.search(r"apt-get|gcc|build-essential|\buv\b", " ".join(line.rest for line in final))
    assert [line.rest for line in final if line.word == "COPY"] == [
        "--from=build /opt/countersign /opt/countersign"
    ]
    assert entry_point(final) == list(PROJECT["project"]["scripts"])
    assert one(final, "STOPSIGNAL") == "SIGTERM"


def test_the_home_is_a_volume() -> None:
    inside = image_environment(dockerfile()[-1])["COUNTERSIGN_HOME"]
    for name in ("migrate", "api", "worker"):
        assert compose(SECRETS)["services"][name]["volumes"] == [f"home:{inside}"]
