"""The RFC 9162 Merkle tree: leaf hashes, and a frontier that grows by appending in O(log n)."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

EMPTY_ROOT = hashlib.sha256(b"").digest()
HASH_BYTES = len(EMPTY_ROOT)


def leaf_hash(entry: bytes) -> bytes:
    """Hash of a leaf: SHA-256(0x00 || entry), RFC 9162 section 2.1.1."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node: SHA-256(0x01 || left || right), RFC 9162 section 2.1.1."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(hashes: bytes) -> list[bytes]:
    """The hashes that were put end to end."""
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]


def complete_root(hashes: Sequence[bytes]) -> bytes:
    """The root of a complete tree over these hashes, of which there are a power of two."""
    level = hashes
    while len(level) > 1:
        level = [node_hash(left, right) for left, right in zip(level[::2], level[1::2], strict=True)]
    return level[0]


@dataclass(frozen=True, slots=True)
class Frontier:
    """The roots of a tree's complete subtrees, largest first: all that appending needs.

    Their sizes are the powers of two in the binary form of `size`.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def append(self, leaf: bytes) -> "Frontier":
        """The frontier with one more leaf hash."""
        peaks, carry, size = list(self.peaks), leaf, self.size
        while size & 1:
            carry = node_hash(peaks.pop(), carry)
            size >>= 1
        return Frontier(self.size + 1, (*peaks, carry))

    def extend(self, leaves: Iterable[bytes]) -> "Frontier":
        """The frontier with more leaf hashes, in their order."""
        frontier = self
        for leaf in leaves:
            frontier = frontier.append(leaf)
        return frontier

    @property
    def root(self) -> bytes:
        """The Merkle tree hash of all leaves so far (RFC 9162 section 2.1.1)."""
        if not self.peaks:
            return EMPTY_ROOT
        *rest, root = self.peaks
        for peak in reversed(rest):
            root = node_hash(peak, root)
        return root
