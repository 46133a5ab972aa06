"""Rule tables: the first row whose conditions all hold, the default otherwise, and why for every row."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import model_validator

from graphs.roles import load_roles
from nodes.action import Proposal, Ref
from nodes.facts import Fact, Facts, FactsUnfit, typed
from nodes.judge import Judgement
from nodes.permissions import Permission, Permissions, Role, Verb
from nodes.reader import Reader
from nodes.records import View
from nodes.rule_files import read_table
from nodes.rules import Outcome, RuleTable
from nodes.workflow import EventData, Ruling, Workflow
from tests.fakes.no_past import judge_without_past
from tests.seals import a_seal
from tools.contract import Arguments, Call, Effect, Record, Tool, Trust
from tools.money import Money
from tools.registry import Registry

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine is shared
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
OUTCOMES: Mapping[str, dict[str, Any]] = {
    "allow": {"allow": "fine"},
    "refuse": {"refuse": "no"},
    "investigate": {"investigate": "odd", "owner": "desk"},
    "review": {"review": "big", "by": ["lead"], "due": "8h", "risk": "low"},
}


class Paint(Facts):
    """Facts of a small world, so small that rows and facts meet often."""

    price: Money
    coats: int
    days: int | None
    wet: bool
    colour: Literal["red", "green", "blue"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """One comparison as a table's author writes it."""

    fact: str
    name: str
    bound: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One row as a table's author writes it."""

    comparisons: tuple[Comparison, ...]
    outcome: str

    def when(self) -> dict[str, dict[str, Any]]:
        when: dict[str, dict[str, Any]] = {}
        for test in self.comparisons:
            when.setdefault(test.fact, {})[test.name] = _written(test.bound)
        return when


MONEY = st.builds(Money, amount_minor=st.integers(-2, 4), currency=st.sampled_from(["EUR", "USD"]))
VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    "price": MONEY,
    "coats": st.integers(-2, 4),
    "days": st.integers(0, 4),
    "wet": st.booleans(),
    "colour": st.sampled_from(["red", "green", "blue"]),
}
EQUALITIES = ["is", "is_not", "in", "not_in"]
COMPARISONS = [*EQUALITIES, "below", "at_most", "above", "at_least"]
FACTS = st.builds(
    Paint, **{name: st.none() | values if name == "days" else values for name, values in VALUES.items()}
)


@st.composite
def a_comparison(draw: st.DrawFn) -> Comparison:
    fact = draw(st.sampled_from(sorted(VALUES)))
    name = draw(st.sampled_from(EQUALITIES if fact in {"wet", "colour"} else COMPARISONS))
    one = VALUES[fact]
    return Comparison(
        fact=fact,
        name=name,
        bound=draw(st.lists(one, min_size=1, max_size=3) if name.endswith("in") else one),
    )


LINES = st.builds(
    Line,
    comparisons=st.lists(
        a_comparison(), min_size=1, max_size=4, unique_by=lambda test: (test.fact, test.name)
    ).map(
        # the order in which a mapping of facts, each with its comparisons, is read
        lambda found: tuple(sorted(found, key=lambda test: test.fact))
    ),
    outcome=st.sampled_from(sorted(OUTCOMES)),
)
TABLES = st.lists(LINES, max_size=6)


def table_of(lines: list[Line], hit: str = "first") -> RuleTable:
    """The table that its author would get for these rows."""
    text = json.dumps(table_document(lines, hit), sort_keys=False)
    return read_table(text, source="paint.yaml", facts=Paint)


def table_document(lines: list[Line], hit: str) -> dict[str, Any]:
    """The table as its author would write it."""
    rows = [
        {
            "id": f"R-{at}",
            "says": "Something.",
            "policy": "P-1",
            "when": line.when(),
            "then": OUTCOMES[line.outcome],
            "examples": [{}],
        }
        for at, line in enumerate(lines)
    ]
    return {
        "format": 1,
        "hit": hit,
        "table": "paint",
        "version": "1",
        "tool": "paint.coat",
        "rows": rows,
        "default": {"investigate": "no_rule_matches", "owner": "desk"},
    }


def facts_typed() -> Paint:
    """Facts that fit."""
    return Paint(**FITTING)


def _written(bound: Any) -> Any:
    if isinstance(bound, list):
        return [_written(one) for one in bound]
    return str(bound) if isinstance(bound, Money) else bound


def holds(saw: Any, test: Comparison) -> bool:
    """What a comparison means, said a second time and independently of the code."""
    match test.name:
        case "is":
            return bool(saw == test.bound)
        case "is_not":
            return bool(saw != test.bound)
        case "in":
            return any(saw == one for one in test.bound)
        case "not_in":
            return all(saw != one for one in test.bound)
    if not isinstance(saw, Money):
        return saw is not None and _ordered(test.name, saw, test.bound)
    same = saw.currency == test.bound.currency
    return same and _ordered(test.name, saw.amount_minor, test.bound.amount_minor)


