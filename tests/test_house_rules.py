"""House rules as code: what no linter asks for, held over the five packages and the tests."""

import ast
import importlib.metadata
import io
import re
import tokenize
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SETTINGS: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
PACKAGES: list[str] = SETTINGS["hatch"]["build"]["targets"]["wheel"]["packages"]
CONTRACTS: list[dict[str, Any]] = SETTINGS["importlinter"]["contracts"]

MOST_LINES = 330
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "core", "base", "manager", "service"}
BROAD = {"Exception", "BaseException"}
WORDS_OF_A_REASON = 3
REAL = "graphs/clock.py", "graphs/wiring.py"


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A Python file: where it is, what it says, and its syntax tree."""

    path: str
    text: str

    @property
    def nodes(self) -> Iterator[ast.AST]:
        return ast.walk(ast.parse(self.text))

    @property
    def comments(self) -> dict[int, str]:
        """The comment of each line that has one."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}


Rule = Callable[[Source], Iterator[int]]


def files(*folders: str) -> list[Path]:
    found = (path for folder in folders for path in sorted((ROOT / folder).rglob("*")))
    return [path for path in found if path.is_file() and "__pycache__" not in path.parts]


def sources(*folders: str) -> list[Source]:
    return [
        Source(path=path.relative_to(ROOT).as_posix(), text=path.read_text(encoding="utf-8"))
        for path in files(*folders)
        if path.suffix == ".py"
    ]


def offences(rule: Rule, *folders: str) -> list[str]:
    return [f"{source.path}:{line}" for source in sources(*folders) for line in rule(source)]


# --- the rules --------------------------------------------------------------------------------------------


def is_broad(caught: ast.expr | None) -> bool:
    """Whether catching this catches everything."""
    match caught:
        case None:
            return True
        case ast.Tuple(elts=several):
            return any(is_broad(one) for one in several)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in BROAD
    return False


def broad_catches(tree: ast.AST) -> Iterator[int]:
    """Every `except` and every `suppress` that catches everything."""
    for node in ast.walk(tree):
        match node:
            case ast.ExceptHandler(type=caught) if is_broad(caught):
                yield node.lineno
            case ast.Call(func=ast.Name(id="suppress") | ast.Attribute(attr="suppress"), args=caught_ones):
                if any(is_broad(one) for one in caught_ones):
                    yield node.lineno


def has_reason(comment: str) -> bool:
    """Whether a comment says why, and not only which linter to switch off."""
    words = re.sub(r"noqa(:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*)?|type:\s*ignore(\[[^]]*\])?|pragma:.*", "", comment)
    return len(re.findall(r"\w+", words)) >= WORDS_OF_A_REASON


def broad_without_a_reason(source: Source) -> Iterator[int]:
    comments = source.comments
    for line in broad_catches(ast.parse(source.text)):
        if not has_reason(comments.get(line, "")):
            yield line


def broad_around_an_interrupt(source: Source) -> Iterator[int]:
    """LangGraph's interrupt is an exception; whoever catches everything around it swallows the pause."""
    for node in source.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _interrupts(node):
            yield from broad_catches(node)


def _interrupts(function: ast.AST) -> bool:
    calls = (node.func for node in ast.walk(function) if isinstance(node, ast.Call))
    named = (getattr(func, "id", None) or getattr(func, "attr", None) for func in calls)
    return "interrupt" in named


def imported(source: Source) -> Iterator[tuple[str, int]]:
    """Everything that is imported, by its full name."""
    for node in source.nodes:
        match node:
            case ast.Import(names=names):
                yield from ((alias.name, node.lineno) for alias in names)
            case ast.ImportFrom(module=module, names=names):
                yield from ((f"{module}.{alias.name}", node.lineno) for alias in names)


def postponed_annotations(source: Source) -> Iterator[int]:
    """Annotations are read at run time; as strings LangGraph and pydantic find other things in them."""
    return (line for name, line in imported(source) if name == "__future__.annotations")


def mocks(source: Source) -> Iterator[int]:
    """A mock agrees with everything; a fake implements the port."""
    yield from (
        line
        for name, line in imported(source)
        if re.match(r"(unittest\.mock|mock|pytest_mock|asynctest)(\.|$)", name)
    )
    for node in source.nodes:
        if isinstance(node, ast.arg) and node.arg == "mocker":
            yield node.lineno


