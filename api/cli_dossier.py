"""`countersign verify` on a dossier: everything that one file can prove by itself."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from api.show import as_json, complain, say

if TYPE_CHECKING:
    from checkpoints.notes import VerifierKey

_BEGINS = b'{"case":'
"""How a dossier begins in its one form; an exported log begins otherwise."""
_MOST_FAULTS = 50


def is_dossier(file: Path) -> bool:
    """Whether a file is a dossier, or means to be one."""
    with file.open("rb") as content:
        return content.read(len(_BEGINS)) == _BEGINS


def report_dossier(file: Path, keys: "Sequence[VerifierKey]", *, as_json_: bool) -> None:
    """Say what holds of a dossier; exit code 1 if anything does not."""
    from graphs.dossier.proofs import dossier_faults
    from graphs.dossier.shapes import DossierUnfit, read_dossier

    try:
        dossier = read_dossier(file.read_bytes())
    except DossierUnfit as unfit:
        raise typer.BadParameter(f"{file} is no dossier: {unfit}") from unfit
    faults = dossier_faults(dossier, keys)
    if as_json_:
        as_json({"case": dossier.case, "events": len(dossier.events), "faults": faults, "holds": not faults})
    else:
        size = dossier.head.size if dossier.head else 0
        say(f"Case {dossier.case}: {len(dossier.events)} events under a head of {size} leaves")
        say("\n".join(faults[:_MOST_FAULTS]) if faults else "The dossier holds.")
        if not keys:
            complain(
                "Checked with the key that the file itself names: give --key to be sure whose log it is."
            )
    if faults:
        raise typer.Exit(1)
