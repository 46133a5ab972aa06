"""Rule files: every worked example ends at its own row, and no editing mistake becomes a table."""

from datetime import timedelta
from typing import Annotated, Any, Literal, get_args

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import Field

from nodes.facts import Facts
from nodes.rule_files import read_table
from nodes.rules import Against, Consequence, Outcome, RuleTable, Rung
from nodes.strict_yaml import TableUnfit, _OnceLoader, load_yaml, parse_money
from tools.money import Money, minor_digits

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine is shared


# --- a table of our own, well written ---------------------------------------------------------------------


class Sale(Facts):
    """The facts of the table below: one of each kind."""

    amount: Money
    signals: Annotated[int, Field(ge=0)]
    days: int | None
    clean: bool
    tier: Literal["standard", "silver", "gold"]
    note: str


WELL_WRITTEN = """\
format: 1
table: sale
version: "2026-11-01"
tool: sales.refund
hit: first
rows:
  - id: S-1
    says: A signal goes to people.
    policy: P-1
    when: {signals: {at_least: 1}}
    then: {investigate: signal, owner: fraud_team}
    examples:
      - {amount: 29.90 EUR, signals: 1, days: 3, "clean": true, tier: gold, note: ok}
  - id: S-2
    says: Small and clean is automatic.
    policy: P-2
    when: {amount: {below: 50.00 EUR}, clean: true, tier: {in: [silver, gold]}, note: {is_not: stop}}
    then: {allow: small_and_clean}
    examples:
      - {amount: 49.99 EUR, signals: 0, days: 3, "clean": true, tier: gold, note: ok}
  - id: S-3
    says: What is big or late is signed.
    policy: P-3
    when: {amount: {at_least: 50.00 EUR, at_most: 500.00 EUR}, days: {above: 30}}
    then: {review: big, by: [support_lead, finance], due: 8h, risk: medium}
    examples:
      - {amount: 50.00 EUR, signals: 0, days: 31, "clean": true, tier: gold, note: ok}
default: {investigate: no_rule_matches, owner: support_lead}
"""
EXAMPLE = '{amount: 49.99 EUR, signals: 0, days: 3, "clean": true, tier: gold, note: ok}'
SOURCE = "graphs/sale/rules.yaml"


def load(text: str) -> RuleTable:
    return read_table(text, source=SOURCE, facts=Sale)


def edited(old: str, new: str) -> str:
    """The well-written table with one thing in it changed."""
    assert WELL_WRITTEN.count(old) == 1, f"{old!r} is not in the table once"
    return WELL_WRITTEN.replace(old, new)


def refusal(text: str) -> str:
    """Why a text is no table."""
    with pytest.raises(TableUnfit) as unfit:
        load(text)
    return str(unfit.value)


def test_a_well_written_table_is_read_as_it_is_written() -> None:
    table = load(WELL_WRITTEN)
    signed = table.rows[2].then

    assert (table.name, table.version, table.tool) == ("sale", "2026-11-01", "sales.refund")
    assert [row.id for row in table.rows] == ["S-1", "S-2", "S-3"]
    assert [row.then.outcome for row in table.rows] == ["investigate", "allow", "review"]
    assert (signed.ladder, signed.due, signed.risk) == (
        ("support_lead", "finance"),
        timedelta(hours=8),
        "medium",
    )
    assert (table.default.outcome, table.default.owner) == (Outcome.INVESTIGATE, "support_lead")


@pytest.mark.parametrize(
    ("written", "meant"),
    [("8h", timedelta(hours=8)), ("30m", timedelta(minutes=30)), ("2d", timedelta(days=2))],
)
def test_a_review_is_due_when_it_says(written: str, meant: timedelta) -> None:
    assert load(edited("due: 8h", f"due: {written}")).rows[2].then.due == meant


def test_a_comment_changes_nothing_and_a_word_changes_the_digest() -> None:
    before = load(WELL_WRITTEN).digest

    assert load("# who signs what\n" + WELL_WRITTEN).digest == before
    assert load(edited("small_and_clean", "small_and_neat")).digest != before


# --- editing mistakes -------------------------------------------------------------------------------------

