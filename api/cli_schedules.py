"""`countersign schedules …`: cases that begin by the clock."""

import json
from typing import Annotated, Literal

import typer

from api.cli_run import LOCAL, Json, Token, Url, ask
from api.client import Client
from api.show import as_json, say, show_lines

schedules = typer.Typer(no_args_is_help=True, help="Schedules: cases that begin by the clock.")

Id = Annotated[str, typer.Argument(metavar="ID", help="The schedule's id.")]


@schedules.command("list")
def list_(token: Token, url: Url = LOCAL, as_json_: Json = False) -> None:
    """List schedules, by name."""

    async def show(client: Client) -> None:
        show_lines(await client.schedules(), _line, "No schedules.", json=as_json_)

    ask(url, token, show)


@schedules.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A short name in lower case.")],
    data: Annotated[str, typer.Option(help="The event's data, as JSON.")],
    token: Token,
    cron: Annotated[str | None, typer.Option(help="Five fields, such as '0 9 * * MON-FRI'.")] = None,
    at: Annotated[str | None, typer.Option(help="Once, at this time with its offset.")] = None,
    timezone: Annotated[str, typer.Option(help="Such as Europe/Berlin.")] = "UTC",
    missed: Annotated[Literal["skip", "once", "all"], typer.Option(help="What is missed.")] = "once",
    workflow: Annotated[str, typer.Option(help="The workflow whose cases begin.")] = "refund",
    url: Url = LOCAL,
    as_json_: Json = False,
) -> None:
    """Have cases begin by the clock, on your behalf."""
    try:
        given = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise typer.BadParameter(f"--data is not JSON: {error}") from error
    when = {"cron": cron} if at is None else {"cron": cron, "at": at}
    wish = {"workflow": workflow, "name": name, "timezone": timezone, "missed": missed, "data": given} | when

    async def send(client: Client) -> None:
        added = await client.add_schedule(wish)
        as_json(added) if as_json_ else say(_line(added))

    ask(url, token, send)


@schedules.command("pause")
def pause(schedule: Id, token: Token, url: Url = LOCAL) -> None:
    """Stop it until it is resumed."""
    _change(schedule, "pause", token, url)


@schedules.command("resume")
def resume(schedule: Id, token: Token, url: Url = LOCAL) -> None:
    """Let it go on, from now."""
    _change(schedule, "resume", token, url)


@schedules.command("remove")
def remove(schedule: Id, token: Token, url: Url = LOCAL) -> None:
    """Remove it; the cases that it has opened stay."""

    async def send(client: Client) -> None:
        await client.remove_schedule(schedule)
        say("The schedule is removed.")

    ask(url, token, send)


def _change(schedule: str, what: str, token: str, url: str) -> None:
    async def send(client: Client) -> None:
        say(_line(await client.change_schedule(schedule, what)))

    ask(url, token, send)


def _line(one: dict[str, object]) -> str:
    state = f"next {one['next_at']}" if one["next_at"] else "over"
    if one["paused_at"]:
        state = f"stopped: {one['refusal']}" if one["refusal"] else f"paused by {one['paused_by']}"
    rule = one["cron"] or "once"
    return f"{one['id']}  {one['name']}: {rule} {one['timezone']}, missed: {one['missed']}; {state}"
