"""Inclusion and consistency proofs of RFC 9162: what hashes they need, how those fold, how they are verified.

A proof is a list of spans of leaves; a span's hash is folded from those of a few aligned, complete subtrees.
Whoever stores the tree is first asked for the subtrees, all at once, and the proof is then folded from them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from checkpoints.merkle import EMPTY_ROOT, node_hash


class NoSuchProof(ValueError):
    """There is no proof for these sizes."""


@dataclass(frozen=True, slots=True)
class Subtree:
    """The complete subtree of the 2^height leaves from index * 2^height on."""

    height: int
    index: int


@dataclass(frozen=True, slots=True)
class Span:
    """The leaves from `start` up to, and without, `end`: what one hash of a proof is over."""

    start: int
    end: int

    def subtrees(self) -> Iterator[Subtree]:
        """The complete subtrees that it consists of, largest and leftmost first."""
        at = self.start
        while at < self.end:
            height = (self.end - at).bit_length() - 1
            yield Subtree(height, at >> height)
            at += 1 << height


Hashes = Mapping[Subtree, bytes]


def inclusion_spans(index: int, size: int) -> list[Span]:
    """PATH(index, D_size) of RFC 9162 section 2.1.3.1, nearest to the leaf first; raises NoSuchProof."""
    if not 0 <= index < size:
        raise NoSuchProof(f"a tree of {size} leaves has no leaf {index}")
    spans, whole = [], Span(0, size)
    while whole.end - whole.start > 1:
        left, right = _halves(whole)
        whole, beside = (left, right) if index < left.end else (right, left)
        spans.append(beside)
    return spans[::-1]


def consistency_spans(first: int, second: int) -> list[Span]:
    """PROOF(first, D_second) of RFC 9162 section 2.1.4.1; raises NoSuchProof."""
    if not 0 < first <= second:
        raise NoSuchProof(f"there is no proof from {first} leaves to {second}")
    spans, whole = [], Span(0, second)
    while whole.end != first:
        left, right = _halves(whole)
        whole, beside = (left, right) if first <= left.end else (right, left)
        spans.append(beside)
    if whole.start:  # else it is the whole first tree, whose root the verifier has
        spans.append(whole)
    return spans[::-1]


def _halves(span: Span) -> tuple[Span, Span]:
    """Split at the largest power of two that is smaller than the number of leaves."""
    middle = span.start + (1 << (span.end - span.start - 1).bit_length() - 1)
    return Span(span.start, middle), Span(middle, span.end)


def needed(spans: Sequence[Span]) -> list[Subtree]:
    """The subtrees whose hashes these spans are folded from."""
    return [subtree for span in spans for subtree in span.subtrees()]


def fold(spans: Sequence[Span], hashes: Hashes) -> list[bytes]:
    """The hash of each span (RFC 9162 section 2.1.1), from those of its subtrees."""
    return [_folded(span, hashes) for span in spans]


def _folded(span: Span, hashes: Hashes) -> bytes:
    *rest, folded = (hashes[subtree] for subtree in span.subtrees())
    for left in reversed(rest):
        folded = node_hash(left, folded)
    return folded


def proves_inclusion(*, leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether the path leads from the leaf hash to the root: RFC 9162 section 2.1.3.2."""
    return inclusion_root(leaf=leaf, index=index, size=size, path=path) == root


def inclusion_root(*, leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that the path leads to from the leaf hash; None if it is too short or too long."""
    if not 0 <= index < size:
        return None
    place, last, found = index, size - 1, leaf
    for beside in path:
        if last == 0:
            return None
        if place & 1 or place == last:
            found = node_hash(beside, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, beside)
        place, last = place >> 1, last >> 1
    return found if last == 0 else None


def proves_consistency(
    *, first: int, first_root: bytes, second: int, second_root: bytes, path: Sequence[bytes]
) -> bool:
    """Whether the second tree begins with the first: RFC 9162 section 2.1.4.2.

    Every tree begins with the empty one, which needs no path.
    """
    if not 0 <= first <= second:
        return False
    if first == 0:
        return not path and first_root == EMPTY_ROOT and (second > 0 or second_root == EMPTY_ROOT)
    if first == second:
        return not path and first_root == second_root
    if not path:
        return False
    if first & (first - 1) == 0:  # a complete tree is itself the first hash
        path = [first_root, *path]
    return _both_roots(first, second, path) == (first_root, second_root)


def _both_roots(first: int, second: int, path: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """The roots that the path comes to at both sizes; None if it is too short or too long."""
    place, last = first - 1, second - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    before = after = path[0]
    for beside in path[1:]:
        if last == 0:
            return None
        if place & 1 or place == last:
            before, after = node_hash(beside, before), node_hash(beside, after)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            after = node_hash(after, beside)
        place, last = place >> 1, last >> 1
    return (before, after) if last == 0 else None
