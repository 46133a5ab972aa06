"""`countersign rollback`: show what would be taken back, and take it back."""

import sys
from typing import Annotated, Any

import typer

from api.cli_run import LOCAL, Json, Token, Url, ask
from api.client import Client
from api.show import as_json, say


def rollback(
    case: Annotated[str, typer.Argument(metavar="CASE", help="The case's id.")],
    token: Token,
    why: Annotated[str, typer.Option(help="Why it is taken back.")] = "",
    plan: Annotated[str | None, typer.Option(help="The plan you saw; asked for if not given.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be undone.")] = False,
    url: Url = LOCAL,
    as_json_: Json = False,
) -> None:
    """Take back what a case has done, the last deed first."""
    if not (dry_run or why):
        raise typer.BadParameter("say why: --why")

    async def roll_back(client: Client) -> None:
        shown = await client.rollback(case, why or "Only asked.", dry_run=True)
        if dry_run:
            as_json(shown) if as_json_ else _show(shown["plan"])
            return
        seen = plan or _confirmed(shown["plan"])
        started = await client.rollback(case, why, dry_run=False, plan=seen)
        as_json(started) if as_json_ else say(f"Rollback {started['number']}: {started['status']}")

    ask(url, token, roll_back)


def _show(plan: dict[str, Any]) -> None:
    for item in plan["steps"]:
        say(f"undo  {item['tool']} by {item['by']} until {item['until']}")
    for item in plan["lasting"]:
        say(f"keep  {item['tool']}: {item['lasts']}. {item['outside'] or ''}".rstrip())
    say(f"All of it: {plan['reversibility']}. Plan: {plan['digest']}")


def _confirmed(plan: dict[str, Any]) -> str:
    _show(plan)
    if not sys.stdin.isatty():
        raise typer.BadParameter("without a terminal, give --plan: what you start is what you saw")
    typer.confirm("Take this back?", abort=True, err=True)
    return str(plan["digest"])
