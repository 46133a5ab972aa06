"""The command line: `countersign …`."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from api.cli_case import explain, export
from api.cli_deploy import deploy
from api.cli_doctor import doctor
from api.cli_exceptions import app as standstills
from api.cli_halts import halts, release, stop
from api.cli_log import log, verify
from api.cli_new import new, workflows
from api.cli_notices import notices
from api.cli_people import people
from api.cli_rollback import rollback
from api.cli_run import LOCAL, Json, Token, Url, ask, start
from api.cli_schedules import schedules
from api.cli_serve import api, up, worker
from api.cli_tables import rules
from api.cli_tools import tools
from api.cli_triggers import triggers
from api.client import Client
from api.failures import expected
from api.logs import configure
from api.show import as_json, case_table, complain, console, errors, review_table, safe, say
from api.signals import Stopped
from graphs.settings import Settings

Saying = Literal["approve", "override", "reject", "escalate", "request_info", "break_glass", "comment"]
SAYINGS = "approve, override, reject, escalate, request_info, break_glass or comment"

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Governed agentic workflows: agents propose, rules decide who must sign, people countersign.",
)
for server in (up, api, worker):
    app.command()(server)
app.add_typer(people, name="people")
app.add_typer(rules, name="rules")
app.add_typer(notices, name="notices")
app.command()(explain)
app.command()(export)
app.add_typer(log, name="log")
app.command()(verify)
app.command()(rollback)
app.add_typer(standstills)
app.command()(doctor)
for switch in (stop, release, halts):
    app.command()(switch)
app.add_typer(deploy, name="deploy")
app.add_typer(schedules, name="schedules")
app.add_typer(tools, name="tools")
app.command()(triggers)
app.add_typer(new, name="new")
app.command()(workflows)


def main() -> None:
    """Run the command line; an expected failure is one clear line and exit code 1."""
    configure()
    try:
        app()
    except expected() as error:
        complain(f"countersign: {error}")
        sys.exit(1)
    except Stopped as stopped:
        complain(f"countersign: {stopped}")
        sys.exit(130)


@app.command()
def migrate() -> None:
    """Bring the database to this version."""
    from checkpoints.migrate import newest_revision
    from graphs.addresses import addresses, bring_up

    async def run(settings: Settings) -> None:
        async with addresses(settings) as where:
            runs = await bring_up(where)
        say(f"The database is at revision {newest_revision()}.")
        if runs.warning:
            complain(f"countersign: {runs.warning}")

    start(run)


@app.command()
def event(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A CloudEvents envelope as JSON; - for standard input.")
    ],
    token: Token,
    url: Url = LOCAL,
    as_json_: Json = False,
) -> None:
    """Send an event."""
    text = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    try:
        envelope = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise typer.BadParameter(f"{file} is not JSON: {error}") from error

    async def send(client: Client) -> None:
        received = await client.send(envelope)
        if as_json_:
            as_json(received)
        else:
            word = "opened" if received["new"] else "is known already:"
            say(f"Case {word} {received['case_id']} ({received['status']})")

    ask(url, token, send)


@app.command()
def cases(
    token: Token,
    url: Url = LOCAL,
    status: Annotated[str | None, typer.Option(help="Only cases with this status.")] = None,
    as_json_: Json = False,
) -> None:
    """List cases, newest first."""

    async def show(client: Client) -> None:
        found = await client.cases(status=status)
        if as_json_:
            as_json(found)
        elif found:
            console.print(case_table(found))
        else:
            say("No cases.")

    ask(url, token, show)


@app.command()
def reviews(
    token: Token,
    url: Url = LOCAL,
    mine: Annotated[bool, typer.Option("--mine", help="Only what you may decide.")] = False,
    search: Annotated[str | None, typer.Option(help="Words of the title, ids or arguments.")] = None,
    as_json_: Json = False,
) -> None:
    """List what waits for people, the most urgent first."""

    async def show(client: Client) -> None:
        found = await client.reviews(mine=mine, q=search, sort="due")
        if as_json_:
            as_json(found)
        elif found:
            console.print(review_table(found))
        else:
            say("Nothing waits for people.")

    ask(url, token, show)


@app.command()
def decide(
    review: Annotated[str, typer.Argument(metavar="REVIEW", help="The review's id.")],
    kind: Annotated[Saying, typer.Argument(metavar="KIND", help=SAYINGS)],
    token: Token,
    digest: Annotated[str | None, typer.Option(help="The digest you saw; asked for if not given.")] = None,
    comment: Annotated[str | None, typer.Option(help="Why; needed for all but an approval.")] = None,
    reason: Annotated[
        str | None, typer.Option(help="The reason code of an override, such as goodwill.")
    ] = None,
    url: Url = LOCAL,
    as_json_: Json = False,
) -> None:
    """Show the exact action, and vote on it."""

    async def vote(client: Client) -> None:
        shown = await client.review(review)
        seen = digest or _confirmed(shown, kind)
        decided = await client.vote(review, kind, seen, comment, reason)
        as_json(decided) if as_json_ else say(f"The review is {decided['status']}.")

    ask(url, token, vote)


@app.command()
def demo(
    stay: Annotated[bool, typer.Option("--stay", help="Leave the server up afterwards.")] = False,
) -> None:
    """Play a day of all five workflows; exit code 1 if a case is not where it should be."""
    from api.demo import run_demo

    async def run(settings: Settings) -> list[str]:
        return await run_demo(settings, stay=stay)

    faults = start(run)
    for fault in faults:
        complain(f"not as it should be: {fault}")
    if faults:
        raise typer.Exit(1)
    console.print("[green]Every case is where it should be.[/]")


def _confirmed(shown: dict[str, Any], kind: str) -> str:
    """The digest of what was shown and agreed to; beside standard output, which may be read by a machine."""
    from nodes.flags import SAYS, Flag

    errors.print(f"Exactly this will run: [bold]{shown['tool']}[/]")
    errors.print_json(json.dumps(shown["arguments"]))
    may = "You may decide this" if shown["may_decide"] else "You may not decide this"
    for one in shown["shown"].get("flags", []):
        what = ", and ".join(SAYS[Flag(flag)] for flag in one["flags"])
        errors.print(safe(f"Take care: {one['field']} {what}."), soft_wrap=True)
    for line in (shown["shown"]["reversibility"], f"{may}: {shown['why']}", f"Digest: {shown['digest']}"):
        errors.print(line, markup=False, highlight=False, soft_wrap=True)
    if not sys.stdin.isatty():
        raise typer.BadParameter("without a terminal, give --digest: what you vote on is what you saw")
    typer.confirm(f"{kind} this?", abort=True, err=True)
    return str(shown["digest"])
