"""`countersign notices …`: who was told of what, and what could not be delivered."""

from typing import Annotated

import typer

from api.cli_run import LOCAL, Json, Token, Url, ask
from api.client import Client
from api.show import as_json, console, notice_table, say

notices = typer.Typer(help="Notices: who was told of what, and what could not be delivered.")

AnyToken = Annotated[
    str, typer.Option(envvar="COUNTERSIGN_TOKEN", help="Your token, needed.", show_default=False)
]


@notices.callback(invoke_without_command=True)
def list_notices(
    context: typer.Context,
    token: AnyToken = "",
    url: Url = LOCAL,
    state: Annotated[str | None, typer.Option(help="Only these: pending, sent, dead or skipped.")] = None,
    as_json_: Json = False,
) -> None:
    """List notices, newest first."""
    if context.invoked_subcommand is not None:
        return

    async def show(client: Client) -> None:
        found = await client.notifications(state=state)
        if as_json_:
            as_json(found)
        elif found:
            console.print(notice_table(found))
        else:
            say("No notices.")

    ask(url, token, show)


@notices.command("retry")
def retry(
    notice: Annotated[str, typer.Argument(metavar="ID", help="The notice's id.")],
    token: Token,
    url: Url = LOCAL,
    as_json_: Json = False,
) -> None:
    """Have a notice that was given up sent after all."""

    async def again(client: Client) -> None:
        revived = await client.retry_notification(notice)
        as_json(revived) if as_json_ else say(f"The notice is {revived['state']}.")

    ask(url, token, again)
