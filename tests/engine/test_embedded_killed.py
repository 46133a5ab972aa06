"""The embedded database killed under a running house."""

import os
import signal
from pathlib import Path

import pytest

from api.serve import working
from checkpoints.cases import Status
from checkpoints.embedded import EmbeddedPostgres
from checkpoints.errors import DatabaseAway
from graphs import addresses
from graphs.settings import Settings
from graphs.wiring import open_parts
from tests.engine.processes import until
from tests.house import House
from tools.contract import ToolError


async def test_a_killed_database_comes_back_and_the_case_goes_on(
    postgres: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[EmbeddedPostgres] = []
    keep = addresses.kept_running

    def noted(server: EmbeddedPostgres):  # type: ignore[no-untyped-def] # noqa: ANN202
        started.append(server)
        return keep(server)

    monkeypatch.setattr(addresses, "kept_running", noted)
    home = postgres.home / f"own-{os.getpid()}-{tmp_path.name}"
    home.mkdir(mode=0o755)
    async with open_parts(Settings(home=home, people_file=home / "people.yaml")) as parts, working(parts):
        house = House(parts)
        postmaster = started[0].server.postmaster()
        assert postmaster is not None
        os.kill(postmaster, signal.SIGKILL)

        async def sent() -> bool:
            try:
                await house.send("clean_29_90_1")
            except (DatabaseAway, ToolError):
                return False
            return True

        await until(sent, "the event is taken in")

        async def closed() -> bool:
            try:
                return bool((await house.rows("SELECT status FROM cases"))[0]["status"] == Status.CLOSED)
            except DatabaseAway:
                return False

        await until(closed, "the case is closed")
