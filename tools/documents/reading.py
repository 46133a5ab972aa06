"""Reading: a document's text by page, or by name why it cannot be read."""

import asyncio
import hashlib
import json
import re
import sys
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

PDF, TEXT = "application/pdf", "text/plain"
_SCRIPT = Path(__file__).with_name("pdf_pages.py")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_MOST_KEPT = 256


class Trouble(StrEnum):
    """Why a document has no pages that could be read."""

    BROKEN = "broken"
    ENCRYPTED = "encrypted"
    NO_TEXT = "no_text"
    TOO_LARGE = "too_large"
    TOO_MANY_PAGES = "too_many_pages"
    TOO_MUCH_TEXT = "too_much_text"
    TOO_SLOW = "too_slow"
    UNKNOWN_TYPE = "unknown_type"


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """How much of a document is read, and how long that may take."""

    size_bytes: int = 2_000_000
    pages: int = 40
    characters: int = 200_000
    time: timedelta = timedelta(seconds=8)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """The text of each page, or what is the matter; never both."""

    pages: tuple[str, ...] = ()
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads documents; the same bytes once, as long as they are remembered."""

    bounds: Bounds = field(default_factory=Bounds)
    _known: dict[tuple[str, str], Reading] = field(default_factory=dict)

    async def read(self, content: bytes, content_type: str) -> Reading:
        """The pages, each without control characters; whatever is wrong with a document is a `Trouble`."""
        if len(content) > self.bounds.size_bytes:
            return Reading(trouble=Trouble.TOO_LARGE)
        key = (content_type, hashlib.sha256(content).hexdigest())
        if key not in self._known:
            reading = await self._read(content, content_type)
            if reading.trouble is Trouble.TOO_SLOW:  # perhaps the machine was
                return reading
            if len(self._known) >= _MOST_KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[key] = reading
        return self._known[key]

    async def _read(self, content: bytes, content_type: str) -> Reading:
        match content_type:
            case "application/pdf":
                return await self._pdf(content)
            case "text/plain":
                return self._text(content)
        return Reading(trouble=Trouble.UNKNOWN_TYPE)

    def _text(self, content: bytes) -> Reading:
        """UTF-8; a form feed begins a page."""
        try:
            pages = content.decode().split("\f")
        except UnicodeDecodeError:
            return Reading(trouble=Trouble.BROKEN)
        if len(pages) > self.bounds.pages:
            return Reading(trouble=Trouble.TOO_MANY_PAGES)
        if len(content) > self.bounds.characters:
            return Reading(trouble=Trouble.TOO_MUCH_TEXT)
        return _reading(pages)

    async def _pdf(self, content: bytes) -> Reading:
        limits = (str(self.bounds.pages), str(self.bounds.characters))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", str(_SCRIPT), *limits),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={},
        )
        try:
            async with asyncio.timeout(self.bounds.time.total_seconds()):
                told, _ = await process.communicate(content)
        except TimeoutError:
            return Reading(trouble=Trouble.TOO_SLOW)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:  # out of memory or time: its own limits have ended it
            return Reading(trouble=Trouble.BROKEN)
        found = json.loads(told)
        return Reading(trouble=Trouble(found["trouble"])) if "trouble" in found else _reading(found["pages"])


def _reading(pages: list[str]) -> Reading:
    clean = tuple(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", page.replace("\r\n", "\n")) for page in pages)
    if not any(page.strip() for page in clean):
        return Reading(trouble=Trouble.NO_TEXT)
    return Reading(pages=clean)