# what was written, what somebody made of it by mistake, and what the refusal must name
MISTAKES: dict[str, tuple[str, str, list[str]]] = {
    "misspelt fact": ("clean: true", "claen: true", ["row S-2", "claen"]),
    "fact of another table": ("clean: true", "window_total: 1", ["row S-2", "window_total"]),
    "tru e": ("clean: true", "clean: tru e", ["row S-2", "clean", "tru e"]),
    "quoted boolean": ("clean: true", 'clean: "true"', ["row S-2", "clean"]),
    "number for a boolean": ("clean: true", "clean: 1", ["row S-2", "clean"]),
    "nothing for a boolean": ("clean: true", "clean:", ["row S-2", "clean"]),
    "quoted number": ("at_least: 1", 'at_least: "1"', ["row S-1", "signals", "'1'"]),
    "boolean for a number": ("at_least: 1", "at_least: true", ["row S-1", "signals", "True"]),
    "float for a number": ("at_least: 1", "at_least: 1.0", ["row S-1", "signals", "1.0"]),
    "not a number": ("at_least: 1", "at_least: .nan", ["row S-1", "signals", "nan"]),
    "infinity": ("above: 30", "above: .inf", ["row S-3", "days", "inf"]),
    "list for a number": ("at_least: 1", "at_least: [1]", ["row S-1", "signals"]),
    "mapping for a number": ("at_least: 1", "at_least: {is: 1}", ["row S-1", "signals"]),
    "amount for a number": ("above: 30", "above: 30.00 EUR", ["row S-3", "days", "30.00 EUR"]),
    "nothing for a number": ("above: 30", "above: null", ["row S-3", "days"]),
    "no comparison": ("{at_least: 1}", "{}", ["row S-1", "signals"]),
    "unknown operator": ("at_least: 1", "at_lest: 1", ["row S-1", "signals", "at_lest"]),
    "operator of a language": ("at_least: 1", '">=": 1', ["row S-1", "signals", ">="]),
    "operator that is no word": ("at_least: 1", "1: 1", ["row S-1", "signals"]),
    "order of booleans": ("clean: true", "clean: {above: false}", ["row S-2", "clean"]),
    "order of words": ("{is_not: stop}", "{above: stop}", ["row S-2", "note"]),
    "one for many": ("in: [silver, gold]", "in: gold", ["row S-2", "tier"]),
    "many for one": ("{in: [silver, gold]}", "[silver, gold]", ["row S-2", "tier"]),
    "misspelt choice": ("[silver, gold]", "[silver, golden]", ["row S-2", "tier", "golden"]),
    "choice in capitals": ("[silver, gold]", "[silver, GOLD]", ["row S-2", "tier", "GOLD"]),
    "number for a word": ("{is_not: stop}", "{is_not: 1}", ["row S-2", "note"]),
    "amount without currency": ("below: 50.00 EUR", "below: 50.00", ["row S-2", "amount", "50.0"]),
    "quoted amount without currency": ("below: 50.00 EUR", 'below: "50.00"', ["row S-2", "amount"]),
    "currency first": ("below: 50.00 EUR", "below: EUR 50.00", ["row S-2", "amount", "EUR 50.00"]),
    "currency sign": ("below: 50.00 EUR", "below: €50.00", ["row S-2", "amount"]),
    "decimal comma": ("below: 50.00 EUR", 'below: "50,00 EUR"', ["row S-2", "amount", "50,00 EUR"]),
    "thousands": ("at_most: 500.00 EUR", 'at_most: "1,500.00 EUR"', ["row S-3", "amount"]),
    "currency in small letters": ("below: 50.00 EUR", "below: 50.00 eur", ["row S-2", "amount"]),
    "half a cent": ("below: 50.00 EUR", "below: 50.005 EUR", ["row S-2", "amount", "50.005 EUR"]),
    "a cent of a yen": ("below: 50.00 EUR", "below: 50.50 JPY", ["row S-2", "amount", "50.50 JPY"]),
    "exponent": ("below: 50.00 EUR", "below: 5e1 EUR", ["row S-2", "amount", "5e1 EUR"]),
    "amount that is no number": ("below: 50.00 EUR", "below: NaN EUR", ["row S-2", "amount"]),
    "amount that never ends": ("below: 50.00 EUR", "below: Infinity EUR", ["row S-2", "amount"]),
    "no facts": ("when: {signals: {at_least: 1}}", "when:", ["row S-1", "when"]),
    "facts as a list": ("{signals: {at_least: 1}}", "[signals]", ["row S-1", "when"]),
    "facts as text": ("when: {signals: {at_least: 1}}", "when: always", ["row S-1", "when"]),
    "missing facts": ("    when: {signals: {at_least: 1}}\n", "", ["row S-1", "when"]),
    "missing sentence": ("    says: A signal goes to people.\n", "", ["row S-1", "says"]),
    "empty sentence": ("says: A signal goes to people.", 'says: " "', ["row S-1", "says"]),
    "missing policy": ("    policy: P-1\n", "", ["row S-1", "policy"]),
    "policy as a number": ("policy: P-1", "policy: 1", ["row S-1", "policy"]),
    "missing consequence": ("    then: {allow: small_and_clean}\n", "", ["row S-2", "then"]),
    "missing examples": (f"      - {EXAMPLE}\n", "", ["row S-2", "examples"]),
    "no examples": (
        f"examples:\n      - {EXAMPLE}",
        "examples: []",
        ["row S-2", "example"],
    ),
    "unknown field": ("policy: P-1", "policy: P-1\n    enabled: false", ["row S-1", "enabled"]),
    "misspelt field": ("    policy: P-1", "    polcy: P-1", ["row S-1", "polcy"]),
    "missing id": ("  - id: S-1\n    says", "  - says", ["row 1", "id"]),
    "id as a number": ("- id: S-1", "- id: 1", ["row 1"]),
    "doubled row id": ("- id: S-2", "- id: S-1", ["S-1", "twice"]),
    "row as text": ("rows:\n", "rows:\n  - S-0\n", ["row 1", "mapping"]),
    "unknown outcome": ("{allow: small_and_clean}", "{permit: small_and_clean}", ["row S-2", "allow"]),
    "outcome in capitals": ("{allow: small_and_clean}", "{ALLOW: small_and_clean}", ["row S-2"]),
    "outcome as a word": ("then: {allow: small_and_clean}", "then: allow", ["row S-2"]),
    "no outcome": ("then: {allow: small_and_clean}", "then: {}", ["row S-2", "exactly one"]),
    "two outcomes": ("{allow: small_and_clean}", "{allow: a, refuse: b}", ["row S-2", "exactly one"]),
    "outcome without a reason": ("{allow: small_and_clean}", "{allow: }", ["row S-2", "allow"]),
    "outcome with a boolean": ("{allow: small_and_clean}", "{allow: true}", ["row S-2", "allow"]),
    "owner of what is allowed": ("{allow: small_and_clean}", "{allow: a, owner: b}", ["row S-2", "owner"]),
    "nobody investigates": ("signal, owner: fraud_team", "signal", ["row S-1", "owner"]),
    "empty owner": ("owner: fraud_team", 'owner: ""', ["row S-1", "owner"]),
    "empty ladder": ("[support_lead, finance]", "[]", ["row S-3", "by"]),
    "ladder as text": ("[support_lead, finance]", "finance", ["row S-3", "by"]),
    "ladder with a hole": ("[support_lead, finance]", '[support_lead, ""]', ["row S-3", "by"]),
    "missing ladder": ("by: [support_lead, finance], ", "", ["row S-3", "by"]),
    "missing risk": (", risk: medium", "", ["row S-3", "risk"]),
    "unknown risk": ("risk: medium", "risk: moderate", ["row S-3", "risk", "moderate"]),
    "duration as a number": ("due: 8h", "due: 8", ["row S-3", "due"]),
    "duration in weeks": ("due: 8h", "due: 1w", ["row S-3", "due", "1w"]),
    "negative duration": ("due: 8h", "due: -8h", ["row S-3", "due", "-8h"]),
    "allow as default": ("{investigate: no_rule_matches, owner: support_lead}", "{allow: rest}", ["default"]),
    "refuse as default": ("{investigate: no_rule_matches, owner: support_lead}", "{refuse: x}", ["default"]),
    "default as text": ("{investigate: no_rule_matches, owner: support_lead}", "allow", ["default"]),
    "missing default": (
        "default: {investigate: no_rule_matches, owner: support_lead}\n",
        "",
        ["table", "default"],
    ),
    "missing version": ('version: "2026-11-01"\n', "", ["table", "version"]),
    "version as a date": ('version: "2026-11-01"', "version: 2026-11-01", ["version"]),
    "missing tool": ("tool: sales.refund\n", "", ["table", "tool"]),
    "tool as a list": ("tool: sales.refund", "tool: [sales.refund]", ["tool"]),
    "unknown field of the table": ("tool: sales.refund", "tool: a.b\nmode: collect", ["table", "mode"]),
    "rows as a mapping": ("rows:\n", "rows: {}\nmore:\n", ["table", "more"]),
    "a tab": ("    policy: P-1", "\tpolicy: P-1", ["not YAML"]),
    "a day that is none": ('version: "2026-11-01"', "version: 2026-02-30", ["not YAML"]),
    "an open bracket": ("[silver, gold]", "[silver, gold", ["not YAML"]),
    "an object": ("clean: true", "clean: !!python/object/apply:os.system [true]", ["not YAML"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_an_editing_mistake_is_refused_by_file_row_and_field(mistake: str) -> None:
    old, new, named = MISTAKES[mistake]

    said = refusal(edited(old, new))

    assert said.startswith(f"{SOURCE}: ")
    for word in named:
        assert word in said


@pytest.mark.parametrize(
    "text", ["", "allow", "[]", "- a\n- b", "3", "null", "{}", "\x00", "a: b: c", "---\n---\n"]
)
def test_what_is_no_table_at_all_is_refused(text: str) -> None:
    assert refusal(text).startswith(f"{SOURCE}: ")


@UNHURRIED
@given(st.text())
@example("{")
@example("é: \ud800")
def test_no_text_is_a_table_by_accident(text: str) -> None:
    with pytest.raises(TableUnfit):
        load(text)


SCALARS = (
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.sampled_from(["gold", "stop", "1 EUR"])
)
ANYTHING = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.sampled_from(["is", "x"]), SCALARS)


def fits(fact: str, value: Any) -> bool:
    """Whether a value is written as this fact has to be; said a second time."""
    match fact:
        case "amount":
            return type(value) is str and value == "1 EUR"
        case "days":
            return value is None or type(value) is int
        case "signals":
            return type(value) is int
        case "clean":
            return type(value) is bool
        case "tier":
            return type(value) is str and value in get_args(Sale.model_fields["tier"].annotation)
    return type(value) is str


@UNHURRIED
@given(st.sampled_from(sorted(Sale.model_fields)), ANYTHING)
def test_a_bound_has_exactly_the_type_of_its_fact(fact: str, value: Any) -> None:
    document = yaml.safe_load(WELL_WRITTEN)
    document["rows"][1]["when"] = {fact: {"is": value}}
    text = yaml.safe_dump(document)

    if fits(fact, value):
        assert load(text).rows[1].when[0].fact == fact
    else:
        assert "row S-2" in refusal(text)


READ_OTHERWISE: dict[str, tuple[str, str]] = {
    "YAML's last of two equal keys wins; a condition is gone": ("clean: true, tier", "tier: gold, tier"),
    "YAML's last of two consequences wins; a refusal is gone": (
        "    policy: P-2\n",
        "    policy: P-2\n    then: {refuse: no}\n",
    ),
    "a condition that always holds is none": ("{in: [silver, gold]}", "{not_in: []}"),
    "a row without conditions allows everything": (
        "{amount: {below: 50.00 EUR}, clean: true, tier: {in: [silver, gold]}, note: {is_not: stop}}",
        "{}",
    ),
    "YAML reads 030 as octal 24": ("above: 30", "above: 030"),
    "YAML reads 1:30 as sixty-based 90": ("above: 30", "above: 1:30"),
    "a misspelt fact of an example": ("amount: 49.99 EUR", "amuont: 49.99 EUR"),
    "a format of tomorrow": ("format: 1", "format: 2"),
    "no format": ("format: 1\n", ""),
    "a hit policy that there is not": ("hit: first", "hit: any"),
    "bounds the wrong way round": ("{above: 30}", "{between: [40, 30]}"),
    "one bound of two": ("{above: 30}", "{between: [30]}"),
    "bounds in two currencies": ("{below: 50.00 EUR}", "{between: [1.00 EUR, 2.00 USD]}"),
    "the currency of a number": ("{above: 30}", "{in_currency: EUR}"),
    "a currency that is none": ("{below: 50.00 EUR}", "{in_currency: euro}"),
    "an age of a number": ("{above: 30}", "{within: 30d}"),
}


@pytest.mark.parametrize("why", READ_OTHERWISE)
def test_a_mistake_that_reads_well_is_refused(why: str) -> None:
    refusal(edited(*READ_OTHERWISE[why]))


class Late(Facts):
    """A fact that may be unknown and has a constraint, as the refund's days since delivery have."""

    days: Annotated[int, Field(ge=0)] | None


LATE = """\
format: 1
hit: first
table: late
version: "1"
tool: late.tell
rows:
  - id: L-1
    says: Late.
    policy: P-1
    when: {days: {above: BOUND}}
    then: {allow: late}
    examples: [{days: 3}]
default: {investigate: no_rule_matches, owner: desk}
"""


@pytest.mark.parametrize("bound", ["true", "1.5", "null", '"3"', "3.00 EUR"])
def test_a_bound_of_a_constrained_fact_that_may_be_unknown_has_its_type(bound: str) -> None:
    with pytest.raises(TableUnfit, match="row L-1: days"):
        read_table(LATE.replace("BOUND", bound), source=SOURCE, facts=Late)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(f"- {EXAMPLE}", "- oops", id="an example that is no mapping"),
        pytest.param(f"- {EXAMPLE}", "- 3", id="an example that is a number"),
        pytest.param("amount: 49.99 EUR", "amount: 2026-11-01", id="a date"),
        pytest.param("above: 30", "above: 99999999999999999", id="beyond JSON"),
        pytest.param("risk: medium", "risk: [medium]", id="a list for a risk"),
        pytest.param("due: 8h", "due: 99999999999d", id="a duration beyond time"),
    ],
)
def test_a_mistake_that_breaks_the_reader_is_refused(old: str, new: str) -> None:
    assert "row S-" in refusal(edited(old, new))


