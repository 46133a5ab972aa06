"""`countersign rules …`: lint rule tables, explain verdicts, and see what a change would have changed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli_run import LOCAL, Token, Url, ask, start
from api.cli_run import Json as AsJson
from api.client import Client
from api.show import as_json, complain, console, difference_table, say, show_verdict
from graphs.settings import Settings
from nodes.shapes import Json

if TYPE_CHECKING:
    from graphs.tables import TableSource
    from nodes.rules import RuleTable

rules = typer.Typer(no_args_is_help=True, help="Rule tables: lint, explain, compare.")

Table = Annotated[Path, typer.Argument(help="A rule table in YAML.")]


@rules.command("lint")
def lint(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]…", help="Tables; the shipped ones if none is given."),
    ] = None,
) -> None:
    """Find gaps, overlaps, dead rows and typos; exit code 1 if there is any."""
    from nodes.strict_yaml import TableUnfit

    faulty = False
    for source, path in _chosen(files or []):
        try:
            table = _loaded(source, path)
        except TableUnfit as unfit:
            complain(str(unfit))
            faulty = True
        else:
            say(f"{path or source.path}: {len(table.rows)} rows, version {table.version}, nothing found")
    if faulty:
        raise typer.Exit(1)


@rules.command("explain")
def explain(
    case: Annotated[str, typer.Argument(metavar="CASE", help="The case's id.")],
    token: Token,
    url: Url = LOCAL,
    as_json_: AsJson = False,
) -> None:
    """Say why the rules said what they said: each row, the value it saw, and the condition that failed."""

    async def show(client: Client) -> None:
        found = await client.verdicts(case)
        if as_json_:
            as_json(found)
            return
        for verdict in found:
            show_verdict(verdict)
        if not found:
            say("The rules have not been asked in this case.")

    ask(url, token, show)


@rules.command("diff")
def diff(
    old: Table,
    new: Table,
    on_history: Annotated[
        bool, typer.Option("--on-history", help="Judge every recorded case by both tables.")
    ] = False,
    as_json_: AsJson = False,
) -> None:
    """Compare two versions of a table: row by row, and on the cases that have been judged."""
    from nodes.rule_differences import table_differences
    from nodes.strict_yaml import TableUnfit

    source = _source_of(old)
    before, after = (_loaded(source, path) for path in (old, new))
    if after.tool != before.tool:
        raise TableUnfit(f"{new}: tool: judges {after.tool}, and {old} judges {before.tool}")
    changes = table_differences(before, after)
    found = start(lambda settings: _on_history(settings, before, after, source)) if on_history else None
    if as_json_:
        as_json({"changes": changes} | ({} if found is None else {"judged": found[0], "cases": found[1]}))
        return
    for change in changes:
        say(f"{change['where']}: {change['change']}")
    if not changes:
        say("The tables say the same.")
    if found is not None:
        judged, cases = found
        say(f"{judged} recorded judgements, {len(cases)} of them differ")
        if cases:
            console.print(difference_table(cases))


def _chosen(files: list[Path]) -> "list[tuple[TableSource, Path | None]]":
    shipped = _shipped()
    if not files:
        return [(source, None) for source in shipped]
    return [(_source_of(path), path) for path in files]


def _shipped() -> "tuple[TableSource, ...]":
    from graphs.catalogue import all_tables, find_kits

    return all_tables(find_kits(Settings.from_environment().workflows))


def _source_of(path: Path) -> "TableSource":
    from graphs.tables import source_for

    return source_for(path.read_text(encoding="utf-8"), str(path), _shipped())


def _loaded(source: "TableSource", path: Path | None) -> "RuleTable":
    if path is None:
        return source.load()
    return source.load(path.read_text(encoding="utf-8"), str(path))


async def _on_history(
    settings: Settings, before: "RuleTable", after: "RuleTable", source: "TableSource"
) -> tuple[int, list[Json]]:
    from checkpoints.database import open_database
    from checkpoints.migrate import require_migrated
    from graphs.addresses import addresses
    from graphs.replay import WindowsUnknown, differences
    from nodes.strict_yaml import TableUnfit

    judged, found = 0, []
    async with addresses(settings) as where, open_database(where.ours) as database:
        await require_migrated(database)
        try:
            async with database.connection() as connection:
                async for difference in differences(connection, before, after, source.facts):
                    judged += 1
                    found += [] if difference is None else [difference.to_json()]
        except WindowsUnknown as unknown:
            raise TableUnfit(f"windows: {unknown}; only shorter windows can be judged again") from unknown
    return judged, found
