"""What a run came to: what must be true of both databases, what was confirmed to people, and the table."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from checkpoints.log_key import signer_at
from tests.chaos.crowd import Crowd
from tests.chaos.plan import HUGE, SMALL
from tests.chaos.storm import Storm
from tests.engine.plant import Plant, Row
from tests.engine.truths import broken_truths

ENDS = {"closed", "rejected"}
COLUMNS = ("lost", "doubled", "unapproved", "hidden")
_COUNTS_AS = {
    "doubled": "doubled",
    "asked twice": "doubled",
    "without its grant": "unapproved",
    "unapproved": "unapproved",
    "hidden": "hidden",
    "log": "hidden",
}
"""Of what a broken truth begins with, the column in which it counts; all others count as `lost`."""
_CASES = "SELECT id, event_id, status, reason FROM cases"
_VOTES = """
SELECT v.review_id, v.person, v.kind, r.case_id, r.status FROM votes v JOIN reviews r ON r.id = v.review_id
"""
_REFUNDS = "SELECT order_id, amount_minor FROM refunds WHERE order_id LIKE 'O-70%%'"
_REPLIES = "SELECT 'O' || substr(ticket_id, 2) AS order_id FROM ticket_replies WHERE ticket_id LIKE 'T-70%%'"


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What a run came to.

    Attributes:
        broken: every truth that does not hold, in words.
        recoveries: by kind of fault, the longest time until what it had interrupted was done, in seconds.
    """

    seed: int
    cases: int
    faults: Counter[str]
    failures: Counter[str]
    asked_again: int
    decisions: int
    effects: int
    ends: Counter[str]
    set_going: int
    crashes: int
    recoveries: dict[str, float]
    broken: list[str]
    seconds: float

    @property
    def counts(self) -> dict[str, int]:
        """How many broken truths there are of each kind."""
        found = Counter(kind_of(one) for one in self.broken)
        return {column: found[column] for column in COLUMNS}

    @property
    def longest_recovery(self) -> float:
        """The longest time until what a fault had interrupted was done, in seconds."""
        return max(self.recoveries.values(), default=0.0)

    def table(self) -> str:
        """The result as a table in Markdown."""
        injected = sum(self.faults.values()) + sum(self.failures.values())
        rows: list[tuple[str, object]] = [
            ("seed", self.seed),
            ("cases", f"{self.cases}: " + _listed(self.ends)),
            (
                "faults injected",
                f"{injected}: {sum(self.faults.values())} of processes, the rest of connectors",
            ),
            *((f"· {name}", count) for name, count in sorted(self.faults.items())),
            ("· calls that failed", _listed(self.failures)),
            ("crashes of a case under way", self.crashes),
            ("requests asked again", self.asked_again),
            ("decisions confirmed", self.decisions),
            ("effects", self.effects),
            *((f"**{name}**", f"**{count}**") for name, count in self.counts.items()),
            ("cases a person had to set going", self.set_going),
            ("longest recovery", f"{self.longest_recovery:.1f} s"),
            ("the run", f"{self.seconds:.0f} s"),
        ]
        return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def kind_of(broken: str) -> str:
    """In which column a broken truth counts."""
    return _COUNTS_AS.get(broken.partition(":")[0], "lost")


async def tallied(plant: Plant, crowd: Crowd, storm: Storm, seconds: float) -> Result:
    """The result of a run that has come to rest."""
    assert plant.settings.database_url is not None
    assert plant.settings.sandbox_url is not None
    cases = await plant.rows(_CASES)
    (ledger,) = await plant.rows("SELECT count(*) FROM effects")
    (crashes,) = await plant.rows("SELECT coalesce(sum(crashes), 0)::int AS sum FROM commands")
    books = [*await plant.books(_REFUNDS), *await plant.books(_REPLIES)]
    truths = await broken_truths(
        plant.settings.database_url,
        plant.settings.sandbox_url,
        signer=signer_at(plant.settings.home / "log.key"),
        at=plant.clock(),
    )
    broken = [
        *truths,
        *crowd.doubled,
        *_of_events(crowd, cases),
        *_of_money(crowd, cases, books, await plant.rows(_VOTES)),
        *(f"lost: an answer said that something went wrong inside: {one}" for one in crowd.front.surprises),
    ]
    return Result(
        seed=crowd.plan.seed,
        cases=len(crowd.cases),
        faults=storm.injected,
        failures=plant.skies.met(),
        asked_again=crowd.front.asked_again.total(),
        decisions=len(crowd.votes),
        effects=ledger["count"],
        ends=Counter(row["status"] for row in cases),
        set_going=crowd.set_going,
        crashes=crashes["sum"],
        recoveries=storm.recoveries,
        broken=broken,
        seconds=seconds,
    )


def _of_events(crowd: Crowd, cases: Iterable[Row]) -> Iterator[str]:
    """Every event that was confirmed is one case, and every case has come to an end."""
    known = {row["id"]: row for row in cases}
    for case, order in crowd.cases.items():
        if case not in known:
            yield f"lost: the case {case} of {order.event_id}, which was confirmed, is not there"
    for event, count in Counter(row["event_id"] for row in known.values()).items():
        if count > 1:
            yield f"doubled: {event} is {count} cases"
    for row in known.values():
        if row["id"] not in crowd.cases:
            yield f"lost: nobody was told of the case {row['id']}"
        if row["status"] not in ENDS:
            yield f"lost: the case {row['id']} has come no further than {row['status']}, {row['reason']}"


def _of_money(
    crowd: Crowd, cases: Iterable[Row], books: Iterable[Row], votes: Iterable[Row]
) -> Iterator[str]:
    """What was paid back and told is what people and rules wanted: once, and in full."""
    said, of_case = defaultdict[str, list[Row]](list), {row["id"]: row for row in cases}
    for vote in votes:
        said[vote["case_id"]].append(vote)
    confirmed = set(crowd.votes) - {
        (vote["review_id"], vote["person"], vote["kind"]) for some in said.values() for vote in some
    }
    yield from (f"lost: {person} was told that their {kind} counts" for _, person, kind in sorted(confirmed))
    paid, told = defaultdict[str, list[int]](list), Counter[str]()
    for row in books:
        if "amount_minor" in row:
            paid[row["order_id"]].append(row["amount_minor"])
        else:
            told[row["order_id"]] += 1
    for case, order in crowd.cases.items():
        due = of_case.get(case, {}).get("status") == "closed"
        amounts, words = paid[order.order_id], told[order.order_id]
        if len(amounts) > 1 or words > 1:
            yield f"doubled: {order.order_id} was paid {len(amounts)} times, and told {words} times"
        if due and (amounts != [order.amount_minor] or words != 1):
            yield f"lost: {order.order_id} is closed, with {amounts} paid and told {words} times"
        if not due and (amounts or words):
            yield f"unapproved: {order.order_id} was not approved, with {amounts} paid and told {words} times"
        if amounts and order.amount_minor != SMALL and not _signed(said[case], order.amount_minor):
            yield f"unapproved: {order.order_id} was paid with too few signatures"


def _signed(votes: Iterable[Row], amount: int) -> bool:
    """Whether enough people have approved in one review that was approved."""
    approved = defaultdict[str, set[str]](set)
    for vote in votes:
        if vote["status"] == "approved" and vote["kind"] == "approve":
            approved[vote["review_id"]].add(vote["person"])
    return max(map(len, approved.values()), default=0) >= (2 if amount == HUGE else 1)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"