# --- amounts ----------------------------------------------------------------------------------------------


@UNHURRIED
@given(st.integers(-(10**15), 10**15), st.sampled_from(["EUR", "USD", "JPY", "BHD"]))
def test_an_amount_is_read_as_it_is_shown(minor: int, currency: str) -> None:
    money = Money(amount_minor=minor, currency=currency)

    assert parse_money(str(money), "here") == money


@UNHURRIED
@given(st.integers(0, 10**9), st.integers(1, 9), st.sampled_from(["EUR", "JPY", "BHD"]))
def test_an_amount_finer_than_its_minor_unit_is_refused(whole: int, rest: int, currency: str) -> None:
    written = f"{whole}.{'0' * minor_digits(currency)}{rest} {currency}"

    with pytest.raises(TableUnfit, match="finer"):
        parse_money(written, "here")


def test_an_amount_is_never_rounded() -> None:
    with pytest.raises(TableUnfit):
        parse_money("50.00000000000000000000000000001 EUR", "here")


@UNHURRIED
@given(st.one_of(st.none(), st.integers(), st.floats(), st.booleans(), st.lists(st.just("1 EUR"))))
def test_an_amount_is_text(value: Any) -> None:
    with pytest.raises(TableUnfit, match="here: "):
        parse_money(value, "here")


