"""What holds of a log, leaf by leaf: every head is the root of its leaves, is signed, and anchors agree.

It knows neither the database nor the file that the leaves come from.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from checkpoints.event import SIGNING_BEGAN, Event
from checkpoints.merkle import Frontier
from checkpoints.notes import NoteUnfit, SignedHead, VerifierKey, read_note


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """What a reading of the whole log found; `faults` is empty when it holds.

    Attributes:
        heads: how many heads were held against the leaves.
        unsigned: how many of them are from before heads were signed.
        anchored: how many anchored heads the log was held against.
        keys: the verifier keys that signatures were checked with; none if they were not.
    """

    events: int
    size: int
    root: str
    faults: tuple[str, ...]
    heads: int = 0
    unsigned: int = 0
    anchored: int = 0
    keys: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing was found wrong."""
        return not self.faults


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """A head as it was kept; `peaks` are checked where they are kept too."""

    size: int
    root: bytes
    at: datetime
    note: str | None
    peaks: bytes | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Anchored:
    """A signed head as it was found outside, and where that was."""

    where: str
    head: SignedHead


class Check:
    """Takes a log's leaves in their order, and holds heads and anchors against them."""

    def __init__(
        self,
        heads: Iterable[Head],
        keys: Sequence[VerifierKey] | None,
        anchored: Iterable[Anchored] = (),
    ) -> None:
        """Heads come by their size, and are asked for one at a time; keys of None check no signature."""
        self.frontier = Frontier()
        self.faults: list[str] = []
        self._keys = keys
        self._heads = _Heads(heads, keys, self.faults)
        self._anchors = _Anchors(anchored, self.faults)

    def add(self, leaf: bytes, event: Event | None) -> None:
        """Take the next leaf hash, and the event that it is of if that can be read."""
        if event is not None and event.kind == SIGNING_BEGAN:
            self._heads.signing_began(event, self.frontier.size)
        self.frontier = self.frontier.append(leaf)
        self._heads.hold(self.frontier)
        self._anchors.hold(self.frontier)

    def end(self, events: int) -> Verification:
        """What was found, now that there are no more leaves."""
        self._heads.end(self.frontier.size)
        self._anchors.end(self.frontier.size)
        return Verification(
            events=events,
            size=self.frontier.size,
            root=self.frontier.root.hex(),
            faults=tuple(self.faults),
            heads=self._heads.count,
            unsigned=self._heads.unsigned,
            anchored=self._anchors.count,
            keys=tuple(map(str, self._keys or ())),
        )


class _Heads:
    """Every head is the root of as many leaves as it says, and says what was signed."""

    def __init__(self, heads: Iterable[Head], keys: Sequence[VerifierKey] | None, faults: list[str]) -> None:
        self._coming = iter(heads)
        self._keys = keys
        self._faults = faults
        self._next = next(self._coming, None)
        self._newest: Head | None = None
        self._signed: Head | None = None
        self._first_signed: int | None = None
        self._last_unsigned = 0
        self._began: dict[int, int] = {}
        self._right = self._wrong = self.count = self.unsigned = 0

    def signing_began(self, event: Event, index: int) -> None:
        """The event of this leaf says up to which size heads were never signed."""
        match event.data:
            case {"unsigned_size": int(size)}:
                self._began.setdefault(size, index)

    def hold(self, frontier: Frontier) -> None:
        while self._next is not None and self._next.size <= frontier.size:
            head = self._taken(self._next)
            if head.size < frontier.size:
                self._faults.append(f"the head of size {head.size} is not in its place")
            elif head.root == frontier.root and head.peaks in {None, b"".join(frontier.peaks)}:
                self._right = head.size
            else:
                self._misfit(head)

    def end(self, size: int) -> None:
        if self._next is None and (newest := self._newest.size if self._newest else 0) < size:
            self._faults.append(f"the tree has {size} leaves, but its newest head says {newest}")
        while self._next is not None:
            self._faults.append(f"the log ends at {size}, but a head says {self._taken(self._next).size}")
        if self._wrong > 1:
            self._faults.append(f"{self._wrong - 1} later heads are not the roots of their leaves either")
        if self._first_signed and self.unsigned and self._unvouched(self._first_signed):
            self._faults.append(
                f"the head of size {self._last_unsigned} is not signed, and nothing says that it never was"
            )
        if self._keys is not None and self._newest is not None and self._newest.note is None:
            self._faults.append(f"the newest head, of size {self._newest.size}, is not signed")

    def _unvouched(self, first_signed: int) -> bool:
        """Whether the first signed head is not over an event which says that those before it were not."""
        return self._began.get(self._last_unsigned, first_signed) >= first_signed

    def _misfit(self, head: Head) -> None:
        self._wrong += 1
        if self._wrong == 1:
            last = f"; that of size {self._right} is" if self._right else ""
            self._faults.append(f"the head of size {head.size} is not the root of its leaves{last}")

    def _taken(self, head: Head) -> Head:
        """The head, once what it says of itself was looked at; the next one comes."""
        self.count += 1
        self._faults += [f"the head of size {head.size} {fault}" for fault in self._faults_alone(head)]
        self._newest, self._next = head, next(self._coming, None)
        return head

    def _faults_alone(self, head: Head) -> list[str]:
        faults = []
        if self._newest and head.size <= self._newest.size:
            faults.append(f"comes after that of size {self._newest.size}")
        if head.note is None:
            self.unsigned += 1
            self._last_unsigned = head.size
            return [*faults, "is not signed, though an earlier one is"] if self._signed else faults
        if self._signed and head.at < self._signed.at:
            faults.append("is dated before the one before it")
        self._signed = head
        self._first_signed = self._first_signed or head.size
        return faults if self._keys is None else faults + _unsaid(head, head.note, self._keys)


def _unsaid(head: Head, note: str, keys: Sequence[VerifierKey]) -> list[str]:
    """What is wrong with a head's note."""
    try:
        signed = read_note(note, keys)
    except NoteUnfit as error:
        return [f"has a note that cannot be trusted: {error}"]
    if (signed.size, signed.root, signed.at) != (head.size, head.root, head.at):
        return ["is not what its note says"]
    return [] if signed.signatures == 1 else ["has a note to which something was added"]


class _Anchors:
    """The log begins with every tree that is anchored."""

    def __init__(self, anchored: Iterable[Anchored], faults: list[str]) -> None:
        self._coming = sorted(anchored, key=lambda one: -one.head.size)  # the smallest is taken first
        self._faults = faults
        self.count = 0

    def hold(self, frontier: Frontier) -> None:
        while self._coming and self._coming[-1].head.size <= frontier.size:
            one = self._coming.pop()
            self.count += 1
            if one.head.root != frontier.root:
                self._faults.append(f"{one.where} says another root of the first {one.head.size} leaves")

    def end(self, size: int) -> None:
        self.count += len(self._coming)
        self._faults += [
            f"the log ends at {size}, but {one.where} says {one.head.size}" for one in reversed(self._coming)
        ]
