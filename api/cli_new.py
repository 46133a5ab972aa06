"""`countersign new workflow` and `countersign workflows`: begin one, and see which there are."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli_run import Json as AsJson
from api.show import as_is, as_json, say, show_workflows
from graphs.settings import Settings
from nodes.shapes import Json

if TYPE_CHECKING:
    from graphs.kit import Kit
    from graphs.scaffold.layout import LaidOut

new = typer.Typer(no_args_is_help=True, help="Begin something new.")


@new.callback()
def _new() -> None:
    """Keeps `workflow` a command of its own, though it is the only one."""


@new.command("workflow")
def workflow(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Lower-case letters and underscores.")],
    into: Annotated[Path, typer.Option(metavar="DIR", help="The folder to lay it out in.")] = Path(),
) -> None:
    """Lay out a workflow that lints, compiles and runs at once; then make it yours."""
    from graphs.catalogue import find_kits
    from graphs.scaffold.layout import lay_out

    kits = find_kits(Settings.from_environment().workflows)
    laid = lay_out(name, into, [kit.name for kit in kits])
    say(f"{into / name}: {', '.join(laid.files)}")
    for line in _next(laid):
        say(line)


def workflows(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="One, as a picture in Mermaid's text.")
    ] = None,
    as_json_: AsJson = False,
) -> None:
    """List the workflows that there are, or draw one."""
    from graphs.catalogue import find_kits
    from graphs.views.picture import mermaid

    kits = find_kits(Settings.from_environment().workflows)
    if name is not None:
        as_is(mermaid(_named(name, kits).build()))
    elif as_json_:
        as_json([_told(kit) for kit in kits])
    else:
        show_workflows([_told(kit) for kit in kits])


def _named(name: str, kits: "tuple[Kit, ...]") -> "Kit":
    from graphs.kit import KitUnfit

    for kit in kits:
        if kit.name == name:
            return kit
    raise KitUnfit(f"there is no workflow {name}; there are {', '.join(kit.name for kit in kits)}")


def _told(kit: "Kit") -> Json:
    return {
        "name": kit.name,
        "event_type": kit.event_type,
        "agents": sorted(kit.agents),
        "reads": sorted({source.tool for source in kit.sources}),
        "tools": [one.tool for one in kit.judged],
        "tables": [table.path for table in kit.tables()],
    }


def _next(laid: "LaidOut") -> list[str]:
    """What to do next, to be copied into a shell."""
    path = [] if laid.importable else [f"export PYTHONPATH={shlex.quote(str(laid.root))}"]
    named = [] if laid.shipped else [f"export COUNTERSIGN_WORKFLOWS={laid.package}"]
    listed = [f'# langgraph.json: "{laid.name}": "{laid.package}:graph"'] if laid.shipped else []
    return [
        "",
        "It runs as it is. Look at it:",
        *(f"  {line}" for line in [*path, *named, *listed]),
        "  countersign rules lint",
        f"  countersign workflows {laid.name}",
        "Let people in, and run it:",
        "  countersign people add maya --role support_lead",
        "  countersign people add-service shop --scope cases:start --scope cases:read",
        "  countersign up",
        "Send its first event (T-900051 waits for maya; T-900001 of C-90001 is answered by rule):",
        *(f"  {line}" for line in _first_event(laid.name)),
        "Then make it yours: graph.py from top to bottom, rules.yaml, roles.yaml, prompts.",
    ]


def _first_event(name: str) -> list[str]:
    data = '"data": {"ticket_id": "T-900051", "customer_id": "C-90051"}'
    return [
        'curl -s http://127.0.0.1:8765/events -H "Authorization: Bearer $SHOP_KEY" \\',
        "  -H 'Content-Type: application/cloudevents+json' -d '{",
        '    "specversion": "1.0", "id": "first", "source": "/shop",',
        f'    "type": "com.example.{name}.requested",',
        f"    {data}}}'",
    ]