# --- who signs, how many, in which order, by when ---------------------------------------------------------

BY = "[support_lead, finance]"


def signed(new: str, old: str = BY) -> Consequence:
    """What row S-3 asks for, with one thing in it changed."""
    return load(edited(old, new)).rows[2].then


def test_roles_side_by_side_are_one_stage() -> None:
    assert signed(BY).steps == (Rung(role="support_lead"), Rung(role="finance"))


def test_lists_of_roles_are_stages_one_after_the_other() -> None:
    then = signed("[[support_lead], [finance, legal]]")

    assert then.steps == (
        Rung(role="support_lead", stage=0),
        Rung(role="finance", stage=1),
        Rung(role="legal", stage=1),
    )
    assert then.ladder == ("support_lead", "finance", "legal")


def test_several_people_of_a_role_may_be_asked() -> None:
    assert signed("[{role: finance, people: 2}]").steps == (Rung(role="finance", people=2),)
    assert signed("[[support_lead], [{role: finance, people: 9}]]").steps == (
        Rung(role="support_lead"),
        Rung(role="finance", people=9, stage=1),
    )


def test_who_is_above_and_what_it_goes_against_is_read() -> None:
    then = signed(f"{BY}, above: [head, board], against: policy")

    assert (then.above, then.against) == (("head", "board"), Against.POLICY)
    assert (signed(BY).above, signed(BY).against) == ((), None)


