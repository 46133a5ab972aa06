"""A sheet: pairs and grids under a title, drawn as HTML for a notebook and as text for anywhere else."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from graphs.markup import environment, visible

_TEMPLATES = environment("graphs.views")
_MOST = 160
"""How much of a value a line of text shows; HTML shows all of it."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Labels and their values."""

    rows: tuple[tuple[str, str], ...]
    title: str = ""
    kind = "pairs"

    def lines(self) -> Iterator[str]:
        """As text."""
        yield from (f"  {_cut(label)}: {_cut(value)}" for label, value in self.rows)


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows under a head; those that are marked stand out."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""
    marked: frozenset[int] = frozenset()
    kind = "grid"

    def lines(self) -> Iterator[str]:
        """As text."""
        yield "  " + " | ".join(self.head)
        for place, row in enumerate(self.rows):
            yield f"{'*' if place in self.marked else ' '} {' | '.join(map(_cut, row))}"


Block = Pairs | Grid


class Sheet(ABC):
    """What a person sees of something. No text in it can become markup, whoever wrote it."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What it is about."""

    @abstractmethod
    def blocks(self) -> Sequence[Block]:
        """What it says, the most important first; what has no rows is not shown."""

    def _repr_html_(self) -> str:
        return _TEMPLATES.get_template("sheet.html.j2").render(sheet=self)

    def __repr__(self) -> str:
        lines = [_cut(self.title)]
        for block in self.blocks():
            if not block.rows:
                continue
            lines += [_cut(block.title)] if block.title else []
            lines += block.lines()
        return "\n".join(lines)


def pairs(rows: Iterable[tuple[str, str | None]], title: str = "") -> Pairs:
    """Pairs, those that say nothing left out."""
    return Pairs(tuple((label, value) for label, value in rows if value), title)


def drawn(template: str, **values: object) -> str:
    """One of the templates that lie here, filled in."""
    return _TEMPLATES.get_template(template).render(**values)


def _cut(value: str) -> str:
    words = visible(value)
    return words if len(words) <= _MOST else f"{words[:_MOST]}… ({len(words)} characters)"
