"""An anchor in a file, on a disk that others look after: JSON Lines that are only ever added to, synced."""

import asyncio
import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tools.anchors.anchor import AnchorUnreachable

IN_A_FOLDER = "heads.jsonl"


@dataclass(frozen=True, kw_only=True, slots=True)
class FileAnchor:
    """Adds a line `{"note", "size"}` for each head to the file, or to heads.jsonl in the folder."""

    name: str
    path: Path

    async def keep(self, size: int, note: str, now: datetime) -> None:  # noqa: ARG002 - the note says when
        """Add the head and wait until it is on the disk; raises AnchorUnreachable."""
        line = json.dumps({"note": note, "size": size}, sort_keys=True) + "\n"
        try:
            await asyncio.to_thread(_add, self.path, line.encode())
        except OSError as error:
            raise AnchorUnreachable(f"it cannot be written: {error.strerror}") from error


def _add(path: Path, line: bytes) -> None:
    file = path / IN_A_FOLDER if path.is_dir() else path
    new = not file.exists()
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        if os.write(descriptor, line) != len(line):
            raise OSError(0, "the line was cut")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if new:
        _sync_folder(file.parent)


def _sync_folder(folder: Path) -> None:
    """Make the file's name last, too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