CLOCKS = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
    ("time", "time"),
    ("time", "time_ns"),
    ("time", "localtime"),
    ("time", "gmtime"),
}
IDS = {"uuid1", "uuid4", "uuid6", "uuid7"}


def own_clock(source: Source) -> Iterator[int]:
    """Whoever looks at the clock itself cannot be tested at another time."""
    for node in source.nodes:
        match node:
            case ast.Attribute(value=ast.Name(id=owner) | ast.Attribute(attr=owner), attr=name):
                if (owner, name) in CLOCKS:
                    yield node.lineno
    yield from (line for name, line in imported(source) if tuple(name.rsplit(".", 1)) in CLOCKS)


def own_ids(source: Source) -> Iterator[int]:
    """Ids come from the wiring, or derive from what they name."""
    yield from (line for name, line in imported(source) if name.rsplit(".", 1)[-1] in IDS)
    for node in source.nodes:
        if isinstance(node, ast.Attribute) and node.attr in IDS:
            yield node.lineno


def own_randomness(source: Source) -> Iterator[int]:
    """Only `Random(seed)` is repeatable."""
    for name, line in imported(source):
        if name == "random" or (name.startswith("random.") and name != "random.Random"):
            yield line
    for node in source.nodes:
        match node:
            case ast.Call(func=ast.Name(id="Random"), args=[], keywords=[]):
                yield node.lineno


def unfinished(source: Source) -> Iterator[int]:
    for number, line in enumerate(source.text.splitlines(), 1):
        if re.search(r"\b(TODO|FIXME)\b", line):
            yield number


# --- the rules hold ---------------------------------------------------------------------------------------


def test_a_broad_except_says_why_on_its_line() -> None:
    assert offences(broad_without_a_reason, *PACKAGES) == []


def test_nothing_is_caught_broadly_around_an_interrupt() -> None:
    assert offences(broad_around_an_interrupt, *PACKAGES) == []


def test_annotations_are_not_postponed() -> None:
    assert offences(postponed_annotations, *PACKAGES, "tests") == []


def test_tests_use_no_mocks() -> None:
    assert offences(mocks, *PACKAGES, "tests") == []


@pytest.mark.parametrize("rule", [own_clock, own_ids, own_randomness], ids=lambda rule: rule.__name__)
def test_clock_ids_and_randomness_come_from_the_wiring(rule: Rule) -> None:
    assert [found for found in offences(rule, *PACKAGES) if found.partition(":")[0] not in REAL] == []


def test_nothing_is_left_to_be_done() -> None:
    assert offences(unfinished, *PACKAGES) == []


def test_a_file_is_read_in_one_sitting() -> None:
    lengths = {path: len(path.read_bytes().splitlines()) for path in files(*PACKAGES)}

    assert {str(path): lines for path, lines in lengths.items() if lines > MOST_LINES} == {}


def test_a_module_is_named_for_what_it_holds() -> None:
    names = {
        part for path in files(*PACKAGES, "tests") for part in path.relative_to(ROOT).with_suffix("").parts
    }

    assert names & VAGUE_NAMES == set()


def test_tests_are_no_package() -> None:
    assert [path for path in files("tests") if path.name == "__init__.py"] == []


def test_no_other_distribution_claims_one_of_our_names() -> None:
    claimed = importlib.metadata.packages_distributions()

    assert {name: set(claimed.get(name, [])) - {"countersign"} for name in PACKAGES} == {
        name: set() for name in PACKAGES
    }


# --- the import contracts cover every package -------------------------------------------------------------


def package_folders() -> set[str]:
    return {path.parent.name for path in ROOT.glob("*/__init__.py")}


def layers() -> list[set[str]]:
    """The floors, from the top; what stands side by side is one set."""
    (contract,) = [contract for contract in CONTRACTS if contract["type"] == "layers"]
    return [{name.strip() for name in re.split(r"[|:]", layer)} for layer in contract["layers"]]