@pytest.mark.parametrize(
    ("written", "meant", "working"),
    [
        ("8bh", timedelta(hours=8), True),
        ("30bm", timedelta(minutes=30), True),
        ("8h", timedelta(hours=8), False),
        ("2d", timedelta(days=2), False),
    ],
)
def test_business_hours_are_told_from_hours(written: str, meant: timedelta, working: bool) -> None:  # noqa: FBT001
    then = signed(f"due: {written}", "due: 8h")
    assert (then.due, then.working) == (meant, working)


LADDER_MISTAKES: dict[str, tuple[str, str, list[str]]] = {
    "a stage without roles": (BY, "[[support_lead], []]", ["by", "stage"]),
    "roles and stages mixed": (BY, "[support_lead, [finance]]", ["by"]),
    "a stage in a stage": (BY, "[[[support_lead]]]", ["by"]),
    "a role twice": (BY, "[finance, finance]", ["by", "twice"]),
    "a role in two stages": (BY, "[[finance], [finance]]", ["by", "twice"]),
    "nobody": (BY, "[{role: finance, people: 0}]", ["by", "people 0"]),
    "fewer than nobody": (BY, "[{role: finance, people: -1}]", ["by", "people -1"]),
    "too many": (BY, "[{role: finance, people: 10}]", ["by", "people 10"]),
    "half a person": (BY, "[{role: finance, people: 1.5}]", ["by", "people 1.5"]),
    "true people": (BY, "[{role: finance, people: true}]", ["by", "people True"]),
    "people in words": (BY, "[{role: finance, people: two}]", ["by", "people 'two'"]),
    "people of no role": (BY, "[{people: 2}]", ["by", "role"]),
    "a role without people": (BY, "[{role: finance}]", ["by", "people"]),
    "a misspelt field of a rung": (BY, "[{role: finance, peple: 2}]", ["by", "peple"]),
    "a number for a role": (BY, "[3]", ["by", "3"]),
    "above as text": (BY, f"{BY}, above: head", ["above"]),
    "above with a hole": (BY, f'{BY}, above: [""]', ["above"]),
    "above with a rung": (BY, f"{BY}, above: [{{role: head, people: 2}}]", ["above"]),
    "against nothing there is": (BY, f"{BY}, against: wishes", ["against", "wishes"]),
    "against true": (BY, f"{BY}, against: true", ["against"]),
    "business days": ("due: 8h", "due: 2bd", ["due", "2bd"]),
    "business as such": ("due: 8h", "due: 8b", ["due", "8b"]),
    "business first": ("due: 8h", "due: b8h", ["due", "b8h"]),
    "hours of business": ("due: 8h", "due: 8hb", ["due", "8hb"]),
    "a due time that is none": ("due: 8h", "due: 0h", ["due", "0h"]),
    "a due time of no business hour": ("due: 8h", "due: 0bh", ["due", "0bh"]),
    "a due time of more business hours than there are": ("due: 8h", "due: 501bh", ["due", "501bh"]),
}


