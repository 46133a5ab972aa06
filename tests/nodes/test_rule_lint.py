"""The linter: what a table leaves open or never reaches is found, and no editing mistake ends in allow."""

import itertools
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from typing import Annotated, Any, Literal

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field

from graphs.refund.records import RefundFacts, ReplyFacts
from graphs.roles import load_roles, read_text
from nodes.facts import Facts, FactsUnfit, checked
from nodes.rule_differences import table_differences
from nodes.rule_files import read_table
from nodes.rule_lint import Vocabulary, lint, load_table
from nodes.rules import Outcome, RuleTable
from nodes.strict_yaml import TableUnfit
from tools.money import Money

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine is shared
SOURCE = "graphs/refund/rules.yaml"


@cache
def shipped() -> str:
    return read_text("graphs.refund", "rules.yaml")


def load(text: str) -> RuleTable:
    """The refund's table, as the workflow loads it."""
    words = load_roles("graphs.refund").words("payments.refund", subjects={"customer"})
    return load_table(text, source=SOURCE, facts=RefundFacts, words=words)


def refusal(text: str) -> str:
    with pytest.raises(TableUnfit) as unfit:
        load(text)
    return str(unfit.value)


def edited(old: str, new: str) -> str:
    """The refund's table with one thing in it changed, at its first place."""
    assert old in shipped()
    return shipped().replace(old, new, 1)


# --- editing mistakes in the table we ship ------------------------------------------------------------------

