"""The page on what supports what: tests and files it names are there, and no point is left out."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "governance.md"
SECURITY = ROOT / "docs" / "security.md"
MISSING = "Not yet"
IN_PART = "In part:"
MOST_LINES = 250

SECTIONS = {"9.1": 3, "9.2": 10, "9.3": 8, "9.4": 4, "9.5": 6, "9.6": 3} | {
    "12.1": 4,
    "12.2": 6,
    "12.3": 4,
    "12.4": 3,
    "12.5": 4,
}
"""How many requirements each section of AISVS 1.0's chapters C9 and C12 has."""
ARTICLES = {
    "12": ("(1)", "(2)(a)", "(2)(b)", "(2)(c)", "(3)"),
    "14": ("(1)", "(2)", "(3)", *(f"(4)({letter})" for letter in "abcde"), "(5)"),
    "19": ("(1)", "(2)"),
}
POINTS = frozenset(
    [f"{section}.{number + 1}" for section, many in SECTIONS.items() for number in range(many)]
    + [f"{risk}{number + 1:02}" for risk in ("LLM", "ASI") for number in range(10)]
    + [f"Art. {article}{part}" for article, parts in ARTICLES.items() for part in parts]
)

_POINT = re.compile(r"\*\*([^*]+)\*\*")
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
_LINK = re.compile(r"\]\(([^)#:]+)\)")
_VERDICT = re.compile(r"\bcompl(y|ies|ied|iant|iance|ying)\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A row of a table of the page: the points it is about, what it says, and under which heading."""

    heading: str
    points: tuple[str, ...]
    text: str

    @property
    def is_missing(self) -> bool:
        return self.heading == MISSING

    @property
    def is_in_part(self) -> bool:
        return IN_PART in self.text

    @property
    def tests(self) -> list[tuple[str, str]]:
        return _TEST.findall(self.text)


def rows(text: str) -> Iterator[Row]:
    heading = ""
    for line in text.splitlines():
        if line.startswith("## "):
            heading = line.removeprefix("## ")
        if line.startswith("| **"):
            _, first, rest = line.split("|", 2)
            yield Row(heading=heading, points=tuple(_POINT.findall(first)), text=rest)


def points(told: list[Row]) -> set[str]:
    return {point for row in told for point in row.points}


@cache
def functions(path: str) -> frozenset[str]:
    """The tests that a file defines, without importing it; none if there is no such file."""
    file = ROOT / path
    if not file.is_file():
        return frozenset()
    body = ast.parse(file.read_text(encoding="utf-8")).body
    return frozenset(node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def absent_tests(text: str) -> dict[str, list[str]]:
    """By file the tests that are named and not there."""
    absent: dict[str, list[str]] = defaultdict(list)
    for path, name in _TEST.findall(text):
        if name not in functions(path):
            absent[path].append(name)
    return dict(absent)


def absent_files(text: str) -> set[str]:
    return {link for link in _LINK.findall(text) if not (PAGE.parent / link).is_file()}


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def told(page: str) -> list[Row]:
    return list(rows(page))


def test_every_test_that_is_named_is_there(page: str) -> None:
    assert absent_tests(page) == {}


def test_every_file_that_is_linked_is_there(page: str) -> None:
    assert absent_files(page) == set()


def test_the_page_on_security_names_what_is_there() -> None:
    text = SECURITY.read_text(encoding="utf-8")

    assert absent_tests(text) == {}
    assert absent_files(text) == set()
    tables = [line for line in text.splitlines() if line.startswith("| ") and "---" not in line]
    claims = [
        line
        for line in tables
        if "%" not in line and not line.startswith(("| |", "| governance", "| workflow"))
    ]
    assert [line for line in claims if _TEST.search(line) is None and "none (0" not in line] == []


def test_every_point_has_a_row_or_stands_among_what_is_missing(told: list[Row]) -> None:
    assert points(told) == POINTS


def test_every_point_that_is_supported_names_a_test_and_a_single_row(told: list[Row]) -> None:
    supported = [row for row in told if not row.is_missing]
    assert [row.points for row in supported if not row.tests] == []
    assert len(points(supported)) == len(supported)


def test_what_is_supported_in_part_says_what_is_missing_and_nothing_else_does(told: list[Row]) -> None:
    supported = [row for row in told if not row.is_missing]
    missing = points([row for row in told if row.is_missing])
    assert points([row for row in supported if row.is_in_part]) == points(supported) & missing


def test_what_is_missing_claims_nothing(told: list[Row]) -> None:
    assert [row.points for row in told if row.is_missing and (row.tests or row.is_in_part)] == []


def test_the_page_says_supports_and_never_more(page: str) -> None:
    assert _VERDICT.search(page) is None


def test_the_page_is_read_in_one_sitting(page: str) -> None:
    assert len(page.splitlines()) < MOST_LINES


def test_a_test_or_a_file_that_is_not_there_is_noticed() -> None:
    here = "tests/test_governance.py"
    real, fancy = f"`{here}::test_the_page_says_supports_and_never_more`", f"`{here}::test_of_fancy`"
    text = f"{real} {fancy} `tests/test_no.py::test_x`"
    assert absent_tests(text) == {here: ["test_of_fancy"], "tests/test_no.py": ["test_x"]}
    assert absent_files("[here](governance.md) [there](../nodes/nowhere.py) [above](#not-yet)") == {
        "../nodes/nowhere.py"
    }


def test_a_row_is_read_with_its_heading_its_points_and_its_tests() -> None:
    table = "| points | what |\n|---|---|\n| **9.1.3**, **ASI10** | In part: `tests/a.py::test_b` |\n"
    (row,) = rows(f"## Not yet\n\n{table}")
    assert (row.heading, row.points, row.tests) == ("Not yet", ("9.1.3", "ASI10"), [("tests/a.py", "test_b")])
    assert (row.is_missing, row.is_in_part) == (True, True)