def test_every_package_is_shipped_linted_and_on_a_floor() -> None:
    assert package_folders() == set(PACKAGES)
    assert set(SETTINGS["importlinter"]["root_packages"]) == set(PACKAGES)
    assert set().union(*layers()) == set(PACKAGES)


def test_the_floors_are_those_of_the_design() -> None:
    assert layers() == [{"api"}, {"graphs"}, {"nodes"}, {"tools", "checkpoints"}]


def test_every_contract_speaks_of_every_package_it_is_about() -> None:
    others = {
        frozenset(PACKAGES) - set(contract["source_modules"])
        for contract in CONTRACTS
        if contract["type"] == "forbidden"
    }
    acyclic = [set(contract["ancestors"]) for contract in CONTRACTS if contract["type"] == "acyclic_siblings"]

    assert others == {frozenset({"api"}), frozenset({"checkpoints"})}
    assert acyclic == [set(PACKAGES)]


# --- the rules can fail -----------------------------------------------------------------------------------

BREACHES: list[tuple[Rule, str]] = [
    (broad_without_a_reason, "try:\n    f()\nexcept:\n    pass"),
    (broad_without_a_reason, "try:\n    f()\nexcept Exception:\n    pass"),
    (broad_without_a_reason, "try:\n    f()\nexcept BaseException as error:\n    pass"),
    (broad_without_a_reason, "try:\n    f()\nexcept (OSError, Exception):\n    pass"),
    (broad_without_a_reason, "try:\n    f()\nexcept builtins.Exception:\n    pass"),
    (broad_without_a_reason, "try:\n    f()\nexcept* Exception:\n    pass"),
    (broad_without_a_reason, "try:\n    f()\nexcept Exception:  # noqa: BLE001, S110\n    pass"),
    (broad_without_a_reason, "with suppress(Exception):\n    f()"),
    (broad_without_a_reason, "with contextlib.suppress(OSError, BaseException):\n    f()"),
    (
        broad_around_an_interrupt,
        "def f():\n  try:\n    interrupt({})\n  except Exception:  # for a good reason\n    pass",
    ),
    (
        broad_around_an_interrupt,
        "def gate():\n    with suppress(Exception):\n        langgraph.types.interrupt({})",
    ),
    (postponed_annotations, "from __future__ import annotations"),
    (mocks, "from unittest.mock import Mock"),
    (mocks, "from unittest import mock"),
    (mocks, "import unittest.mock"),
    (mocks, "def test_it(mocker):\n    pass"),
    (own_clock, "from datetime import datetime\ndatetime.now(UTC)"),
    (own_clock, "import datetime\ndatetime.datetime.utcnow()"),
    (own_clock, "field(default_factory=datetime.now)"),
    (own_clock, "date.today()"),
    (own_clock, "import time\ntime.time()"),
    (own_clock, "from time import time"),
    (own_ids, "from uuid import uuid4"),
    (own_ids, "import uuid\nuuid.uuid1()"),
    (own_randomness, "import random\nrandom.choice([1])"),
    (own_randomness, "from random import choice"),
    (own_randomness, "from random import Random\nRandom()"),
    (unfinished, "pass  # TODO: later"),
    (unfinished, "# FIXME"),
]
FINE: list[tuple[Rule, str]] = [
    (broad_without_a_reason, "try:\n    f()\nexcept OSError:\n    pass"),
    (
        broad_without_a_reason,
        "try:\n    f()\nexcept Exception:  # any failure of a plugin is its own\n    pass",
    ),
    (
        broad_around_an_interrupt,
        "def f():\n  interrupt({})\ndef g():\n  try:\n    f()\n  except Exception:\n    pass",
    ),
    (own_clock, "clock.now()\nself.clock()\ntime.monotonic()"),
    (own_ids, "from uuid import uuid5"),
    (own_randomness, "from random import Random\nRandom(7).choice([1])"),
    (unfinished, "todos = []"),
]


@pytest.mark.parametrize(("rule", "text"), BREACHES)
def test_a_breach_is_noticed(rule: Rule, text: str) -> None:
    assert list(rule(Source(path="x.py", text=text)))


@pytest.mark.parametrize(("rule", "text"), FINE)
def test_what_is_fine_is_no_breach(rule: Rule, text: str) -> None:
    assert list(rule(Source(path="x.py", text=text))) == []