def _ordered(name: str, left: int, right: int) -> bool:
    answers = {
        "below": left < right,
        "at_most": left <= right,
        "above": left > right,
        "at_least": left >= right,
    }
    return answers[name]


def first_match(lines: list[Line], facts: Paint) -> int | None:
    matching = (
        at
        for at, line in enumerate(lines)
        if all(holds(getattr(facts, test.fact), test) for test in line.comparisons)
    )
    return next(matching, None)


# --- the first row that matches ---------------------------------------------------------------------------


@UNHURRIED
@given(TABLES, FACTS)
def test_the_first_row_whose_conditions_all_hold_decides(lines: list[Line], facts: Paint) -> None:
    verdict = table_of(lines).judge(facts)
    expected = first_match(lines, facts)

    if expected is None:
        assert (verdict.row, verdict.outcome) == (None, Outcome.INVESTIGATE)
    else:
        assert (verdict.row, verdict.outcome) == (f"R-{expected}", Outcome(lines[expected].outcome))


@UNHURRIED
@given(TABLES, FACTS)
def test_nothing_is_allowed_but_by_a_row_that_says_so(lines: list[Line], facts: Paint) -> None:
    never_allowing = [line for line in lines if line.outcome != "allow"]

    assert table_of(never_allowing).judge(facts).outcome is not Outcome.ALLOW


@UNHURRIED
@given(FACTS)
def test_an_empty_table_sends_everything_to_its_owner(facts: Paint) -> None:
    verdict = table_of([]).judge(facts)

    assert (verdict.outcome, verdict.then.owner, verdict.then.reason) == (
        Outcome.INVESTIGATE,
        "desk",
        "no_rule_matches",
    )


@UNHURRIED
@given(TABLES, st.text(min_size=1))
def test_a_table_that_cannot_be_asked_investigates(lines: list[Line], reason: str) -> None:
    verdict = table_of(lines).investigate(reason)

    assert (verdict.outcome, verdict.then.reason, verdict.row) == (Outcome.INVESTIGATE, reason, None)
    assert verdict.then.owner == "desk"


@UNHURRIED
@given(st.sampled_from(["below", "at_most", "above", "at_least"]), MONEY, MONEY)
def test_amounts_in_two_currencies_never_compare(name: str, saw: Money, bound: Money) -> None:
    other = Money(amount_minor=saw.amount_minor, currency="JPY")
    line = Line(comparisons=(Comparison(fact="price", name=name, bound=bound),), outcome="allow")
    facts = Paint(price=other, coats=1, days=1, wet=False, colour="red")

    assert table_of([line]).judge(facts).outcome is Outcome.INVESTIGATE


@UNHURRIED
@given(st.sampled_from(["below", "at_most", "above", "at_least"]), st.integers(-5, 5))
def test_what_is_not_known_compares_with_nothing(name: str, bound: int) -> None:
    line = Line(comparisons=(Comparison(fact="days", name=name, bound=bound),), outcome="allow")
    facts = Paint(price=Money(amount_minor=1, currency="EUR"), coats=1, days=None, wet=False, colour="red")

    assert table_of([line]).judge(facts).outcome is Outcome.INVESTIGATE


# --- the trace --------------------------------------------------------------------------------------------


@UNHURRIED
@given(TABLES, FACTS)
def test_the_trace_says_for_each_row_what_failed_and_what_it_saw(lines: list[Line], facts: Paint) -> None:
    trace = table_of(lines).judge(facts).to_json()["trace"]

    assert trace == [_told(at, line, facts) for at, line in enumerate(lines)]


def _told(at: int, line: Line, facts: Paint) -> dict[str, Any]:
    failed = next((test for test in line.comparisons if not holds(getattr(facts, test.fact), test)), None)
    asked = line.comparisons if failed is None else line.comparisons[: line.comparisons.index(failed) + 1]
    return {
        "row": f"R-{at}",
        "matched": failed is None,
        "failed": failed and f"{failed.fact} {failed.name} {_written(failed.bound)}",
        "saw": {test.fact: _written(getattr(facts, test.fact)) for test in asked},
    }


# --- the other hit policies -------------------------------------------------------------------------------


def matching(lines: list[Line], facts: Paint) -> list[tuple[str, str]]:
    """The rows that match, each with its outcome."""
    return [
        (f"R-{at}", line.outcome)
        for at, line in enumerate(lines)
        if all(holds(getattr(facts, test.fact), test) for test in line.comparisons)
    ]