@pytest.mark.parametrize("mistake", LADDER_MISTAKES)
def test_a_mistake_in_who_signs_is_refused_with_its_row(mistake: str) -> None:
    old, new, named = LADDER_MISTAKES[mistake]

    said = refusal(edited(old, new))

    assert said.startswith(f"{SOURCE}: row S-3: ")
    for word in named:
        assert word in said


def test_a_window_is_not_counted_in_business_hours() -> None:
    windows = "windows:\n  amount: {sum: amount, per: customer, over: 8bh}\nrows:\n"
    assert "windows: amount: over" in refusal(WELL_WRITTEN.replace("rows:\n", windows))


@pytest.mark.parametrize(
    "text",
    [
        "a: !!int ''",
        "a: !!bool x",
        "a: !!timestamp x",
        "a: 1" + ":59" * 300 + ".5",
        '"\\UFFFFFFFF"',
        '"\\0": 1',
        'a: "\\ud800"',
    ],
)
def test_what_yaml_stumbles_on_or_no_database_holds_is_refused(text: str) -> None:
    with pytest.raises(TableUnfit):
        load_yaml(text, "here")


def test_an_amount_of_thousands_of_digits_is_refused() -> None:
    with pytest.raises(TableUnfit):
        parse_money(f"{'1' * 5000} EUR", "here")


def test_a_mapping_of_many_keys_is_compared_with_itself_once() -> None:
    compared = 0

    class Compared:
        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return self is other

        def __hash__(self) -> int:
            return id(self)

    class Loader(_OnceLoader):
        pass

    Loader.add_constructor("tag:yaml.org,2002:str", lambda _, _node: Compared())
    keys = 500
    yaml.load("{" + ",".join(f"k{n}" for n in range(keys)) + "}", Loader=Loader)  # noqa: S506 - a SafeLoader
    assert compared < 10 * keys
