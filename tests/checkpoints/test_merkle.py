"""The Merkle tree: the frontier is the tree of RFC 9162, at every size and however it was grown."""

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checkpoints.merkle import EMPTY_ROOT, Frontier, leaf_hash, node_hash

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine is shared

# the entries and roots that certificate-transparency implementations are tested with
REFERENCE_ENTRIES = [
    bytes.fromhex(entry)
    for entry in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
REFERENCE_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [leaf_hash(str(number).encode()) for number in range(200)]


def tree_hash(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 9162 section 2.1.1, word for word, over leaf hashes."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1  # the largest power of two smaller than the size
    left, right = tree_hash(leaves[:split]), tree_hash(leaves[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


@pytest.mark.parametrize("size", range(9))
def test_the_reference_entries_have_the_reference_roots(size: int) -> None:
    leaves = [leaf_hash(entry) for entry in REFERENCE_ENTRIES[:size]]

    assert Frontier().extend(leaves).root.hex() == REFERENCE_ROOTS[size]
    assert tree_hash(leaves).hex() == REFERENCE_ROOTS[size]


def test_the_frontier_is_the_recursive_definition_at_every_size() -> None:
    frontier = Frontier()
    for size in range(len(LEAVES) + 1):
        assert (frontier.size, frontier.root) == (size, tree_hash(LEAVES[:size]))
        if size < len(LEAVES):
            frontier = frontier.append(LEAVES[size])


def test_a_frontier_keeps_one_peak_for_each_bit_of_its_size() -> None:
    frontier = Frontier()
    for leaf in LEAVES:
        frontier = frontier.append(leaf)
        assert len(frontier.peaks) == frontier.size.bit_count()


@UNHURRIED
@given(st.lists(st.integers(0, 40), max_size=8))
def test_appending_in_any_batches_gives_the_same_root(batches: list[int]) -> None:
    frontier = Frontier()
    for batch in batches:
        frontier = frontier.extend((LEAVES * 2)[frontier.size : frontier.size + batch])

    assert frontier == Frontier().extend((LEAVES * 2)[: sum(batches)])


@UNHURRIED
@given(st.integers(1, 60), st.data())
def test_every_leaf_and_its_place_are_in_the_root(size: int, data: st.DataObject) -> None:
    one, other = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size - 1))
    altered, swapped = LEAVES[:size], LEAVES[:size]
    altered[one] = leaf_hash(b"another")
    swapped[one], swapped[other] = swapped[other], swapped[one]
    root = Frontier().extend(LEAVES[:size]).root

    assert Frontier().extend(altered).root != root
    assert (Frontier().extend(swapped).root == root) is (one == other)


def test_appending_leaves_the_frontier_that_was() -> None:
    before = Frontier().extend(LEAVES[:5])
    root = before.root
    before.append(LEAVES[5])

    assert (before.size, before.root) == (5, root)


def test_an_empty_tree_has_the_root_of_nothing() -> None:
    assert Frontier().root == EMPTY_ROOT == hashlib.sha256().digest()


@UNHURRIED
@given(st.binary(max_size=80))
def test_a_leaf_is_never_taken_for_a_node(entry: bytes) -> None:
    left, right = LEAVES[0], LEAVES[1]

    assert leaf_hash(entry) == hashlib.sha256(b"\x00" + entry).digest()
    assert leaf_hash(left + right) != node_hash(left, right)
