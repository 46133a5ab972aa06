"""`countersign explain` and `countersign export`: one case as a story, and as a dossier in two files."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli_run import LOCAL, Json, Url, ask
from api.client import Client
from api.show import as_json, complain, say, show_story

if TYPE_CHECKING:
    from graphs.dossier.shapes import Dossier

_MOST_FAULTS = 10

OneCase = Annotated[str, typer.Argument(metavar="CASE|FILE", help="A case's id, or a dossier's JSON.")]
MaybeToken = Annotated[
    str | None,
    typer.Option(envvar="COUNTERSIGN_TOKEN", help="Your token; none for a file.", show_default=False),
]


def explain(case: OneCase, token: MaybeToken = None, url: Url = LOCAL, as_json_: Json = False) -> None:
    """Tell a case as a story: asked, said, ruled, signed, done, and what came later."""
    from graphs.record.decision_record import decision_record
    from graphs.record.shapes import DecisionRecord
    from graphs.record.telling import still_sealed, story

    if Path(case).is_file():
        dossier = _read(Path(case))
        record, opened = decision_record(dossier.case, dossier.told), dossier.opened
        check = f"countersign verify {case}"
        _complain_of(dossier)
    else:
        told: list[DecisionRecord] = []

        async def fetch(client: Client) -> None:
            told.append(DecisionRecord.model_validate(await client.record(case)))

        _asked(url, token, fetch)
        record, opened = told[0], still_sealed
        check = f"countersign export {case} --to . && countersign verify {case}.json"
    if as_json_:
        as_json(record.model_dump(mode="json"))
        return
    show_story(story(record, opened))
    say(f"Check the proof: {check}")


def export(
    case: OneCase,
    to: Annotated[Path, typer.Option(help="The folder that both files go into.")],
    unmask: Annotated[bool, typer.Option("--unmask", help="With personal values in clear.")] = False,
    why: Annotated[str | None, typer.Option(help="Why they are to be in clear.")] = None,
    token: MaybeToken = None,
    url: Url = LOCAL,
) -> None:
    """Write a case as a dossier: JSON to verify, HTML to read, both complete by themselves."""
    from graphs.dossier.shapes import to_dossier

    if Path(case).is_file():
        if unmask:
            raise typer.BadParameter("a file cannot be unmasked: export the case anew")
        _write(_read(Path(case)), to)
        return
    if unmask and not why:
        raise typer.BadParameter("--unmask takes --why: it goes on the record")

    async def fetch(client: Client) -> None:
        made = await (client.unmask_dossier(case, why) if unmask and why else client.dossier(case))
        _write(to_dossier(made), to)

    _asked(url, token, fetch)


def _asked(url: str, token: str | None, deed: Callable[[Client], Awaitable[None]]) -> None:
    if token is None:
        raise typer.BadParameter("for a case that is no file, give --token or set COUNTERSIGN_TOKEN")
    ask(url, token, deed)


def _read(file: Path) -> "Dossier":
    from graphs.dossier.shapes import DossierUnfit, read_dossier

    try:
        return read_dossier(file.read_bytes())
    except DossierUnfit as unfit:
        raise typer.BadParameter(f"{file} is no dossier: {unfit}") from unfit


def _complain_of(dossier: "Dossier") -> None:
    """Say what does not hold before anything of it is told."""
    from graphs.dossier.proofs import dossier_faults

    faults = dossier_faults(dossier)
    for fault in faults[:_MOST_FAULTS]:
        complain(f"This does not hold: {fault}")
    if len(faults) > _MOST_FAULTS:
        complain(f"and {len(faults) - _MOST_FAULTS} more")


def _write(dossier: "Dossier", folder: Path) -> None:
    """Write both files; what is in clear, only its owner can read."""
    from graphs.dossier.page import dossier_page

    folder.mkdir(parents=True, exist_ok=True)
    page = dossier_page(dossier).encode()
    for ending, content in (("json", dossier.to_bytes()), ("html", page)):
        file = folder / f"{dossier.case}.{ending}"
        file.touch()
        if dossier.openings is not None:
            file.chmod(0o600)
        file.write_bytes(content)
        say(str(file))
