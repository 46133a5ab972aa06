"""`countersign deploy check | move`: what a new version means for cases that wait."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli_run import LOCAL, Json, Token, Url, ask, start
from api.client import Client
from api.show import as_json, complain, console, orphan_table, say
from graphs.settings import Settings

if TYPE_CHECKING:
    from graphs.deploys import Check, Orphan

deploy = typer.Typer(no_args_is_help=True, help="What this version means for cases that wait.")


@deploy.command()
def check(as_json_: Json = False) -> None:
    """List cases that wait in steps that this version lacks; exit code 1 if there are any.

    Run the new version's command against the database of the one that runs.
    """
    from checkpoints.database import open_database
    from graphs.addresses import addresses
    from graphs.catalogue import find_kits
    from graphs.deploys import check as checked

    async def run(settings: Settings) -> "Check":
        kits = find_kits(settings.workflows)
        async with addresses(settings) as where, open_database(where.ours) as database:
            return await checked(database, kits)

    found = start(run)
    told = [_told(one) for one in found.orphans]
    if as_json_:
        as_json({"threads": found.threads, "changed": found.changed, "orphans": told})
    else:
        say(f"{found.threads} cases are under way; {found.changed} of them go on in a changed graph.")
        if told:
            console.print(orphan_table(told))
            complain(f"{len(told)} cases wait in a step that this version lacks: no worker takes them.")
        else:
            say("Every step in which one of them waits is in this version.")
    if told:
        raise typer.Exit(1)


@deploy.command()
def move(
    case: Annotated[str, typer.Argument(metavar="CASE", help="The case's id, as `check` lists it.")],
    to: Annotated[str, typer.Option(help="The step from which it goes on.")],
    token: Token,
    url: Url = LOCAL,
    as_json_: Json = False,
) -> None:
    """Have a case that waits in a step that is gone go on from one that is there."""

    async def send(client: Client) -> None:
        answer = await client.move_case(case, to)
        as_json(answer) if as_json_ else say(f"The case goes on as after a retry of {to}.")

    ask(url, token, send)


def _told(one: "Orphan") -> dict[str, Any]:
    place = asdict(one.place)
    shown = {name: place[name] for name in ("case_id", "workflow", "status")}
    return shown | {
        "since": one.place.since.isoformat(timespec="seconds"),
        "lacks": one.lacks,
        "then": {"version": one.place.version, "graph": one.place.graph},
        "now": {"graph": one.now},
        "to_do": one.to_do,
    }
