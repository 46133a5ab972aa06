"""What proves a dossier: each event is a leaf of the log's tree, and the log has signed the tree's root."""

from collections.abc import Iterator, Sequence

from checkpoints.canonical import NotCanonical
from checkpoints.event import Event
from checkpoints.notes import KeyUnfit, NoteUnfit, VerifierKey, read_note
from checkpoints.proofs import proves_inclusion
from graphs.dossier.check import content_faults
from graphs.dossier.shapes import Dossier, DossierUnfit, Entry, HeadOfLog


def dossier_faults(dossier: Dossier, keys: Sequence[VerifierKey] = ()) -> list[str]:
    """What is wrong with a dossier, and where; empty if it holds.

    Without keys its head is checked with the one that the dossier itself names.
    """
    try:
        events = dossier.told
    except DossierUnfit as unfit:
        return [str(unfit)]
    return [*_head_faults(dossier, keys), *_inclusion_faults(dossier, events), *content_faults(dossier)]


def named_key(dossier: Dossier) -> VerifierKey | None:
    """The key that a dossier says its head is signed with; None if that is no key."""
    try:
        return VerifierKey.parse(dossier.head.key) if dossier.head else None
    except KeyUnfit:
        return None


def _head_faults(dossier: Dossier, keys: Sequence[VerifierKey]) -> Iterator[str]:
    named, head = named_key(dossier), dossier.head
    if head is None:
        yield "there is no signed head: nothing vouches for the events"
        return
    if named is None:
        yield "the key that the dossier names is none"
    elif keys and named not in keys:
        yield "the dossier names another key than the one it was to be checked with"
    known = list(keys) or ([named] if named else [])
    try:
        signed = read_note(head.note, known)
    except NoteUnfit as unfit:
        yield f"the head cannot be trusted: {unfit}"
        return
    if (signed.size, signed.root.hex()) != (head.size, head.root):
        yield "the head is not what its note says"


def _inclusion_faults(dossier: Dossier, events: Sequence[Event]) -> Iterator[str]:
    if dossier.head is None:
        return
    before = -1
    for place, (entry, event) in enumerate(zip(dossier.events, events, strict=True)):
        where = f"event {place} ({event.kind})"
        if entry.index is None:
            yield f"{where} has no place in the log"
            continue
        if entry.index <= before:
            yield f"{where} is not after the one before it"
        before = entry.index
        if not _included(entry, event, dossier.head):
            yield f"{where} was altered, or is not leaf {entry.index} of the signed tree"


def _included(entry: Entry, event: Event, head: HeadOfLog) -> bool:
    try:
        path, root = [bytes.fromhex(one) for one in entry.proof], bytes.fromhex(head.root)
        leaf = event.leaf
    except (ValueError, NotCanonical):  # no hex, or nothing like the event was ever written
        return False
    index = -1 if entry.index is None else entry.index
    return proves_inclusion(leaf=leaf, index=index, size=head.size, path=path, root=root)
