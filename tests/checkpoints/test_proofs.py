"""Proofs: those of the RFC's own definition, nothing else is accepted, and they need few hashes."""

import hashlib
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checkpoints.merkle import EMPTY_ROOT, leaf_hash
from checkpoints.proofs import (
    NoSuchProof,
    Span,
    Subtree,
    consistency_spans,
    fold,
    inclusion_spans,
    needed,
    proves_consistency,
    proves_inclusion,
)

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine is shared
ENTRIES = [
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
"""The entries that implementations of certificate transparency are tested with."""
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
MANY = [leaf_hash(str(number).encode()) for number in range(300)]
MOST = 70


# --- the recursive definitions of RFC 9162, word for word -------------------------------------------------


def split_of(size: int) -> int:
    """The largest power of two smaller than the size."""
    power = 1
    while power * 2 < size:
        power *= 2
    return power


def mth(leaves: Sequence[bytes]) -> bytes:
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    k = split_of(len(leaves))
    return hashlib.sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = split_of(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def proof(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    return subproof(m, leaves, whole=True)


def subproof(m: int, leaves: Sequence[bytes], *, whole: bool) -> list[bytes]:
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = split_of(len(leaves))
    if m <= k:
        return [*subproof(m, leaves[:k], whole=whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], whole=False), mth(leaves[:k])]


# --- what is tested ---------------------------------------------------------------------------------------


def folded(spans: Sequence[Span], leaves: Sequence[bytes]) -> list[bytes]:
    """The spans' hashes, from the subtrees that were asked for and no others."""
    hashes = {
        subtree: mth(leaves[subtree.index << subtree.height : (subtree.index + 1) << subtree.height])
        for subtree in needed(spans)
    }
    return fold(spans, hashes)


def included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    return proves_inclusion(leaf=leaf, index=index, size=size, path=proof, root=root)


def consistent(first: int, one: bytes, second: int, other: bytes, proof: Sequence[bytes]) -> bool:
    return proves_consistency(first=first, first_root=one, second=second, second_root=other, path=proof)


KNOWN_PATHS = [
    (0, 1, []),
    (
        0,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        5,
        8,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        1,
        5,
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]
KNOWN_PROOFS = [
    (1, 1, []),
    (
        1,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        [
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]
"""Proofs that implementations of certificate transparency are tested with."""


@pytest.mark.parametrize(("index", "size", "known"), KNOWN_PATHS)
def test_the_known_inclusion_proofs_come_out(index: int, size: int, known: list[str]) -> None:
    made = folded(inclusion_spans(index, size), LEAVES)

    assert [one.hex() for one in made] == known
    assert [one.hex() for one in path(index, LEAVES[:size])] == known
    assert included(LEAVES[index], index, size, made, mth(LEAVES[:size]))


@pytest.mark.parametrize(("first", "second", "known"), KNOWN_PROOFS)
def test_the_known_consistency_proofs_come_out(first: int, second: int, known: list[str]) -> None:
    made = folded(consistency_spans(first, second), LEAVES)

    assert [one.hex() for one in made] == known
    assert [one.hex() for one in proof(first, LEAVES[:second])] == known
    assert consistent(first, mth(LEAVES[:first]), second, mth(LEAVES[:second]), made)


def test_every_leaf_of_every_small_tree_has_its_proof() -> None:
    for size in range(1, MOST):
        root = mth(MANY[:size])
        for index in range(size):
            made = folded(inclusion_spans(index, size), MANY)
            assert made == path(index, MANY[:size])
            assert included(MANY[index], index, size, made, root)


def test_every_pair_of_small_trees_has_its_proof() -> None:
    roots = [mth(MANY[:size]) for size in range(MOST)]
    for second in range(1, MOST):
        for first in range(1, second + 1):
            made = folded(consistency_spans(first, second), MANY)
            assert made == proof(first, MANY[:second])
            assert consistent(first, roots[first], second, roots[second], made)


TREES = st.binary(min_size=1, max_size=40).map(lambda bodies: [leaf_hash(bytes([body])) for body in bodies])


@UNHURRIED
@given(TREES, st.data())
def test_random_trees_prove_each_leaf_and_no_other(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    made, root = folded(inclusion_spans(index, len(leaves)), leaves), mth(leaves)

    assert made == path(index, leaves)
    for place, leaf in enumerate(leaves):
        assert included(leaf, index, len(leaves), made, root) is (leaf == leaves[index])
        if place != index:
            wrong_place = included(leaves[index], place, len(leaves), made, root)
            assert not wrong_place or path(place, leaves) == made  # two leaves alike, side by side


@UNHURRIED
@given(TREES, st.data())
def test_random_trees_prove_each_of_their_beginnings(leaves: list[bytes], data: st.DataObject) -> None:
    second = data.draw(st.integers(1, len(leaves)))
    first = data.draw(st.integers(1, second))
    made = folded(consistency_spans(first, second), leaves)

    assert made == proof(first, leaves[:second])
    assert consistent(first, mth(leaves[:first]), second, mth(leaves[:second]), made)


# --- nothing else is accepted -----------------------------------------------------------------------------


def mutations(made: list[bytes]) -> list[tuple[str, list[bytes]]]:
    """A byte of each hash flipped at each place, hashes left out, doubled, added and swapped."""
    flipped = [
        (
            f"byte {at} of hash {place}",
            [
                *made[:place],
                made[place][:at] + bytes([made[place][at] ^ 1]) + made[place][at + 1 :],
                *made[place + 1 :],
            ],
        )
        for place in range(len(made))
        for at in range(32)
    ]
    fewer = [(f"without hash {place}", made[:place] + made[place + 1 :]) for place in range(len(made))]
    more = [
        (f"more at {place}", [*made[:place], added, *made[place:]])
        for place in range(len(made) + 1)
        for added in (MANY[-1], b"", *(made[:1]))
    ]
    swapped = [
        (f"{place} swapped", [*made[:place], other, one, *made[place + 2 :]])
        for place, (one, other) in enumerate(pairwise(made))
    ]
    return [*flipped, *fewer, *more, *swapped]


def refused_each(made: list[bytes], accepted: Callable[[list[bytes]], bool]) -> None:
    assert accepted(made)
    assert [what for what, changed in mutations(made) if accepted(changed)] == []


@UNHURRIED
@given(st.integers(1, MOST), st.data())
def test_a_mutated_inclusion_proof_is_refused(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    root, leaf, made = mth(MANY[:size]), MANY[index], path(index, MANY[:size])

    refused_each(made, lambda changed: included(leaf, index, size, changed, root))
    for other in {*range(-1, size + 2)} - {index}:
        assert not included(leaf, other, size, made, root)
    assert not included(leaf, index, size, made, leaf_hash(root))
    assert not included(leaf_hash(leaf), index, size, made, root)


@UNHURRIED
@given(st.integers(1, MOST), st.data())
def test_a_mutated_consistency_proof_is_refused(second: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, second))
    one, other, made = mth(MANY[:first]), mth(MANY[:second]), proof(first, MANY[:second])

    refused_each(made, lambda changed: consistent(first, one, second, other, changed))
    for wrong in {*range(-1, second + 2)} - {first}:
        assert not consistent(wrong, one, second, other, made)
    assert not consistent(first, leaf_hash(one), second, other, made)
    assert not consistent(first, one, second, leaf_hash(other), made)


@UNHURRIED
@given(st.integers(1, MOST), st.integers(1, MOST), st.data())
def test_a_proof_holds_at_another_size_only_if_it_is_that_sizes_own(
    size: int, other: int, data: st.DataObject
) -> None:
    """The verifier takes the size from a signed head: beside its root, no other size goes."""
    index = data.draw(st.integers(0, min(size, other) - 1))
    made = path(index, MANY[:size])

    assert included(MANY[index], index, other, made, mth(MANY[:other])) is (other == size)


def test_a_tree_that_was_rewritten_is_consistent_with_nothing_it_was() -> None:
    rewritten = [leaf_hash(b"another"), *MANY[1:20]]
    for first in range(1, 20):
        for made in (proof(first, MANY[:20]), proof(first, rewritten)):
            assert not consistent(first, mth(MANY[:first]), 20, mth(rewritten), made)


def test_every_tree_begins_with_the_empty_one() -> None:
    assert consistent(0, EMPTY_ROOT, 0, EMPTY_ROOT, [])
    assert consistent(0, EMPTY_ROOT, 8, mth(LEAVES), [])
    assert not consistent(0, mth(LEAVES), 8, mth(LEAVES), [])
    assert not consistent(0, EMPTY_ROOT, 0, mth(LEAVES), [])
    assert not consistent(0, EMPTY_ROOT, 8, mth(LEAVES), [MANY[0]])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (8, 8), (-1, 8), (9, 8)])
def test_a_leaf_that_is_not_there_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(NoSuchProof, match=f"a tree of {size} leaves has no leaf {index}"):
        inclusion_spans(index, size)


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 8), (9, 8), (-1, 8)])
def test_sizes_that_do_not_follow_each_other_have_no_proof(first: int, second: int) -> None:
    with pytest.raises(NoSuchProof, match=f"no proof from {first} leaves to {second}"):
        consistency_spans(first, second)


# --- it needs little --------------------------------------------------------------------------------------


@UNHURRIED
@given(st.integers(1, 2**40), st.data())
def test_a_proof_needs_two_subtrees_for_each_doubling_at_most(size: int, data: st.DataObject) -> None:
    index, first = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))

    for spans in (inclusion_spans(index, size), consistency_spans(first, size)):
        asked = needed(spans)
        assert len(spans) <= size.bit_length() + 1
        assert len(asked) <= 2 * size.bit_length()
        assert len(set(asked)) == len(asked)
        assert all(((one.index + 1) << one.height) <= size for one in asked)


def test_a_span_is_its_complete_subtrees() -> None:
    assert list(Span(8, 15).subtrees()) == [Subtree(2, 2), Subtree(1, 6), Subtree(0, 14)]
