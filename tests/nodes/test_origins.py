"""Origins: a rule table asks where an argument comes from, and the judge finds it out."""

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

import pytest

from nodes.action import Proposal, Ref
from nodes.agent import Output, Words
from nodes.facts import Facts, typed
from nodes.origins import Origin, origin_of, unfit_origins
from nodes.records import Records
from nodes.rule_lint import Vocabulary, load_table
from nodes.rules import Outcome
from nodes.strict_yaml import TableUnfit
from nodes.workflow import EventData, Ruling
from tools.contract import Arguments, Call, Effect, Marked, Record, Tool, Trust

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
WORDS = Vocabulary(signers=frozenset({"lead"}), owners=frozenset({"lead"}))
TABLE = """
format: 1
table: painting
version: "1"
tool: wall.paint
hit: first
rows:
  - id: PA-1
    says: A colour that stands in our books, or that the customer has named, is painted.
    policy: P-1
    when: {colour_from: {in: [record, author]}}
    then: {allow: named}
    examples:
      - {colour_from: record}
      - {colour_from: author}
  - id: PA-2
    says: Any other colour a lead looks at.
    policy: P-2
    when: {colour_from: {in: [person, model, untrusted]}}
    then: {review: not_named, by: [lead], due: 8h, risk: low}
    examples:
      - {colour_from: model}
default: {investigate: no_rule_matches, owner: lead}
"""


class Wish(EventData):
    """What a customer wants."""

    colour: str = "red"
    letter: Annotated[str, Marked(trust=Trust.UNTRUSTED)] = "blue, please"


class Wall(Record):
    """A wall in our books."""

    colour: str = "white"


class Advice(Output):
    """What an agent says."""

    colour: str = "green"
    why: Words = "It is fresh."


class Paint(Arguments):
    """What to paint."""

    colour: str


class PaintFacts(Facts):
    """What the rules for painting may read."""

    origins: ClassVar[dict[str, str]] = {"colour_from": "colour"}

    colour_from: Origin


RECORDS: Records = {
    "event": Wish(),
    "wall": Wall(),
    "adviser": Advice(confidence_percent=90, evidence=[]),
}


async def _paint(_arguments: Any, _call: Call) -> Record:
    raise AssertionError("nothing is painted here")


TOOL = Tool(
    name="wall.paint",
    version="1",
    purpose="Paint a wall.",
    effect=Effect.WRITE,
    arguments=Paint,
    result=Wall,
    perform=_paint,
    idempotent=True,
)


def proposal(colour: Any, *, proposer: str = "rule:paint", edits: dict[str, str] | None = None) -> Proposal:
    return Proposal(
        case_id="c",
        step="paint",
        revision=1,
        tool="wall.paint",
        tool_version="1",
        arguments={"colour": colour},
        proposer=proposer,
        reason="So.",
        evidence=(),
        edits=edits or {},
    )


ORIGINS: list[tuple[Proposal, bool, Origin]] = [
    (proposal(Ref("wall.colour")), False, "record"),
    (proposal(Ref("wall.colour")), True, "record"),
    (proposal(Ref("event.colour")), False, "author"),
    (proposal(Ref("event.colour")), True, "model"),
    (proposal(Ref("event.letter")), False, "untrusted"),
    (proposal(Ref("adviser.colour")), False, "model"),
    (proposal(Ref("adviser.why")), False, "model"),
    (proposal("black"), False, "model"),
    (proposal("black", proposer="agent:adviser"), False, "model"),
    (proposal("black", edits={"colour": "lee"}), False, "person"),
]


@pytest.mark.parametrize(("wanted", "handed_over", "origin"), ORIGINS)
def test_an_argument_comes_from_here(wanted: Proposal, *, handed_over: bool, origin: Origin) -> None:
    assert origin_of(wanted, "colour", RECORDS, handed_over=handed_over) == origin


def ruling(text: str = TABLE) -> Ruling:
    def read(text: str, source: str) -> Any:
        return load_table(text, source=source, facts=PaintFacts, words=WORDS)

    return Ruling(table=read(text, "paint.yaml"), read=read, facts=PaintFacts, gather=lambda *_: {})


@pytest.mark.parametrize(("wanted", "handed_over", "origin"), ORIGINS)
def test_a_rule_table_asks_for_the_origin_of_an_argument_and_nobody_gathers_it(
    wanted: Proposal, *, handed_over: bool, origin: Origin
) -> None:
    painting = ruling()
    facts = painting.facts_of(RECORDS, wanted, {"colour": "any"}, NOW, handed_over=handed_over)

    assert facts["colour_from"].value == origin
    verdict = painting.table.judge(typed(PaintFacts, facts))
    assert verdict.outcome is (Outcome.ALLOW if origin in {"record", "author"} else Outcome.REVIEW)


def test_whoever_gathers_facts_cannot_say_another_origin() -> None:
    honest = ruling()
    said = honest.facts_of(RECORDS, proposal(Ref("wall.colour")), {}, NOW)
    lying = Ruling(table=honest.table, read=honest.read, facts=PaintFacts, gather=lambda *_: said)

    found = lying.facts_of(RECORDS, proposal(Ref("adviser.colour")), {}, NOW)
    assert found["colour_from"].value == "model"


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("[record, author]", "[record, autor]", "autor"),
        ("[person, model, untrusted]", "[person, model]", "no row says anything where colour_from is"),
        ("[person, model, untrusted]", "[author, person, model, untrusted]", "overlaps"),
    ],
)
def test_the_linter_knows_all_origins(old: str, new: str, why: str) -> None:
    with pytest.raises(TableUnfit, match=why):
        ruling(TABLE.replace(old, new))


class Odd(Facts):
    """Facts whose origins are told of nothing."""

    origins: ClassVar[dict[str, str]] = {"wide": "colour", "colour_from": "size", "absent": "colour"}

    wide: bool
    colour_from: Origin


def test_an_origin_is_told_of_an_argument_by_a_fact_of_its_type() -> None:
    assert unfit_origins(PaintFacts, TOOL) == []
    assert unfit_origins(Odd, TOOL) == [
        "wide is no fact that tells an origin",
        "colour_from tells where size comes from, which wall.paint does not take",
        "absent is no fact that tells an origin",
    ]
