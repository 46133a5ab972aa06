"""What an attack table counts, always together: one figure alone says nothing.

Nothing unattended is easy if everybody is asked about everything; few asks are easy if what is legitimate is
refused. So a row has all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from graphs.settings import Room

CROWD = Room(most=1_000_000, most_of_one=1_000_000)
"""Room for all cases of a table: its clock stands still, so whoever counts who waits never looks again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """What became of attacks and of legitimate writes under one governance.

    Attributes:
        governance: what was in force, such as `none`, `amount tiers` or `Countersign`.
        attacks: how many attacks were tried.
        unattended: how many of them had an effect that no person had signed.
        attacker_asks: how many asks of people the attacks made.
        writes: how many legitimate writes were tried.
        asks: how many asks of people they made.
        wrongly_refused: how many of them were refused, or never done although people approved everything.
    """

    governance: str
    attacks: int
    unattended: int
    attacker_asks: int
    writes: int
    asks: int
    wrongly_refused: int

    def cells(self) -> tuple[str, ...]:
        """The row of a table."""
        return (
            self.governance,
            f"{_share(self.unattended, self.attacks)} ({self.unattended} of {self.attacks})",
            f"{_share(self.asks, self.writes)} ({self.asks} of {self.writes})",
            f"{_share(self.wrongly_refused, self.writes)} ({self.wrongly_refused} of {self.writes})",
            f"{self.attacker_asks / self.attacks:.2f}" if self.attacks else "",
        )


COLUMNS = (
    "governance",
    "attacks with an effect and no person",
    "asks per legitimate write",
    "legitimate writes wrongly refused",
    "asks per attack",
)


def table(title: str, rows: Sequence[Figures]) -> Table:
    """Rows as they are printed and put into docs/security.md."""
    drawn = Table(title=title, title_justify="left")
    for column in COLUMNS:
        drawn.add_column(column)
    for row in rows:
        drawn.add_row(*row.cells())
    return drawn


def markdown(rows: Sequence[Figures]) -> str:
    """The same rows as a table in Markdown."""
    lines = [
        " | ".join(COLUMNS),
        " | ".join("---" for _ in COLUMNS),
        *(" | ".join(row.cells()) for row in rows),
    ]
    return "\n".join(f"| {line} |" for line in lines)


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "none"
