"""docs/architecture.md tells how it is built: on two pages, each statement with the file that does it."""

import re
import tomllib
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
TWO_PAGES = 1200
"""Words as they are read, addresses of links aside."""
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")


def statements() -> list[str]:
    """The items of the lists: each is about something that a file does."""
    return [line for line in TEXT.splitlines() if re.match(r"(\d+\.|-) ", line)]


def test_every_link_leads_somewhere() -> None:
    linked = {link for page in ("architecture.md", "changing.md") for link in links_of(page)}

    assert sorted(link for link in linked if not (ROOT / "docs" / link).exists()) == []


def links_of(page: str) -> list[str]:
    return LINK.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))


def test_every_statement_names_the_file_that_does_it() -> None:
    assert len(statements()) >= 20
    assert [line for line in statements() if not re.search(r"\]\(\.\./\w+", line)] == []


def test_a_link_is_called_as_the_file_that_it_leads_to() -> None:
    named = re.findall(r"\[`([^`]+)`\]\(\.\./([^)]+)\)", TEXT)

    assert [pair for pair in named if pair[0] != pair[1]] == []


def test_the_floors_in_the_picture_are_those_that_are_held() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    floors = [name for layer in layers for name in layer.split(" | ")]
    picture = TEXT.partition("# Architecture")[2].partition("\n\nA floor")[0]
    places = [picture.index(f"{name} ") for name in floors]

    assert all(above < below for above, below in pairwise(places))


def test_it_is_two_pages() -> None:
    assert len(LINK.sub("link", TEXT).split()) <= TWO_PAGES
