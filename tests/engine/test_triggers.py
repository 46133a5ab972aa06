"""Triggers in a real worker process: killed in the middle, and nothing is lost or doubled."""

import json
import os
from pathlib import Path

import psycopg
import pytest

from checkpoints.cases import Status
from graphs.settings import Settings
from tests.engine.processes import until, worker_process
from tests.graphs.triggering import CLAIMS, SCENES, TABLE, Office, entrust, folder_entry, write_file
from tests.house import House, ManualClock, refund_event


async def test_a_worker_process_takes_rows_and_files_in_also_after_it_was_killed(
    house: House, settings: Settings, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings.sandbox_url is not None
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    entrust(settings, "cases:start", now=clock.now)
    write_file(settings, tables=[TABLE], folders=[folder_entry(inbox)])
    monkeypatch.setitem(os.environ, "CLAIMS_URL", settings.sandbox_url)
    office = Office(house, settings.sandbox_url, "/triggers/claims")
    await office.sql(CLAIMS)

    async def closed(number: int) -> bool:
        rows = await house.rows("SELECT status FROM cases")
        return len(rows) == number and {row["status"] for row in rows} == {Status.CLOSED}

    async with await psycopg.AsyncConnection.connect(settings.sandbox_url) as slow:
        late = await office.claim_within(slow, 1, clock.now, by=SCENES[0])
        early = await office.claim(2, clock.now, by=SCENES[1])
        async with worker_process(settings) as first:
            await until(lambda: closed(1), "the row that is there is a closed case")
            first.kill()
            await first.wait()
        await slow.commit()
    (tmp_path / "draft").write_text(json.dumps(refund_event(SCENES[2]).data))
    (tmp_path / "draft").rename(inbox / "claim.json")
    async with worker_process(settings):
        await until(lambda: closed(3), "the late row and the file are closed cases")

    assert await office.opened() == [late, early]
    assert (inbox / "done" / "claim.json").exists()
