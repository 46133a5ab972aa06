"""`poe crash`: a process killed in every moment of every scenario, and what came of it.

    poe crash                         every moment of all scenarios
    poe crash --write                 the same, and the table into docs/reliability.md
    poe crash one rollback            every moment of these
    poe crash --sample 20             20 of each, chosen by --seed
    poe crash --sample 20 --boundaries one    and all of `one` that touch a commit, a call or a node

Each kill is a real one, in a copy of its own of both databases. Another process then goes on from whatever a
kill left that none before has left; and from a twentieth of all others, for what is the same to us might not
be to it. Every tenth of those that go on is killed too, in a moment chosen by the seed, and a third goes on.
It fails if anything is not as it must be.
"""

import argparse
import json
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from tests.crash.forks import begun
from tests.crash.points import Kind
from tests.crash.scenarios import SCENARIOS, Scenario
from tests.crash.yard import At, Recorded, Yard, open_yard

BOUNDARIES = {Kind.COMMIT, Kind.CALL, Kind.NODE}
ANYWAY, KILLED_TOO = 20, 10
"""One in so many is gone on with although its like was; one in so many of those who go on is killed too."""
MOST_LATE = 5
"""So many kills of a scenario, and one in fifty, may come too late: no two runs send quite the same."""
_EARLY = 150
"""In how many of its first moments whoever goes on is killed; by then it has taken over and begun."""
DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- crash: begin -->", "<!-- crash: end -->"
WRONG = ("stuck", "doubled", "lost", "hidden", "without its grant", "in doubt", "log", "asked twice")


@dataclass(frozen=True, kw_only=True, slots=True)
class Came:
    """What came of one kill.

    Attributes:
        died: the point at which the process died; None if it had ended by then.
        new: whether no kill before in this lane has left the same.
        went_on: how many went on from what it left: none, one, or two if the first was killed too.
        unknown: whether nobody can tell what became of a deed, and somebody has to look.
        problems: what is not as it must be.
    """

    at: At
    died: str | None
    new: bool
    went_on: int = 0
    unknown: bool = False
    problems: Sequence[str] = ()


def chosen(recorded: Recorded, sample: int | None, boundaries: Sequence[str], seed: int) -> list[At]:
    """The moments to kill in."""
    every = recorded.all()
    if sample is None:
        return every
    picked = set(random.Random(seed).sample(every, min(sample, len(every))))  # noqa: S311 - no secret
    if recorded.scenario.name in boundaries:
        picked |= {at for at in every if any(one.kind in BOUNDARIES for one in recorded.points(at))}
    return sorted(picked)


def killed(yard: Yard, recorded: Recorded, where: Sequence[At], lane: str, seed: int) -> Iterator[Came]:
    """What comes of killing in each of these moments, one after another."""
    known, chance = set[str](), random.Random(f"{seed}/{lane}")  # noqa: S311 - no secret
    for at in where:
        kill = yard.kill(recorded, at, lane)
        new = kill.remains not in known
        known.add(kill.remains)
        died = None if kill.died is None else str(kill.died)
        if not new and chance.randrange(ANYWAY):
            yield Came(at=at, died=died, new=new)
            continue
        again = None if chance.randrange(KILLED_TOO) else chance.randrange(_EARLY)
        outcome = yard.go_on(recorded, at, lane, again)
        yield Came(
            at=at,
            died=died,
            new=new,
            went_on=1 if again is None else 2,
            unknown=outcome.unknown,
            problems=outcome.problems,
        )


