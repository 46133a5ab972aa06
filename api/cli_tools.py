"""`countersign tools …`: what systems outside offer, and letting it in."""

import json
from typing import Annotated, Any, Literal

import typer

from api.cli_run import LOCAL, Json, Token, Url, ask
from api.client import Client
from api.show import as_json, safe, say, show_lines

tools = typer.Typer(no_args_is_help=True, help="Tools from outside: what is offered, and what is admitted.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The tool, as system.verb.")]
Effect = Literal["read", "write", "egress"]


@tools.command("list")
def list_(token: Token, url: Url = LOCAL, as_json_: Json = False) -> None:
    """List what systems outside offer, and what of it is admitted."""

    async def show(client: Client) -> None:
        nothing = "Nothing is offered: no system outside is configured, or none answers."
        show_lines(await client.tools(), _line, nothing, json=as_json_)

    ask(url, token, show)


@tools.command("admit")
def admit(
    name: Name,
    token: Token,
    effect: Annotated[
        Effect | None, typer.Option("--as", help="What it does; without it, its own hints are believed.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: you have read what it says.")] = False,
    url: Url = LOCAL,
    as_json_: Json = False,
) -> None:
    """Let a tool in, exactly as it is described now: shows it, or what has changed, and asks."""

    async def send(client: Client) -> None:
        found = [one for one in await client.tools() if one["name"] == name and one["digest"]]
        if not found:
            raise typer.BadParameter(f"{name} is not offered")
        if not as_json_:
            _show(found[0])
        if not yes:
            typer.confirm("Let it in?", abort=True)
        admitted = await client.admit_tool(name, found[0]["digest"], effect)
        as_json(admitted) if as_json_ else say(_line(admitted))

    ask(url, token, send)


@tools.command("withdraw")
def withdraw(name: Name, token: Token, url: Url = LOCAL) -> None:
    """Take an admission back: nothing of the tool begins from now on."""

    async def send(client: Client) -> None:
        await client.withdraw_tool(name)
        say(f"{name} is admitted no longer.")

    ask(url, token, send)


def _line(one: dict[str, Any]) -> str:
    done = f" as {one['effect']} by {one['admitted_by']}" if one["effect"] else ""
    first = "" if one["effect"] or not one["suggested"] else f", says it is: {one['suggested']}"
    why = f" ({safe(one['why'])})" if one["why"] else ""
    return f"{safe(one['name'])}: {one['state']}{done}{first}{why}"


def _show(one: dict[str, Any]) -> None:
    """The whole of what is let in, or all of what has changed; what is not printable is made visible."""
    if one["effect"]:
        say(f"{one['name']} was admitted by {one['admitted_by']}; since then:")
        for change in one["changes"]:
            say(f"  {safe(change['where'])}")
            say(f"    was: {_text(change['before'])}")
            say(f"    is:  {_text(change['after'])}")
        return
    say(f"{one['name']}, says it is: {one['suggested']}")
    for word in ("description", "arguments", "answer", "hints"):
        say(f"  {word}: {_text(one[word])}")


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return str(safe(text))
