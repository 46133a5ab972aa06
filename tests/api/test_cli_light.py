"""A command loads what it needs: what most commands never touch is not loaded to show the help."""

import subprocess
import sys
from enum import StrEnum
from importlib import import_module
from typing import Any, get_args

import pytest

from api import cli_exceptions, cli_halts, cli_tools
from api.failures import EXPECTED, expected
from checkpoints.halts import HaltScope
from graphs.ways_out import Outcome
from tools.contract import Effect

HEAVY = {"fastapi", "langchain_core", "langgraph", "mcp", "psycopg", "sqlalchemy"}
SHOW_HELP = """
import sys
from contextlib import suppress
from api.cli import main
with suppress(SystemExit):
    main()
print(*{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
"""


@pytest.mark.parametrize("words", [["--help"], ["rules", "--help"], ["resolve", "--help"]], ids=" ".join)
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    command = [sys.executable, "-c", SHOW_HELP, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert "Usage: " in done.stdout
    assert "rich" in done.stderr.split()
    assert not HEAVY & set(done.stderr.split())


def test_every_expected_failure_is_an_exception_that_exists() -> None:
    there = {getattr(import_module(module), name) for module, names in EXPECTED.items() for name in names}

    assert all(issubclass(failure, Exception) for failure in there)
    assert {*expected()} == there | {OSError}


@pytest.mark.parametrize(
    ("offered", "known"),
    [(cli_exceptions.Outcome, Outcome), (cli_halts.What, HaltScope), (cli_tools.Effect, Effect)],
)
def test_a_command_offers_every_word_that_is_known(offered: Any, known: type[StrEnum]) -> None:
    assert [*get_args(offered)] == [*known]