def in_lanes(yard: Yard, recorded: Recorded, where: Sequence[At], lanes: int, seed: int) -> list[Came]:
    """The same, with as many at once as there are lanes, each a process with databases of its own."""
    share = max(1, -(-len(where) // lanes))
    shares = [where[first : first + share] for first in range(0, len(where), share)]

    def lane(number: int, own: Sequence[At], line: int) -> None:
        came = [asdict(one) for one in killed(yard, recorded, own, f"lane_{number}", seed)]
        with open(line, "w", encoding="utf-8", closefd=False) as file:
            json.dump(came, file)

    under_way = [begun(partial(lane, number, own), 0) for number, own in enumerate(shares)]
    told = [one for child in under_way for one in json.loads(child.ended().wrote)]
    return [Came(**one | {"at": tuple(one["at"])}) for one in told]


def row_of(recorded: Recorded, came: Sequence[Came]) -> list[str]:
    """A row of the table: the points that were killed at, by kind, and how often what was wrong."""
    points = Counter(point.kind for one in came for point in recorded.points(one.at))
    wrong = Counter(about(problem) for one in came for problem in one.problems)
    numbers = [
        *(points[kind] for kind in Kind),
        len(came),
        sum(one.new for one in came),
        sum(one.went_on for one in came),
        sum(one.unknown for one in came),
        *(wrong[name] for name in WRONG),
    ]
    return [recorded.scenario.says, *map(str, numbers)]


def about(problem: str) -> str:
    """What a problem is about: the word it begins with."""
    return problem.partition(":")[0]


COLUMNS = (
    "scenario",
    "statements",
    "commits",
    "in connectors",
    "calls",
    "nodes",
    "kills",
    "remains",
    "went on",
    "unknown, owned",
    "ended elsewhere",
    *WRONG[1:],
)


def main(words: Sequence[str]) -> int:
    """Kill as the command line says, print the table, and what went wrong."""
    names = [scenario.name for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(prog="poe crash", description=__doc__.partition("\n")[0])
    parser.add_argument("scenarios", nargs="*", metavar="scenario", help=", ".join(names))
    parser.add_argument("--sample", type=int)
    parser.add_argument("--boundaries", action="append", default=[], choices=names)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lanes", type=int, default=os.cpu_count() or 1)
    wish = parser.parse_args(words)
    if strange := {*wish.scenarios} - {*names}:
        parser.error(f"there is no scenario {', '.join(sorted(strange))}")
    if wish.write and (wish.scenarios or wish.sample is not None):
        parser.error("only what comes of all moments of all scenarios is written down")
    rows, wrong = [[*COLUMNS], ["---"] * len(COLUMNS)], list[str]()
    with open_yard() as yard:
        for scenario in SCENARIOS:
            if scenario.name in (wish.scenarios or names):
                recorded = yard.record(scenario)
                where = chosen(recorded, wish.sample, wish.boundaries, wish.seed)
                came = in_lanes(yard, recorded, where, wish.lanes, wish.seed)
                rows.append(row_of(recorded, came))
                found = list(_told(scenario, recorded, came))
                late = sum(one.died is None for one in came)
                line = f"{scenario.says}: {len(came)} kills, {late} too late, {len(found)} wrong"
                print(line, file=sys.stderr, flush=True)
                wrong += found
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    print(table, *wrong, sep="\n")
    if wish.write:
        before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
        DOCUMENT.write_text(f"{before}{BEGIN}\n{table}{END}{rest.partition(END)[2]}", encoding="utf-8")
    return 1 if wrong else 0


def _told(scenario: Scenario, recorded: Recorded, came: Sequence[Came]) -> Iterator[str]:
    """What went wrong, and where; that the recorded truth itself is broken, too."""
    yield from (f"{scenario.name}, nobody killed: {problem}" for problem in recorded.usual.broken)
    if recorded.usual.status != scenario.ends:
        yield f"{scenario.name}, nobody killed: it ended {recorded.usual.status}"
    for one in came:
        points = "; ".join(map(str, recorded.points(one.at)))
        yield from (f"{scenario.name} {one.at}, {one.died or points}: {problem}" for problem in one.problems)
    late = sum(one.died is None for one in came)
    if late > MOST_LATE + len(came) // 50:
        yield f"{scenario.name}: {late} of {len(came)} kills came too late: the process had ended"


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the yard is cleared away
    sys.exit(main(sys.argv[1:]))