@UNHURRIED
@given(TABLES, FACTS)
def test_where_one_row_may_match_two_that_do_are_looked_into(lines: list[Line], facts: Paint) -> None:
    verdict = table_of(lines, "unique").judge(facts)

    match matching(lines, facts):
        case []:
            assert (verdict.row, verdict.then.reason) == (None, "no_rule_matches")
        case [(row, outcome)]:
            assert (verdict.row, verdict.outcome) == (row, outcome)
        case _:
            assert (verdict.row, verdict.then.reason) == (None, "several_rows_match")


@UNHURRIED
@given(TABLES, FACTS)
def test_of_the_rows_that_are_collected_the_strictest_decides(lines: list[Line], facts: Paint) -> None:
    verdict = table_of(lines, "collect").judge(facts)

    outcomes = {outcome for _, outcome in matching(lines, facts)}
    strictest = [one for one in ("refuse", "investigate", "review", "allow") if one in outcomes]
    assert verdict.outcome == (strictest[0] if strictest else "investigate")


def test_a_collected_review_asks_everybody_by_the_earliest_due_time() -> None:
    big, far = ({**OUTCOMES["review"], **changes} for changes in ({"by": ["lead", "finance"]}, {"due": "2h"}))
    always = Line(comparisons=(Comparison(fact="coats", name="at_least", bound=0),), outcome="review")
    document = table_document([always, always], "collect")
    document["rows"][0]["then"], document["rows"][1]["then"] = big, far | {"by": ["legal"], "risk": "high"}
    table = read_table(json.dumps(document, sort_keys=False), source="paint.yaml", facts=Paint)

    then = table.judge(facts_typed()).then

    assert (then.ladder, then.due, then.risk) == (
        ("lead", "finance", "legal"),
        timedelta(hours=2),
        "high",
    )


@UNHURRIED
@given(TABLES, FACTS)
def test_a_verdict_is_json_and_names_its_table(lines: list[Line], facts: Paint) -> None:
    table = table_of(lines)
    told = table.judge(facts).to_json()

    assert json.loads(json.dumps(told)) == told
    assert told["table"] == {"name": "paint", "version": "1", "digest": table.digest}


@UNHURRIED
@given(TABLES, TABLES)
def test_two_tables_have_one_digest_only_if_they_say_the_same(one: list[Line], two: list[Line]) -> None:
    same = [(line.when(), line.outcome) for line in one] == [(line.when(), line.outcome) for line in two]

    assert (table_of(one).digest == table_of(two).digest) is same


# --- facts that do not fit --------------------------------------------------------------------------------

FITTING: Mapping[str, Any] = {
    "price": Money(amount_minor=2990, currency="EUR"),
    "coats": 2,
    "days": 3,
    "wet": False,
    "colour": "red",
}
ILL_TYPED: list[tuple[str, Any]] = [
    ("price", "29.90 EUR"),
    ("price", 2990),
    ("price", None),
    ("price", {"amount_minor": 2990.0, "currency": "EUR"}),
    ("coats", "2"),
    ("coats", 2.0),
    ("coats", True),
    ("coats", None),
    ("coats", [2]),
    ("days", "3"),
    ("days", False),
    ("wet", "false"),
    ("wet", 0),
    ("wet", None),
    ("colour", "crimson"),
    ("colour", "RED"),
    ("colour", None),
]


def facts_of(values: Mapping[str, Any]) -> dict[str, Fact]:
    return {
        name: Fact(value=value, source="test", trust=Trust.RECORD, at=NOW) for name, value in values.items()
    }


def test_facts_that_fit_are_typed() -> None:
    assert typed(Paint, facts_of(FITTING)) == Paint(**FITTING)


@pytest.mark.parametrize(("name", "value"), ILL_TYPED)
def test_an_ill_typed_fact_is_named(name: str, value: Any) -> None:
    with pytest.raises(FactsUnfit, match=name) as unfit:
        typed(Paint, facts_of({**FITTING, name: value}))

    assert unfit.value.names == [name]


@pytest.mark.parametrize("name", sorted(FITTING))
def test_a_missing_fact_is_named(name: str) -> None:
    with pytest.raises(FactsUnfit) as unfit:
        typed(Paint, facts_of({other: value for other, value in FITTING.items() if other != name}))

    assert unfit.value.names == [name]


def test_a_fact_that_no_model_knows_is_named() -> None:
    with pytest.raises(FactsUnfit) as unfit:
        typed(Paint, facts_of({**FITTING, "mood": "good"}))

    assert unfit.value.names == ["mood"]


