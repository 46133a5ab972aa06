"""Reading anchored heads back: from the files that anchors wrote, or from notes that were saved by hand."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from checkpoints.log_check import Anchored
from checkpoints.notes import NoteUnfit, VerifierKey, read_note


def read_anchored(paths: Sequence[Path], keys: Sequence[VerifierKey]) -> tuple[list[Anchored], list[str]]:
    """The heads in these files, and what is wrong with them: a folder stands for all files below it.

    A file is either one note, or JSON Lines with a `note` each.

    Raises:
        OSError: a file cannot be read.
    """
    found: list[Anchored] = []
    faults: list[str] = []
    for path in paths:
        files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
        notes = [note for file in files for note in _notes(file)]
        if not notes:
            faults.append(f"there is no anchored head in {path}")
        for where, note in notes:
            try:
                found.append(Anchored(where=where, head=read_note(note, keys)))
            except NoteUnfit as error:
                faults.append(f"{where} cannot be trusted: {error}")
    return found, faults


def _notes(file: Path) -> Iterator[tuple[str, str]]:
    """Each note of a file and where it is; what cannot be read is a note that nobody signed."""
    text = file.read_bytes().decode(errors="replace")
    if not text.startswith("{"):
        yield f"the anchored head in {file.name}", text
        return
    for number, line in enumerate(text.splitlines(), 1):
        where = f"the anchored head in line {number} of {file.name}"
        try:
            note = json.loads(line)["note"]
        except (ValueError, TypeError, KeyError, RecursionError):
            note = ""
        yield where, str(note)
