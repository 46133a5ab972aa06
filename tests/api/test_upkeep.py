"""The worker's upkeep goes on, whatever one round of it ran into."""

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from api import worker
from api.serve import working
from api.signals import until_signal
from api.worker import run_worker
from checkpoints.anchored import read_anchored
from checkpoints.embedded import EmbeddedPostgres
from checkpoints.errors import DatabaseAway
from checkpoints.worker import Pace
from graphs.anchor_places import read_anchors
from graphs.settings import Settings
from graphs.wiring import Parts
from tests.api.outage import closed
from tests.engine.processes import until
from tests.fakes.mail_server import mail_server
from tests.fakes.receiver import Answer, receiver
from tests.graphs.post_office import hurried, mail, post_office, webhook
from tests.house import House, ManualClock

SOON = timedelta(milliseconds=10)


async def test_a_worker_outlives_an_outage_of_its_database(
    parts: Parts,
    house: House,
    settings: Settings,
    postgres: EmbeddedPostgres,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def noticed() -> bool:
        return "upkeep waits for the database" in caplog.text

    async def closed_case() -> bool:
        return [case["status"] for case in await house.rows("SELECT status FROM cases")] == ["closed"]

    stop = asyncio.Event()
    working = asyncio.create_task(run_worker(parts, stop, pace=Pace(grow_every=timedelta(milliseconds=50))))
    async with closed(postgres, settings):
        await until(noticed, "upkeep notices the outage")
    await house.send("clean_29_90_1")
    await until(closed_case, "the case is closed")
    stop.set()
    await working


async def test_a_worker_tells_people_and_systems_whatever_one_channel_does(
    parts: Parts, settings: Settings, clock: ManualClock
) -> None:
    """One channel never answers; the others are told all the same, and the worker stops in good order."""
    async with mail_server() as server, receiver() as hanging, receiver() as running:
        hanging.answer = Answer(hangs=True)
        channels = [webhook(hanging, name="hanging"), mail(server), webhook(running)]
        office = hurried(post_office(parts, settings, clock, channels), timedelta(seconds=2))

        async def all_told() -> bool:
            sent = {(one.channel, one.recipient) for one in await office.deliveries(state="sent")}
            return sent == {("mail", "person:lee"), ("mail", "person:max"), ("ops", "ops")}

        async def tried() -> bool:
            return (await office.delivery(channel="hanging")).error is not None

        async with working(office.parts, pace=Pace(notify_every=SOON)):
            await office.house.send("clean_120_00_1")
            await until(all_told, "mail and webhook have come")
            await until(tried, "the receiver that hangs was given up for now")

    assert len(server.mails) == 2
    assert len(running.requests) == len(hanging.requests) == 1


async def test_a_worker_signs_heads_and_anchors_them(parts: Parts, house: House, tmp_path: Path) -> None:
    anchored = replace(parts, anchors=read_anchors(f"file://{tmp_path}/heads"))

    async def kept() -> bool:
        return bool(await house.rows("SELECT size FROM audit_anchors"))

    async with working(anchored, pace=Pace(grow_every=SOON, anchor_every=SOON)):
        await house.send("clean_29_90_1")
        await until(kept, "a head is anchored")

    heads, faults = read_anchored([tmp_path / "heads"], [parts.signer.key])
    assert (bool(heads), faults) == (True, [])


async def test_upkeep_is_tried_again_after_any_failure(caplog: pytest.LogCaptureFixture) -> None:
    stop, rounds = asyncio.Event(), 0

    async def deed() -> int:
        nonlocal rounds
        rounds += 1
        match rounds:
            case 1:
                raise DatabaseAway
            case 2:
                raise RuntimeError("a bug of ours")
            case _:
                stop.set()
                return 0

    async with asyncio.timeout(30):
        await worker._every(SOON, deed, stop)

    assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.ERROR]
    assert "a bug of ours" in caplog.text


async def test_whoever_waits_for_a_signal_also_notices_that_the_worker_ended() -> None:
    async def failing() -> None:
        raise RuntimeError("the worker's end")

    task = asyncio.create_task(failing())
    async with asyncio.timeout(30):
        await until_signal(task)
    with pytest.raises(RuntimeError):
        await task