def test_every_fact_that_does_not_fit_is_named() -> None:
    with pytest.raises(FactsUnfit) as unfit:
        typed(Paint, facts_of({**FITTING, "wet": "no", "coats": "two", "mood": "good"}))

    assert unfit.value.names == ["coats", "mood", "wet"]


class Agreeing(Paint):
    """Facts that must also agree with each other."""

    @model_validator(mode="after")
    def _wet_paint_is_new(self) -> "Agreeing":
        if self.wet and self.days:
            raise ValueError("wet paint is new")
        return self


def test_facts_that_contradict_each_other_do_not_fit() -> None:
    with pytest.raises(FactsUnfit):
        typed(Agreeing, facts_of({**FITTING, "wet": True}))


# --- facts that do not fit, as the judge sees them --------------------------------------------------------


class Wish(EventData):
    """An event of the small world."""

    wall_id: str


class Wall(Record):
    """A record of the small world."""

    wall_id: str


class WallArguments(Arguments):
    """Which wall."""

    wall_id: str


async def _wall(arguments: WallArguments, _call: Call) -> Wall:
    return Wall(wall_id=arguments.wall_id)


def _tool(name: str, effect: Effect) -> Tool:
    return Tool(
        name=name,
        version="1",
        purpose="",
        effect=effect,
        arguments=WallArguments,
        result=Wall,
        perform=_wall,
    )


def _unread(text: str, _source: str) -> RuleTable:
    raise AssertionError(f"there is no other version: {text}")


@dataclass(kw_only=True, slots=True)
class Painter:
    """A workflow around one allowing table; what it gathers can be replaced."""

    gathered: Mapping[str, Any]
    registry: Registry = field(
        default_factory=lambda: Registry([_tool("walls.get", Effect.READ), _tool("paint.coat", Effect.WRITE)])
    )

    async def judged(self) -> Judgement:
        capability = self.registry.hand_over()

        async def read(tool: str, arguments: Arguments) -> Record:
            return await self.registry.call(capability, tool, arguments, Call(key="read"))

        reader = Reader(
            workflow=self.workflow(),
            registry=self.registry,
            read=read,
            sealing=a_seal(),
            clock=lambda: NOW,
        )
        return await judge_without_past(reader).judge({"event": {"wall_id": "W-1"}}, self.proposal())

    def proposal(self) -> Proposal:
        return Proposal(
            case_id="c-1",
            step="coat",
            revision=1,
            tool="paint.coat",
            tool_version="1",
            arguments={"wall_id": Ref("event.wall_id")},
            proposer="rule:coat",
            reason="",
            evidence=(),
        )

    def workflow(self) -> Workflow:
        always = Line(comparisons=(Comparison(fact="coats", name="at_least", bound=0),), outcome="allow")
        return Workflow(
            name="paint",
            version="1",
            event_type="paint",
            event=Wish,
            title=str,
            sources=(),
            scope=(),
            derive=lambda *_: {},
            rulings={
                "paint.coat": Ruling(
                    table=table_of([always]),
                    read=_unread,
                    facts=Paint,
                    gather=lambda *_: facts_of(self.gathered),
                )
            },
            agents={},
            permissions=Permissions(
                [Role(name="rule:coat", permissions=(Permission(verb=Verb.PROPOSE, on="paint.coat"),))]
            ),
            owner="desk",
            limits=load_roles("graphs.refund").bounds(),
            reviewer_view=View(fields=()),
            build=lambda: None,
        )


async def test_the_judge_allows_what_the_table_allows() -> None:
    assert (await Painter(gathered=FITTING).judged()).verdict.outcome is Outcome.ALLOW


@pytest.mark.parametrize(("name", "value"), ILL_TYPED)
async def test_an_ill_typed_fact_is_investigated(name: str, value: Any) -> None:
    judgement = await Painter(gathered={**FITTING, name: value}).judged()

    assert judgement.verdict.outcome is Outcome.INVESTIGATE
    assert judgement.verdict.then.reason == f"facts_unfit:{name}"
    assert judgement.verdict.then.owner == "desk"
    assert judgement.facts.keys() == FITTING.keys(), "what was seen is kept, fitting or not"


@pytest.mark.parametrize("name", sorted(FITTING))
async def test_a_missing_fact_is_investigated(name: str) -> None:
    gathered = {other: value for other, value in FITTING.items() if other != name}
    judgement = await Painter(gathered=gathered).judged()

    assert judgement.verdict.outcome is Outcome.INVESTIGATE
    assert judgement.verdict.then.reason == f"facts_unfit:{name}"


async def test_a_fact_too_many_is_investigated() -> None:
    judgement = await Painter(gathered={**FITTING, "approved": True}).judged()

    assert judgement.verdict.outcome is Outcome.INVESTIGATE
    assert judgement.verdict.then.reason == "facts_unfit:approved"
