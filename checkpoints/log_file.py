"""The whole log in a file, and its verification by the file alone: no database is needed, nor even imported.

JSON Lines, each line in RFC 8785 form, so that no byte of the file can be another:

    {"format": "countersign-log/1", "key": …, "origin": …}
    {"event": {…}, "index": 0, "leaf": …}                      every event in tree order
    {"head": {"at": …, "note": …, "root": …, "size": …}}       then every head, by its size
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from checkpoints.canonical import canonical
from checkpoints.event import Event
from checkpoints.log_check import Anchored, Check, Head, Verification
from checkpoints.notes import KeyUnfit, VerifierKey

FORMAT = "countersign-log/1"
_HEAD = b'{"head":'
_HASH_BYTES = 32


class LineUnfit(ValueError):
    """A line of the file is not what it must be."""


def header_line(key: VerifierKey) -> bytes:
    """The first line."""
    return _line({"format": FORMAT, "origin": key.name, "key": str(key)})


def event_line(index: int, event: Event, leaf: bytes) -> bytes:
    """The line of an event; raises NotCanonical if nothing like it was ever written."""
    return _line({"index": index, "leaf": leaf.hex(), "event": event.to_json()})


def head_line(head: Head) -> bytes:
    """The line of a head."""
    at = head.at.astimezone(UTC).isoformat()
    return _line({"head": {"size": head.size, "root": head.root.hex(), "at": at, "note": head.note}})


def _line(item: dict[str, Any]) -> bytes:
    return canonical(item) + b"\n"


def named_key(path: Path) -> VerifierKey | None:
    """The key that an exported log names, if it names one; raises OSError."""
    with path.open("rb") as file:
        return next(iter(_Reading().header(file, ())), None)


def verify_file(
    path: Path, keys: Sequence[VerifierKey] = (), anchored: Iterable[Anchored] = ()
) -> Verification:
    """Recompute all that an exported log says; without keys, with the one that the file itself names.

    The file is read twice side by side, at its events and at its heads, and never held as a whole.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file, path.open("rb") as again:
        reading = _Reading()
        named = reading.header(file, keys)
        check = Check(reading.heads(again), keys or named, anchored)
        for leaf, event in reading.leaves(file):
            check.add(leaf, event)
        found = check.end(reading.events)
    return replace(found, faults=(*reading.faults, *found.faults))


@dataclass(slots=True)
class _Reading:
    """Reads the file's lines strictly, and notes what is wrong with them."""

    faults: list[str] = field(default_factory=list)
    events: int = 0

    def header(self, file: IO[bytes], keys: Sequence[VerifierKey]) -> list[VerifierKey]:
        """The key that the file names, if it names one."""
        try:
            header = _parsed(file.readline(), "format", "key", "origin")
            key = VerifierKey.parse(str(header["key"]))
        except (LineUnfit, KeyUnfit) as error:
            self.faults.append(f"this is no exported log: line 1: {error}")
            return []
        if header["format"] != FORMAT:
            self.faults.append(f"the file's format is not {FORMAT}")
        if header["origin"] != key.name:
            self.faults.append("the file's origin is not that of its key")
        if keys and key not in keys:
            self.faults.append("the file names another key than the one it was to be checked with")
        return [key]

    def leaves(self, file: IO[bytes]) -> Iterator[tuple[bytes, Event | None]]:
        """Each leaf hash and its event, up to the first head."""
        for number, line in enumerate(file, 2):
            if line.startswith(_HEAD):
                return
            try:
                item = _parsed(line, "event", "index", "leaf")
                leaf = _hash(item["leaf"])
            except LineUnfit as error:
                self.faults.append(f"line {number}, which should be leaf {self.events}: {error}")
                continue
            event = _event(item["event"])
            self.faults += self._event_faults(item, leaf, event)
            self.events += 1
            yield leaf, event

    def _event_faults(self, item: dict[str, Any], leaf: bytes, event: Event | None) -> list[str]:
        if type(item["index"]) is not int or item["index"] != self.events:  # False is equal to 0
            return [f"leaf {self.events} is missing: the next one says {item['index']}"]
        if event is None or event.leaf != leaf:
            named = _id(item["event"])
            return [f"event {named} of leaf {self.events} was altered: its leaf does not match it"]
        return []

    def heads(self, file: IO[bytes]) -> Iterator[Head]:
        """The heads, once the file has come to them."""
        come = False
        for number, line in enumerate(file, 1):
            if not line.startswith(_HEAD):
                if come:
                    self.faults.append(f"line {number} comes after the heads, and is none")
                continue
            come = True
            try:
                yield _head(_parsed(line, "head")["head"])
            except LineUnfit as error:
                self.faults.append(f"line {number}, a head: {error}")


def _parsed(line: bytes, *names: str) -> dict[str, Any]:
    """The line's object with exactly these names; raises LineUnfit."""
    try:
        item = json.loads(line)
        whole = canonical(item) + b"\n" == line
    except (ValueError, RecursionError) as error:
        raise LineUnfit("it cannot be read") from error
    if not whole:
        raise LineUnfit("it is not in canonical form, or was cut")
    if not isinstance(item, dict) or item.keys() != set(names):
        raise LineUnfit(f"its fields are not {', '.join(names)}")
    return item


def _event(item: Any) -> Event | None:
    try:
        event = Event.from_json(item)
        return event if event.to_json() == item else None
    except (TypeError, ValueError, LookupError, AttributeError):  # it is no event at all
        return None


def _head(item: Any) -> Head:
    try:
        at, note, root, size = (item[name] for name in ("at", "note", "root", "size"))
        head = Head(size=size, root=_hash(root), at=datetime.fromisoformat(at), note=note)
        same = json.loads(head_line(head))["head"] == item
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise LineUnfit("it is malformed") from error
    if not same or type(size) is not int or not isinstance(note, str | None):
        raise LineUnfit("it is malformed")
    return head


def _hash(text: Any) -> bytes:
    try:
        content = bytes.fromhex(text)
    except (TypeError, ValueError) as error:
        raise LineUnfit("its hash is none") from error
    if len(content) != _HASH_BYTES or content.hex() != text:
        raise LineUnfit("its hash is none")
    return content


def _id(event: Any) -> str:
    return repr(event.get("id")) if isinstance(event, dict) else "(none)"