MISTAKES: dict[str, tuple[str, str, list[str]]] = {
    "a misspelt fact": ("fraud_signals: {at_least: 1}", "fraud_signal: {at_least: 1}", ["row RF-10"]),
    "tru e": ("in_payment_currency: true\n", "in_payment_currency: tru e\n", ["row RF-81", "tru e"]),
    "a quoted number": ("captured_payments: 1\n", 'captured_payments: "1"\n', ["row RF-81", "'1'"]),
    "a swapped bound": ("{at_most: 30}", "{at_least: 30}", ["row RF-81", "overlaps"]),
    "a swapped range": ("[50.00 EUR, 500.00 EUR]", "[500.00 EUR, 50.00 EUR]", ["row RF-91", "nothing"]),
    "a range that overlaps": (
        "[50.00 EUR, 500.00 EUR]",
        "[49.99 EUR, 500.00 EUR]",
        ["row RF-91", "overlaps"],
    ),
    "a range with a gap": ("[50.00 EUR, 500.00 EUR]", "[50.01 EUR, 500.00 EUR]", ["no row says anything"]),
    "a limit with a nought more": ("{below: 50.00 EUR}", "{below: 500.00 EUR}", ["row RF-81", "overlaps"]),
    "a wrong currency": ("{below: 50.00 EUR}", "{below: 50.00 USD}", ["no row says anything"]),
    "a limit that is never reached": ("{below: 50.00 EUR}", "{below: 0.00 EUR}", ["no row says anything"]),
    "bounds that exclude each other": (
        "{above: 0.00 EUR}",
        "{above: 0.00 EUR, below: 0.00 EUR}",
        ["row RF-81", "never match", "amount"],
    ),
    "a row that takes everything": (
        "when: {fraud_signals: {at_least: 1}}",
        "when: {fraud_signals: {at_least: 0}}",
        ["row RF-20", "never reached"],
    ),
    "a condition turned round": (
        "when: {customer_status: closed}",
        "when: {customer_status: active}",
        ["row RF-20", "overlaps"],
    ),
    "a condition lost": ("      fraud_signals: 0\n", "", ["row RF-81", "fraud_signals"]),
    "a typo in a role": (
        "by: [support_lead]",
        "by: [support_laed]",
        ["row RF-75", "support_laed"],
    ),
    "a typo in an owner": ("owner: fraud_team", "owner: fraud_taem", ["row RF-10", "fraud_taem"]),
    "a team that signs": ("by: [finance]", "by: [fraud_team]", ["row RF-77", "fraud_team"]),
    "a typo in an outcome": ("{investigate: fraud_signal", "{investigat: fraud_signal", ["row RF-10"]),
    "a more generous outcome": (
        "{investigate: fraud_signal, owner: fraud_team}",
        "{allow: fraud_signal}",
        ["row RF-10", "allows without a condition"],
    ),
    "an example of another row": ("fraud_signals: 1, asked", "fraud_signals: 0, asked", ["RF-10: example 1"]),
    "an example without a fact": (", fraud_signals: 1", "", ["row RF-10: example 1", "fraud_signals"]),
    "an example of no such day": ("days_since_delivery: 10", "days_since_delivery: -1", ["example 1"]),
    "a window per nobody": ("per: customer", "per: custommer", ["window_total", "custommer"]),
    "a window of another fact": ("sum: amount", "sum: tier", ["window_total", "amounts"]),
    "a window of a window": (
        "agent_total: {sum: amount",
        "agent_total: {sum: window_total",
        ["measured itself"],
    ),
    "a window lost": (
        "  agent_total: {sum: amount, per: agent, over: 24h}\n",
        "",
        ["agent_total", "missing"],
    ),
    "a window in place of a record": (
        "windows:\n",
        "windows:\n  fraud_signals: {count: actions, per: customer, over: 1m}\n",
        ["fraud_signals", "records"],
    ),
    "a count for a sum": ("{sum: amount", "{count: actions", ["window_total", "counts"]),
    "a window without an end": ("over: 24h", "over: always", ["window_total", "always"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_an_editing_mistake_is_refused_with_its_row(mistake: str) -> None:
    old, new, named = MISTAKES[mistake]

    said = refusal(edited(old, new))

    assert said.startswith(f"{SOURCE}: ")
    for word in named:
        assert word in said


def test_everything_that_is_wrong_is_said_at_once() -> None:
    said = refusal(edited("by: [support_lead]", "by: [nobody]").replace("owner: fraud_team", "owner: noone"))

    assert len(said.splitlines()) == 2


def rows() -> list[dict[str, Any]]:
    return list(yaml.safe_load(shipped())["rows"])


@pytest.mark.parametrize("lost", sorted(row["id"] for row in rows()))
def test_a_row_that_is_lost_is_missed(lost: str) -> None:
    document = yaml.safe_load(shipped())
    document["rows"] = [row for row in document["rows"] if row["id"] != lost]

    refusal(json.dumps(document, sort_keys=False))


def allowing() -> Iterator[Any]:
    for row in rows():
        if "allow" in row["then"]:
            yield from (pytest.param(row["id"], fact, id=f"{row['id']} {fact}") for fact in row["when"])


@pytest.mark.parametrize(("row", "fact"), list(allowing()))
def test_a_condition_that_an_allowing_row_loses_is_missed(row: str, fact: str) -> None:
    document = yaml.safe_load(shipped())
    (changed,) = (one for one in document["rows"] if one["id"] == row)
    del changed["when"][fact]

    assert f"row {row}: allows without a condition on {fact}" in refusal(json.dumps(document))


def test_a_lost_line_never_changes_what_the_refund_rules_say() -> None:
    lines = shipped().splitlines(keepends=True)
    whole = said_by(load(shipped()))
    changed = []
    for at, line in enumerate(lines):
        with suppress(TableUnfit):
            changed += [line] if said_by(load("".join(lines[:at] + lines[at + 1 :]))) != whole else []

    assert changed == []


def said_by(table: RuleTable) -> list[tuple[str, list[str], str]]:
    """What a table says, its examples aside."""
    return [(row.id, [test.says for test in row.when], row.then.outcome) for row in table.rows]


def test_what_is_allowed_does_not_hang_on_the_order_of_the_rows() -> None:
    document = yaml.safe_load(shipped())
    document["rows"].reverse()
    table = read_table(json.dumps(document), source=SOURCE, facts=RefundFacts)

    for row in load(shipped()).rows:
        for example in row.examples:
            facts = checked(RefundFacts, example)
            allowed = load(shipped()).judge(facts).outcome is Outcome.ALLOW
            assert (table.judge(facts).outcome is Outcome.ALLOW) is allowed


# --- no fact that does not fit reaches allow --------------------------------------------------------------


def good() -> dict[str, Any]:
    (row,) = (row for row in load(shipped()).rows if row.id == "RF-81")
    return dict(row.examples[0])


ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(b"")


@UNHURRIED
@given(st.sampled_from(sorted(RefundFacts.model_fields)), ANYTHING)
def test_an_ill_typed_fact_never_reaches_allow(name: str, value: Any) -> None:
    try:
        facts = checked(RefundFacts, good() | {name: value})
    except FactsUnfit:
        return

    assert type(value) is type(good()[name]) or (value is None and name == "days_since_delivery")
    assert value is not None or load_cached().judge(facts).outcome is not Outcome.ALLOW


@cache
def load_cached() -> RuleTable:
    return load(shipped())


@pytest.mark.parametrize("name", sorted(RefundFacts.model_fields))
def test_a_missing_fact_never_reaches_allow(name: str) -> None:
    values = good()
    del values[name]

    with pytest.raises(FactsUnfit, match=name):
        checked(RefundFacts, values)


@UNHURRIED
@given(st.text(min_size=1).filter(lambda name: name not in RefundFacts.model_fields), ANYTHING)
def test_an_extra_fact_never_reaches_allow(name: str, value: Any) -> None:
    with pytest.raises(FactsUnfit):
        checked(RefundFacts, good() | {name: value})


# --- the linter against trying everything -----------------------------------------------------------------


class Small(Facts):
    """Facts of a world so small that everything in it can be tried."""

    number: Annotated[int, Field(ge=0, le=5)]
    maybe: Annotated[int, Field(ge=0, le=3)] | None
    flag: bool
    colour: Literal["red", "green", "blue"]
    price: Money


PRICES = [
    Money(amount_minor=minor, currency=currency) for minor in (99, 100, 101) for currency in ("EUR", "USD")
]
WORLD: Mapping[str, list[Any]] = {
    "number": [*range(6)],
    "maybe": [None, *range(4)],
    "flag": [False, True],
    "colour": ["red", "green", "blue"],
    "price": PRICES,
}
NUMBERS = st.sampled_from(["is", "is_not", "below", "at_most", "above", "at_least"])
TESTS: Mapping[str, st.SearchStrategy[Any]] = {
    "number": st.dictionaries(NUMBERS, st.integers(0, 5), min_size=1, max_size=2),
    "maybe": st.none() | st.dictionaries(NUMBERS, st.integers(0, 3), min_size=1, max_size=2),
    "flag": st.booleans(),
    "colour": st.dictionaries(
        st.sampled_from(["in", "not_in"]),
        st.lists(st.sampled_from(["red", "green", "blue"]), min_size=1, max_size=2),
        min_size=1,
    ),
    "price": st.dictionaries(
        st.sampled_from(["below", "at_least", "is"]), st.just("1.00 EUR"), min_size=1, max_size=2
    )
    | st.just({"not_in_currency": "EUR"}),
}


@st.composite
def tables(draw: st.DrawFn) -> RuleTable:
    whens = draw(
        st.lists(st.fixed_dictionaries({}, optional=dict(TESTS)).filter(bool), min_size=1, max_size=4)
    )
    document = {
        "format": 1,
        "table": "small",
        "version": "1",
        "tool": "a.b",
        "hit": draw(st.sampled_from(["first", "unique"])),
        "rows": [
            {
                "id": f"R-{at}",
                "says": "Something.",
                "policy": "P-1",
                "when": when,
                "then": {"refuse": "no"},
                "examples": [{}],
            }
            for at, when in enumerate(whens)
        ],
        "default": {"investigate": "no_rule_matches", "owner": "desk"},
    }
    return read_table(json.dumps(document), source="small.yaml", facts=Small)


@UNHURRIED
@given(tables())
def test_the_linter_finds_exactly_what_trying_everything_finds(table: RuleTable) -> None:
    words = Vocabulary(signers=frozenset(), owners=frozenset({"desk"}))
    found = [one for one in lint(table, Small, words) if ": example " not in one]

    deciding, dead, together, nothing = set(), {row.id for row in table.rows}, False, False
    for values in itertools.product(*WORLD.values()):
        facts = Small.model_construct(**dict(zip(WORLD, values, strict=True)))
        hits = [traced.row.id for traced in table.judge(facts).trace if traced.failed is None]
        dead -= set(hits)
        deciding |= set(hits[:1])
        together |= len(hits) > 1
        nothing |= not hits

    assert {one.split(":")[0] for one in found if "never match" in one} == {f"row {row}" for row in dead}
    unreached = {row.id for row in table.rows} - deciding - dead if table.hit == "first" else set()
    assert {one.split(":")[0] for one in found if "never reached" in one} == {
        f"row {row}" for row in unreached
    }
    assert any("overlaps" in one for one in found) is (together and table.hit == "unique")
    assert any("no row says" in one for one in found) is nothing


# --- what a table knowingly leaves ------------------------------------------------------------------------

REPLY = read_text("graphs.refund", "reply.yaml")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    - {refund_recorded: false}\n", "", "no row says anything where"),
        ("{refund_recorded: false}", "{refund_recorded: true, template: refund_done}", "leave nothing of it"),
        ("{refund_recorded: false}", "{}", "leaves nothing"),
        ("{refund_recorded: false}", "{refund_recorded: no thing}", "refund_recorded"),
    ],
)
def test_what_is_left_to_the_default_is_named(old: str, new: str, said: str) -> None:
    words = load_roles("graphs.refund").words("tickets.reply")
    assert old in REPLY

    with pytest.raises(TableUnfit, match=said):
        load_table(REPLY.replace(old, new), source=SOURCE, facts=ReplyFacts, words=words)


# --- tables that would take too long ------------------------------------------------------------------------


def cut_crosswise(rows: int) -> str:
    """The refund's table with rows before its own that cut each other in ever more ways."""
    head, example, rest = shipped().partition("rows:\n")
    money = "{{between: [{low}.00 EUR, {high}.00 EUR]}}"
    odd = [
        "  - {id: X-"
        f"{n}, says: x, policy: x, when: {{"
        + ", ".join(
            f"{fact}: {money.format(low=(n * step) % 97, high=100 + (n * step) % 89)}"
            for fact, step in (("amount", 31), ("window_total", 53), ("agent_total", 71))
        )
        + f", fraud_signals: {{between: [{(n * 37) % 83}, {100 + (n * 41) % 79}]}}"
        + f", captured_payments: {{between: [{(n * 43) % 73}, {100 + (n * 47) % 71}]}}"
        + "}, then: {investigate: x, owner: finance}, examples: [{}]}\n"
        for n in range(rows)
    ]
    return head + example + "".join(odd) + rest


def test_rows_that_cut_each_other_in_too_many_ways_are_refused_in_good_time() -> None:
    assert "too many ways" in refusal(cut_crosswise(300))


def test_a_table_of_too_many_rows_is_refused() -> None:
    assert "at most 500" in refusal(cut_crosswise(501))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("An open fraud signal goes to people", "Nothing is odd about it"),
        ("policy: RP-4.1", "policy: RP-4.2"),
        ("over: 24h", "over: 23h"),
    ],
)
def test_whatever_signers_read_or_windows_measure_is_in_the_difference(old: str, new: str) -> None:
    (change,) = table_differences(load(shipped()), load(edited(old, new)))
    assert " -> " in change["change"]
