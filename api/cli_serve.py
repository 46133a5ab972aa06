"""`countersign up | api | worker`: what runs until a signal says stop."""

from typing import TYPE_CHECKING, Annotated

import typer

from api.cli_run import start
from api.show import say
from graphs.settings import Settings

if TYPE_CHECKING:
    from graphs.people import PeopleFile
    from graphs.wiring import Parts

Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)]
Concurrency = Annotated[int, typer.Option(help="Cases worked on at once.", min=1, max=50)]


def up(host: Host = "127.0.0.1", port: Port = 8765, concurrency: Concurrency = 4) -> None:
    """Run the API and a worker in this process until Ctrl-C."""
    from api.serve import serving, until_signal, working
    from graphs.people import read_people
    from graphs.wiring import open_parts

    async def run(settings: Settings) -> None:
        people = read_people(settings.people_file)
        async with (
            open_parts(settings) as parts,
            working(parts, concurrency=concurrency) as work,
            serving(parts, host=host, port=port) as url,
        ):
            _greet(url, parts, settings, people)
            await until_signal(work)

    start(run)


def api(host: Host = "127.0.0.1", port: Port = 8765) -> None:
    """Run the API alone until Ctrl-C; workers run elsewhere."""
    from api.serve import serving, until_signal
    from graphs.people import read_people
    from graphs.wiring import open_parts

    async def run(settings: Settings) -> None:
        people = read_people(settings.people_file)
        async with open_parts(settings) as parts, serving(parts, host=host, port=port) as url:
            _greet(url, parts, settings, people)
            await until_signal()

    start(run)


def worker(
    host: Host = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(help="Port for /health and /metrics; none without it.", min=0, max=65535),
    ] = None,
    concurrency: Concurrency = 4,
) -> None:
    """Run a worker in this process until Ctrl-C."""
    from contextlib import AsyncExitStack

    from api.app import create_worker_app
    from api.serve import listening, until_signal, working
    from graphs.wiring import open_parts

    async def run(settings: Settings) -> None:
        async with AsyncExitStack() as stack:
            parts = await stack.enter_async_context(open_parts(settings))
            if port is not None:
                app = create_worker_app(parts)
                url = await stack.enter_async_context(listening(app, host=host, port=port))
                say(f"The worker tells how it is on {url}")
            work = await stack.enter_async_context(working(parts, concurrency=concurrency))
            say(parts.tracer.where)
            say("The worker takes jobs.")
            await until_signal(work)

    start(run)


def _greet(url: str, parts: "Parts", settings: Settings, people: "PeopleFile") -> None:
    say(f"Countersign listens on {url}")
    say(parts.tracer.where)
    say(f"People file: {settings.people_file}")
    if not people.people:
        say("Nobody can come in yet: countersign people add maya --role support_lead")
