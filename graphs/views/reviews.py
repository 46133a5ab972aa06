"""A review and an edit of it, as whoever has to decide sees them: first exactly what would be done."""

from collections.abc import Sequence
from dataclasses import dataclass

from checkpoints.reviews import Review
from graphs.record.telling import moment, plain
from graphs.views.sheet import Block, Grid, Sheet, pairs
from nodes.shapes import Json


@dataclass(frozen=True, repr=False, slots=True)
class ReviewView(Sheet):
    """A review as one person sees it.

    Attributes:
        review: what is decided; its digest is what a vote binds itself to.
        seen: `{action, shown, votes}`, in clear for those whose work it is.
        may: whether this person may decide it, and why.
    """

    review: Review
    seen: Json
    may: str

    @property
    def title(self) -> str:
        """What it is about."""
        return f"{self.review.title}: {self.review.tool}, {self.review.status}"

    def blocks(self) -> Sequence[Block]:
        """The exact action, why it needs people, what agents said, the evidence, and whether one may sign."""
        shown, action = self.seen["shown"], self.seen["action"]
        verdict, said = shown["verdict"], shown["recommendation"]
        signs = ", ".join(rung["role"] for rung in self.review.ladder)
        return (
            pairs(
                ((name, plain(value)) for name, value in action["arguments"].items()),
                f"Exactly this would be done: {self.review.tool}",
            ),
            pairs(
                (
                    ("because", f"{verdict['says']} ({verdict['row']}, {verdict['policy']})"),
                    ("signs", signs),
                    ("due", moment(self.review.due_at)),
                    ("risk", self.review.risk),
                    ("undo", shown["reversibility"]),
                ),
                "Why it needs people",
            ),
            _fields("agent", {f"{name} ({one['brain']})": one["output"] for name, one in said.items()}),
            _fields("record", shown["evidence"]),
            pairs(((one["field"], ", ".join(one["flags"])) for one in shown["flags"]), "What is conspicuous"),
            Grid(
                ("who", "said", "why"),
                tuple(
                    (one["person"], one["kind"], plain(one["comment"] or "")) for one in self.seen["votes"]
                ),
                "What was said so far",
            ),
            pairs((("you", self.may), ("digest", self.review.digest)), "Your decision"),
        )


@dataclass(frozen=True, repr=False, slots=True)
class DifferenceView(Sheet):
    """What an edit would change, and what the rules say to it.

    Attributes:
        changes: `[{field, before, after}]`.
        verdict: what the rules say to the edited action.
        may: whether whoever asks may make this edit, and why.
    """

    changes: tuple[Json, ...]
    verdict: Json
    may: str

    @property
    def title(self) -> str:
        """What it would come to."""
        return f"Edited: {self.verdict['outcome']} ({self.verdict['reason']})"

    def blocks(self) -> Sequence[Block]:
        """Field by field, and who would sign."""
        rows = tuple((str(one["field"]), plain(one["before"]), plain(one["after"])) for one in self.changes)
        rules = (
            ("because", self.verdict["says"]),
            ("asks", ", ".join(self.verdict["ladder"])),
            ("you", self.may),
        )
        return (Grid(("field", "before", "after"), rows), pairs(rules, "What the rules would say"))


def _fields(what: str, seen: Json) -> Grid:
    rows = tuple((name, key, plain(value)) for name, one in seen.items() for key, value in one.items())
    return Grid((what, "field", "value"), rows, f"What {what}s say")
