"""Live: the process answers. Ready: the database answers too."""

from checkpoints.embedded import EmbeddedPostgres
from graphs.settings import Settings
from tests.api.door import Door, envelope, problem
from tests.api.outage import closed


async def test_a_process_with_its_database_is_live_and_ready(door: Door) -> None:
    live, ready = await door.http.get("/health/live"), await door.http.get("/health/ready")
    assert (live.status_code, live.json()) == (200, {"status": "live"})
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})


async def test_without_its_database_it_is_live_but_not_ready(
    door: Door, settings: Settings, postgres: EmbeddedPostgres
) -> None:
    async with closed(postgres, settings):
        problem(await door.http.get("/health/ready"), 503, "database-away")
        assert (await door.http.get("/health/live")).status_code == 200


async def test_without_its_database_every_route_says_so(
    door: Door, settings: Settings, postgres: EmbeddedPostgres
) -> None:
    async with closed(postgres, settings):
        for path in ("/cases", "/cases/x", "/reviews", "/reviews/x", "/audit/verify"):
            problem(await door.ask("lee", "GET", path), 503, "database-away")
        problem(await door.send(envelope("clean_29_90_1")), 503, "database-away")


async def test_it_is_ready_again_when_the_database_comes_back(
    door: Door, settings: Settings, postgres: EmbeddedPostgres
) -> None:
    async with closed(postgres, settings):
        assert (await door.http.get("/health/ready")).status_code == 503
        assert (await door.send(envelope("clean_29_90_1"))).status_code == 503

    assert (await door.http.get("/health/ready")).status_code == 200
    assert (await door.send(envelope("clean_29_90_1"))).status_code == 202
