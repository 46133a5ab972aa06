"""`countersign exceptions | retry | resolve | cancel | hand-over`: what stands still."""

from typing import Annotated, Any, Literal

import typer

from api.cli_run import LOCAL, Json, Token, Url, ask
from api.client import Client
from api.show import as_json, console, exception_table, say

app = typer.Typer()

Id = Annotated[str, typer.Argument(metavar="EXCEPTION", help="The exception's id, as in the list.")]
Why = Annotated[str, typer.Option(help="Why.")]
Outcome = Literal["done_elsewhere", "not_needed", "declined", "handled_otherwise"]


@app.command()
def exceptions(
    token: Token,
    url: Url = LOCAL,
    status: Annotated[str | None, typer.Option(help="blocked, uncertain, failed or escalated.")] = None,
    owner: Annotated[str | None, typer.Option(help="Only those of this role or team.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only those with this reason code.")] = None,
    as_json_: Json = False,
) -> None:
    """List cases that stand still, with what happened and what to do."""

    async def show(client: Client) -> None:
        found = await client.exceptions(status=status, owner=owner, reason=reason)
        if as_json_:
            as_json(found)
        elif found:
            console.print(exception_table(found))
        else:
            say("Nothing stands still.")

    ask(url, token, show)


@app.command()
def retry(exception: Id, token: Token, url: Url = LOCAL, as_json_: Json = False) -> None:
    """Have the step that could not go on tried again; nothing is done twice."""
    _act(exception, "retry", None, token, url, "The step is tried again.", as_json_=as_json_)


@app.command()
def resolve(
    exception: Id,
    outcome: Annotated[Outcome, typer.Argument(help="How the case ended.")],
    why: Why,
    token: Token,
    done: Annotated[list[str] | None, typer.Option(help="The key of a deed in doubt that was done.")] = None,
    not_done: Annotated[list[str] | None, typer.Option(help="The key of one that was not done.")] = None,
    reference: Annotated[str | None, typer.Option(help="Where to find the deed in its system.")] = None,
    url: Url = LOCAL,
    as_json_: Json = False,
) -> None:
    """Close the case by hand; say of each deed in doubt whether it was done."""
    deeds = dict.fromkeys(done or [], "done") | dict.fromkeys(not_done or [], "not_done")
    body = {"outcome": outcome, "why": why, "deeds": deeds, "reference": reference}
    _act(exception, "resolve", body, token, url, "The case is closed.", as_json_=as_json_)


@app.command()
def cancel(
    case: Annotated[
        str, typer.Argument(metavar="EXCEPTION|CASE", help="An exception, or with --case a case that waits.")
    ],
    why: Why,
    token: Token,
    is_case: Annotated[bool, typer.Option("--case", help="It is the id of a case.")] = False,
    url: Url = LOCAL,
    as_json_: Json = False,
) -> None:
    """Cancel a case; nothing of it runs any more."""

    async def send(client: Client) -> None:
        answer = await (
            client.cancel_case(case, why) if is_case else client.way_out(case, "cancel", {"why": why})
        )
        as_json(answer) if as_json_ else say("The case is cancelled.")

    ask(url, token, send)


@app.command("hand-over")
def hand_over(
    exception: Id,
    to: Annotated[str, typer.Argument(metavar="TO", help="The role or team that gets it.")],
    why: Why,
    token: Token,
    url: Url = LOCAL,
    as_json_: Json = False,
) -> None:
    """Give an exception to another role or team."""
    _act(exception, "hand-over", {"to": to, "why": why}, token, url, f"It is {to}'s.", as_json_=as_json_)


def _act(
    exception: str, way: str, body: dict[str, Any] | None, token: str, url: str, said: str, *, as_json_: bool
) -> None:
    async def send(client: Client) -> None:
        answer = await client.way_out(exception, way, body)
        as_json(answer) if as_json_ else say(said)

    ask(url, token, send)
