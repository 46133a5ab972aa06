"""The list of controls that `poe mutate` removes fits the code: each stands where it says, once."""

from pathlib import Path

import pytest

from tests.mutate import MUTATIONS
from tests.mutations.mutation import Mutation

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: f"{one.file}: {one.control}")
def test_a_control_stands_where_it_says_and_has_tests(mutation: Mutation) -> None:
    whole = (ROOT / mutation.file).read_text(encoding="utf-8")

    assert mutation.applied(whole) != whole
    assert [test for test in mutation.tests if not (ROOT / test.partition("::")[0]).exists()] == []
    assert mutation.tests


def test_no_control_is_listed_twice() -> None:
    named = [(mutation.file, mutation.control) for mutation in MUTATIONS]

    assert len(set(named)) == len(named)
