"""`countersign stop | release | halts`: the stop switch, over the API or on the database of this host."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from api.cli_run import LOCAL, Url, ask, start
from api.cli_run import Json as AsJson
from api.client import Client
from api.show import as_json, say, show_lines
from graphs.settings import Settings
from nodes.shapes import Json

if TYPE_CHECKING:
    from checkpoints.database import Database
    from checkpoints.queue import Queue
    from graphs.halting import Switch
    from nodes.workflow import Workflow

HERE = "--here works on this host's database, past the API: with DATABASE_URL or the embedded one."
Here = Annotated[bool, typer.Option("--here", help=HERE)]
Key = Annotated[str | None, typer.Option("--token", envvar="COUNTERSIGN_TOKEN", help="Your token.")]
What = Literal["everything", "workflow", "agent", "tool", "connector"]
Scope = Annotated[What, typer.Argument(metavar="WHAT", help=", ".join(get_args(What)))]


@dataclass(frozen=True, kw_only=True, slots=True)
class Host:
    """What of the parts the switch needs, when nothing else runs here."""

    database: "Database"
    queue: "Queue"
    workflows: "Mapping[str, Workflow]"
    clock: Callable[[], datetime]
    ids: Callable[[], str]
    by: str = field(default="host:operator")


def stop(
    scope: Scope,
    target: Annotated[str | None, typer.Argument(help="Its name; none for everything.")] = None,
    reason: Annotated[
        str, typer.Option(help="incident, suspected_fraud, misbehaviour, maintenance or drill.")
    ] = "incident",
    remark: Annotated[str | None, typer.Option(help="Your words, kept in clear: nothing personal.")] = None,
    token: Key = None,
    url: Url = LOCAL,
    here: Here = False,
    as_json_: AsJson = False,
) -> None:
    """Stop a workflow, an agent, a tool, a connector or everything, at once, until it is released."""
    from checkpoints.halts import HaltScope
    from graphs.halting import HOST, HaltReason, Order

    if reason not in list(HaltReason):
        raise typer.BadParameter(f"a reason is one of {', '.join(HaltReason)}")
    order = Order(scope=HaltScope(scope), target=target, reason=HaltReason(reason), words=remark)

    async def on_host(switch: "Switch") -> Json:
        return _plain(await switch.press(order, HOST))

    async def over_api(client: Client) -> Json:
        return await client.press_halt(scope, target, reason, remark)

    halt = _run(on_host if here else None, over_api, token, url)
    as_json(halt) if as_json_ else say(f"Stopped. To go on: countersign release {halt['id']}")


def release(
    halt_id: Annotated[str, typer.Argument(metavar="HALT", help="The halt's id.")],
    token: Key = None,
    url: Url = LOCAL,
    here: Here = False,
    as_json_: AsJson = False,
) -> None:
    """Release what was stopped; it goes on where it stood, unless another halt is about it."""
    from graphs.halting import HOST

    async def on_host(switch: "Switch") -> Json:
        return _plain(await switch.release(halt_id, HOST))

    async def over_api(client: Client) -> Json:
        return await client.release_halt(halt_id)

    halt = _run(on_host if here else None, over_api, token, url)
    as_json(halt) if as_json_ else say("Released.")


def halts(
    token: Key = None,
    url: Url = LOCAL,
    here: Here = False,
    released: Annotated[bool, typer.Option("--released", help="Also those of before.")] = False,
    as_json_: AsJson = False,
) -> None:
    """List what is stopped."""

    async def on_host(switch: "Switch") -> Json:
        return {"items": [_plain(halt) for halt in await switch.listed(released=released)]}

    async def over_api(client: Client) -> Json:
        return await client.halts(released=released)

    found = _run(on_host if here else None, over_api, token, url)["items"]
    show_lines(found, _line, "Nothing is stopped.", json=as_json_)


def _line(halt: Json) -> str:
    what = f"{halt['scope']} {halt['target'] or ''}".strip()
    said = f" ({halt['operators_words']})" if halt["operators_words"] else ""
    until = f", released {halt['released_at']}" if halt["released_at"] else ""
    return f"{halt['id']}  {what}: {halt['reason_code']}{said} by {halt['pressed_by']}{until}"


def _run(
    on_host: "Callable[[Switch], Awaitable[Json]] | None",
    over_api: Callable[[Client], Awaitable[Json]],
    token: str | None,
    url: str,
) -> Json:
    found: list[Json] = []
    if on_host is not None:
        on_host_ = on_host

        async def run(settings: Settings) -> None:
            found.append(await _with_switch(settings, on_host_))

        start(run)
        return found[0]
    if token is None:
        raise typer.BadParameter("give --token, or --here on the host itself")

    async def call(client: Client) -> None:
        found.append(await over_api(client))

    ask(url, token, call)
    return found[0]


async def _with_switch(settings: Settings, deed: "Callable[[Switch], Awaitable[Json]]") -> Json:
    from checkpoints.database import open_database
    from checkpoints.migrate import require_migrated
    from checkpoints.queue import Queue, queue_app
    from graphs.addresses import addresses
    from graphs.catalogue import find_kits
    from graphs.clock import new_id, utc_now
    from graphs.halting import Switch

    workflows = {kit.name: kit.workflow() for kit in find_kits(settings.workflows)}
    async with addresses(settings) as where, open_database(where.ours) as database:
        await require_migrated(database)
        queue = Queue(queue_app(database.conninfo))
        host = Host(database=database, queue=queue, workflows=workflows, clock=utc_now, ids=new_id)
        return await deed(Switch(host))


def _plain(halt: Any) -> Json:
    from api.halts import HaltOut

    return HaltOut.model_validate(halt).model_dump(mode="json")
