"""`countersign triggers`: which tables and folders cases begin from, and how each trigger stands."""

from typing import Any

from api.cli_run import LOCAL, Json, Token, Url, ask
from api.client import Client
from api.show import safe, show_lines


def triggers(token: Token, url: Url = LOCAL, as_json_: Json = False) -> None:
    """List triggers: watched tables and inbox folders."""

    async def show(client: Client) -> None:
        show_lines(await client.triggers(), _line, "No triggers.", json=as_json_)

    ask(url, token, show)


def _line(one: dict[str, Any]) -> str:
    looked = f"last look {one['looked_at']}" if one["looked_at"] else "never looked at"
    mark = f", up to {safe(' / '.join(one['mark']))}" if one["mark"] else ""
    trouble = f"; {one['reason']} since {one['reason_at']}: {one['why']}" if one["reason"] else ""
    again = f" Again at {one['wake_at']}." if one["wake_at"] else ""
    what = f"{one['kind']}, {one['workflow']} as {one['service']}"
    return f"{one['name']} ({what}): {looked}{mark}{trouble}{again}"
