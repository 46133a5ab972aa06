"""`countersign rules draft | list | approve | reject`: versions of rule tables, over the API."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli_rules import rules
from api.cli_run import LOCAL, Token, Url, ask
from api.cli_run import Json as AsJson
from api.client import Client
from api.show import as_json, say, show_version
from nodes.shapes import Json

__all__ = ["rules"]

Digest = Annotated[str, typer.Argument(metavar="DIGEST", help="The version's digest.")]


@rules.command("list")
def list_(token: Token, url: Url = LOCAL, as_json_: AsJson = False) -> None:
    """List versions of rule tables, newest first."""

    async def show(client: Client) -> None:
        found = await client.rule_tables()
        if as_json_:
            as_json(found)
            return
        for table in found:
            show_version(table)

    ask(url, token, show)


@rules.command("draft")
def draft(
    file: Annotated[Path, typer.Argument(help="A rule table in YAML.")],
    note: Annotated[str, typer.Option(help="Why it is wanted.")],
    token: Token,
    workflow: Annotated[str, typer.Option(help="The workflow it is for.")] = "refund",
    url: Url = LOCAL,
    as_json_: AsJson = False,
) -> None:
    """Draft a version; it changes nothing until another person approves it."""

    async def send(client: Client) -> None:
        stored = await client.draft_rules(workflow, file.read_text(encoding="utf-8"), note)
        if as_json_:
            as_json(stored)
            return
        for change in stored["changes"]:
            say(f"{change['where']}: {change['change']}")
        say(f"A draft. Another person puts it in force: countersign rules approve {stored['digest']}")

    ask(url, token, send)


@rules.command("approve")
def approve(digest: Digest, token: Token, url: Url = LOCAL, as_json_: AsJson = False) -> None:
    """Put a draft in force; cases that are under way keep the table they began with."""
    _decide(digest, "approve", None, token, url, as_json_=as_json_)


@rules.command("reject")
def reject(
    digest: Digest,
    comment: Annotated[str, typer.Option(help="Why.")],
    token: Token,
    url: Url = LOCAL,
    as_json_: AsJson = False,
) -> None:
    """Reject a draft."""
    _decide(digest, "reject", comment, token, url, as_json_=as_json_)


def _decide(digest: str, kind: str, comment: str | None, token: str, url: str, *, as_json_: bool) -> None:
    async def send(client: Client) -> None:
        table: Json = await client.decide_rules(digest, kind, comment)
        if as_json_:
            as_json(table)
        else:
            say(f"{table['tool']} {table['version']} is {table['state'].replace('_', ' ')}.")

    ask(url, token, send)
