"""Canonical JSON: whatever writes it, it is what the reference for RFC 8785 writes, or it is refused."""

from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from checkpoints.canonical import NotCanonical, canonical

TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ["\x00\x1f\x7f", '"\\/', "\u2028"]
)
LEAVES = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXTS | st.floats(-1e9, 1e9)
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner) | st.lists(inner).map(tuple),
    max_leaves=20,
)


@given(DOCUMENTS)
def test_what_is_written_is_what_the_reference_writes(document: Any) -> None:
    assert canonical(document) == rfc8785.dumps(document)


@pytest.mark.parametrize(
    "value", ["\ud800", {"\ud800": 1}, 2**53, -(2**53), 1e300, {1: 2}, {"a": {1, 2}}, [float("nan")]]
)
def test_what_json_does_not_hold_exactly_is_refused(value: Any) -> None:
    with pytest.raises(NotCanonical):
        canonical(value)
