"""The one table of configuration says what the settings read: no variable is missing, none is invented."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.cli_run import LOCAL
from graphs.settings import Rate, Settings
from tests.deploy.containers import ROOT

PACKAGES = ("api", "checkpoints", "graphs", "nodes", "tools")
OF_COMMANDS = {"COUNTERSIGN_URL": LOCAL, "COUNTERSIGN_TOKEN": "none"}
"""Variables that Typer reads for a command's option."""
OLDER_NAMES = {"LANGCHAIN_ENDPOINT", "LANGCHAIN_PROJECT"}
"""Names that LangSmith's own client reads too; each stands with the newer one."""
DOCUMENT = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
NUMBERS = ("RATE_PRINCIPAL", "RATE_ADDRESS", "WAITING", "WAITING_WORKFLOW", "CONNECTOR_CALLS")
PROBES = {"LANGSMITH_TRACING": "true", "COUNTERSIGN_PRUNE_AFTER": "70d", "COUNTERSIGN_SEATS": "vendor=2"} | {
    f"COUNTERSIGN_{name}": "7" for name in NUMBERS
}


class Asked(dict[str, str]):
    """An environment with nothing in it that remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return default


def rows() -> dict[str, str]:
    """Each variable of the table with its default."""
    table = DOCUMENT.partition("## Configuration")[2].partition("\n## ")[0]
    found = re.findall(r"^\| `(\w+)` \| (\S+) \| (.+) \|$", table, re.MULTILINE)
    assert len(found) == len(re.findall(r"^\| `", table, re.MULTILINE))
    assert all(meaning.strip() for _, _, meaning in found)
    return {name: default.strip("`") for name, default, _ in found}


def read_by_settings() -> set[str]:
    asked = Asked()
    Settings.from_environment(asked)
    return asked.names - OLDER_NAMES


def flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting by its path, also those of a group."""
    for one in fields(value):
        inner = getattr(value, one.name)
        if is_dataclass(inner) and not isinstance(inner, Rate):
            yield from flat(inner, f"{prefix}{one.name}.")
        else:
            yield f"{prefix}{one.name}", inner


def of(environment: Mapping[str, str]) -> dict[str, Any]:
    return dict(flat(Settings.from_environment(environment)))


def shown(value: Any) -> str:
    """A default as the table writes it."""
    match value:
        case None | ():
            return "none"
        case dict() if not value:
            return "none"
        case bool():
            return str(value).lower()
        case Rate(per_minute=calls):
            return str(calls)
        case timedelta(days=days):
            return f"{days}d"
        case Path() if value == Path.home() / ".countersign":
            return "~/.countersign"
        case Path():
            return f"$COUNTERSIGN_HOME/{value.relative_to(Path.home() / '.countersign')}"
        case _:
            return str(value)


def test_the_table_has_each_variable_once_and_no_other() -> None:
    assert set(rows()) == read_by_settings() | set(OF_COMMANDS)


def test_every_variable_that_the_code_names_is_in_the_table() -> None:
    sources = [path.read_text(encoding="utf-8") for name in PACKAGES for path in (ROOT / name).rglob("*.py")]
    named = {name for text in sources for name in re.findall(r"COUNTERSIGN_[A-Z_]*[A-Z]", text)}
    assert named <= set(rows())


@pytest.mark.parametrize("name", sorted(read_by_settings()))
def test_the_default_in_the_table_is_the_one_in_the_code(name: str) -> None:
    without = of({})
    with_it = of({name: PROBES.get(name, "/probe")})
    changed = [path for path, value in without.items() if with_it[path] != value]
    assert changed, f"{name} changes nothing"
    assert rows()[name] == shown(without[changed[0]])


def test_the_defaults_of_commands_are_in_the_table() -> None:
    assert {name: rows()[name] for name in OF_COMMANDS} == OF_COMMANDS
