"""The tables of `poe attack` are found by their folders, and without their data they say so."""

import inspect
from pathlib import Path

import pytest

from tests.attack.__main__ import tables
from tests.attack.figures import Figures, markdown
from tests.attack.retail.data import VARIABLE


def test_every_folder_with_a_table_is_found_and_words_choose_some() -> None:
    assert "retail" in tables([])
    assert list(tables(["retail"])) == ["retail"]
    assert all(inspect.iscoroutinefunction(rows) for rows in tables([]).values())


async def test_without_its_data_a_table_has_no_row_and_says_how_to_name_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    title, figures = await tables(["retail"])["retail"]()

    assert figures == []
    assert VARIABLE in title


def test_a_row_has_all_figures_together() -> None:
    row = Figures(
        governance="some",
        attacks=4,
        unattended=1,
        attacker_asks=2,
        writes=10,
        asks=3,
        wrongly_refused=0,
    )

    assert row.cells() == ("some", "25.0 % (1 of 4)", "30.0 % (3 of 10)", "0.0 % (0 of 10)", "0.50")
    assert markdown([row]).count("\n") == 2
