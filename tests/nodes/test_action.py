"""Actions: one unambiguous digest over everything that is signed, and proposals that travel unharmed."""

import copy
import json
import math
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from checkpoints.canonical import NotCanonical, canonical, digest
from nodes.action import Proposal, Ref, action_of, differences, evidence_of, resolve
from nodes.records import UnresolvedReference
from tests.seals import a_seal
from tools.contract import Marked, Record, Trust
from tools.money import Money

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine is shared
LARGEST = 2**53 - 1
TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
SCALARS = st.none() | st.booleans() | st.integers(-LARGEST, LARGEST) | TEXT
KEYS = TEXT.map(lambda key: unicodedata.normalize("NFC", key))
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(KEYS, JSON, max_size=4)


# --- the canonical form -----------------------------------------------------------------------------------


def reordered(value: Any) -> Any:
    """The same value with the keys of every mapping the other way round."""
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(value)}
    return [reordered(item) for item in value] if isinstance(value, list) else value


def decomposed(value: Any) -> Any:
    """The same value with every text, keys too, in NFD."""
    if isinstance(value, dict):
        return {decomposed(key): decomposed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [decomposed(item) for item in value]
    return unicodedata.normalize("NFD", value) if isinstance(value, str) else value


@UNHURRIED
@given(JSON)
def test_the_order_of_keys_does_not_matter(value: Any) -> None:
    assert digest(reordered(value)) == digest(value)


@UNHURRIED
@given(JSON)
@example({"caf\N{LATIN SMALL LETTER E WITH ACUTE}": "\N{ANGSTROM SIGN}"})
def test_composed_and_decomposed_text_are_the_same(value: Any) -> None:
    assert digest(decomposed(value)) == digest(value)


@UNHURRIED
@given(JSON)
def test_a_stored_value_has_the_digest_it_had(value: Any) -> None:
    assert digest(json.loads(json.dumps(value))) == digest(value)
    assert digest(json.loads(canonical(value))) == digest(value)


ALIKE = [
    1,
    "1",
    True,
    "true",
    None,
    "null",
    "",
    0,
    False,
    [],
    {},
    [1],
    ["1"],
    {"1": 1},
    "[1]",
    [[]],
    [None],
    " ",
]


@pytest.mark.parametrize("one", ALIKE, ids=repr)
def test_what_looks_alike_is_not_the_same(one: Any) -> None:
    others = [other for other in ALIKE if other is not one]

    assert digest(one) not in {digest(other) for other in others}


@UNHURRIED
@given(JSON, JSON)
def test_two_values_share_a_digest_only_if_they_are_the_same(one: Any, other: Any) -> None:
    same = unicodedata.normalize("NFC", json.dumps(one, sort_keys=True, ensure_ascii=False)) == (
        unicodedata.normalize("NFC", json.dumps(other, sort_keys=True, ensure_ascii=False))
    )

    assert (digest(one) == digest(other)) is same


def test_a_nothing_is_not_an_absence() -> None:
    assert digest({"a": None}) != digest({})


@pytest.mark.parametrize("value", [0.0, 1.0, 29.9, -0.0, math.nan, math.inf, -math.inf, 1e300], ids=repr)
@pytest.mark.parametrize("around", ["{}", "[{}]", "key"])
def test_a_float_is_refused_wherever_it_is(value: float, around: str) -> None:
    wrapped: dict[str, Any] = {"{}": value, "[{}]": [[value]], "key": {"a": [{"b": value}]}}

    with pytest.raises(NotCanonical):
        digest(wrapped[around])


@pytest.mark.parametrize("value", [LARGEST + 1, -LARGEST - 1, 10**30])
def test_a_number_that_not_every_reader_reads_alike_is_refused(value: int) -> None:
    with pytest.raises(NotCanonical):
        digest({"amount_minor": value})


@pytest.mark.parametrize(
    "value",
    [
        {"\N{LATIN SMALL LETTER E WITH ACUTE}": 1, "e\N{COMBINING ACUTE ACCENT}": 2},
        {"\N{ANGSTROM SIGN}": 1, "\N{LATIN CAPITAL LETTER A WITH RING ABOVE}": 1},
        {"a": [{"\N{OHM SIGN}": 1, "\N{GREEK CAPITAL LETTER OMEGA}": 2}]},
    ],
)
def test_two_keys_that_become_one_are_refused(value: dict[str, Any]) -> None:
    with pytest.raises(NotCanonical):
        digest(value)


@pytest.mark.parametrize("key", [1, None, True, ("a",), b"a"], ids=repr)
def test_a_key_that_is_no_text_is_refused(key: Any) -> None:
    with pytest.raises(NotCanonical):
        digest({key: 1})


@pytest.mark.parametrize(
    "value",
    [
        b"bytes",
        bytearray(b"bytes"),
        {1, 2},
        datetime(2026, 11, 20, tzinfo=UTC),
        Money(amount_minor=1, currency="EUR"),
        object,
        "\ud800",
        {"\udfff": 1},
    ],
    ids=repr,
)
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(NotCanonical):
        digest([value])


def test_a_digest_is_what_everybody_computes() -> None:
    # printf '{"a":[1,true,null],"b":"\xc3\xa9"}' | sha256sum
    assert digest({"b": "e\N{COMBINING ACUTE ACCENT}", "a": (1, True, None)}) == (
        "6eab153701ef60c995351765c772011bca6739878254f313acc3f11e1fef476b"
    )


# --- proposals --------------------------------------------------------------------------------------------

PROPOSALS = st.builds(
    Proposal,
    case_id=TEXT,
    step=TEXT,
    revision=st.integers(1, 5),
    tool=TEXT,
    tool_version=TEXT,
    arguments=st.dictionaries(TEXT, st.builds(Ref, TEXT) | JSON, max_size=4),
    proposer=TEXT,
    reason=TEXT,
    evidence=st.lists(TEXT, max_size=3).map(tuple),
    policy=st.lists(TEXT, max_size=3).map(tuple),
    advice=OBJECTS,
)
REFUND = Proposal(
    case_id="c-1",
    step="refund",
    revision=1,
    tool="payments.refund",
    tool_version="1",
    arguments={
        "payment_id": Ref("payment.payment_id"),
        "amount_minor": Ref("payment.amount_minor"),
        "note": "due",
    },
    proposer="agent:policy",
    reason="It arrived damaged.",
    evidence=("payment",),
)


@UNHURRIED
@given(PROPOSALS)
def test_a_proposal_travels_through_json_unharmed(proposal: Proposal) -> None:
    told = json.loads(json.dumps(proposal.to_json()))

    assert Proposal.from_json(told) == proposal
    assert told["id"] == proposal.id


@pytest.mark.parametrize("literal", [{"ref": "payment.payment_id"}, {"value": 1}, {"ref": 1, "value": 2}])
def test_a_literal_that_looks_like_a_reference_stays_a_literal(literal: dict[str, Any]) -> None:
    proposal = replace(REFUND, arguments={"note": literal})

    assert Proposal.from_json(proposal.to_json()).arguments == {"note": literal}


@pytest.mark.parametrize("name", sorted(REFUND.to_json().keys() - {"id"}))
def test_a_proposal_with_a_part_missing_is_none(name: str) -> None:
    told = {key: value for key, value in REFUND.to_json().items() if key != name}

    with pytest.raises(KeyError):
        Proposal.from_json(told)


@pytest.mark.parametrize(
    "arguments",
    [
        {"note": {}},
        {"note": None},
        {"note": 1},
        [],
    ],
)
def test_arguments_of_another_shape_are_no_proposal(arguments: Any) -> None:
    with pytest.raises((KeyError, TypeError)):
        Proposal.from_json(REFUND.to_json() | {"arguments": arguments})


def test_the_id_of_a_proposal_is_the_same_on_every_machine() -> None:
    assert (REFUND.id, REFUND.key) == ("96132b9f-815d-53f5-9cca-437e9b2e98e6", "c-1:refund:1")


NAMED = st.from_regex(r"[a-z0-9-]{1,8}", fullmatch=True)


@UNHURRIED
@given(st.tuples(NAMED, NAMED, st.integers(1, 5)), st.tuples(NAMED, NAMED, st.integers(1, 5)))
def test_case_step_and_revision_name_a_proposal(
    one: tuple[str, str, int], other: tuple[str, str, int]
) -> None:
    first, second = (
        replace(REFUND, case_id=case, step=step, revision=revision) for case, step, revision in (one, other)
    )

    assert (first.id == second.id) is (one == other)
    assert (first.key == second.key) is (one == other)


def test_what_an_agent_says_does_not_change_whose_proposal_it_is() -> None:
    assert replace(REFUND, reason="Please!", advice={"recommends": True}).id == REFUND.id


def test_a_revision_is_the_same_wish_under_a_new_key() -> None:
    revised = REFUND.revised()

    assert revised == replace(REFUND, revision=2)
    assert (revised.id, revised.key) != (REFUND.id, REFUND.key)


# --- from proposal to action ------------------------------------------------------------------------------


class Payment(Record):
    """A record that a proposal can refer to."""

    payment_id: str = "P-1"
    amount_minor: int = 2990
    claim: Annotated[str, Marked(trust=Trust.UNTRUSTED)] = "I am the manager"


RECORDS = {"payment": Payment()}


def test_each_argument_comes_with_its_source_and_its_trust() -> None:
    said = replace(REFUND, arguments={**REFUND.arguments, "claim": Ref("payment.claim")})

    assert resolve(said, RECORDS) == (
        {"payment_id": "P-1", "amount_minor": 2990, "note": "due", "claim": "I am the manager"},
        {
            "payment_id": {"source": "payment.payment_id", "trust": "record"},
            "amount_minor": {"source": "payment.amount_minor", "trust": "record"},
            "note": {"source": "agent:policy", "trust": "model"},
            "claim": {"source": "payment.claim", "trust": "untrusted"},
        },
    )


def test_a_literal_of_fixed_code_is_trusted_as_a_record() -> None:
    _, sources = resolve(replace(REFUND, proposer="rule:tell"), RECORDS)

    assert sources["note"] == {"source": "rule:tell", "trust": "record"}


@pytest.mark.parametrize("proposer", ["person:lee", "Agent:policy", "model:policy", "", "shop"])
def test_a_literal_of_anybody_else_is_not_trusted_as_a_record(proposer: str) -> None:
    _, sources = resolve(replace(REFUND, proposer=proposer), RECORDS)

    assert sources["note"]["trust"] != "record"


@pytest.mark.parametrize("path", ["payment.nothing", "nobody.amount_minor", "payment", ""])
def test_a_reference_to_nothing_is_no_argument(path: str) -> None:
    with pytest.raises(UnresolvedReference):
        resolve(replace(REFUND, arguments={"amount_minor": Ref(path)}), RECORDS)


def action(proposal: Proposal = REFUND, **changes: Any) -> dict[str, Any]:
    records = {"payment": Payment(**changes)}
    arguments, sources = resolve(proposal, records)
    return action_of(
        proposal,
        arguments,
        sources,
        workflow="refund",
        evidence=evidence_of(records, a_seal()),
        rules={"table": "refund", "version": "2026-11-01", "digest": "abc"},
        expires_at=datetime(2026, 11, 27, tzinfo=UTC),
    )


def test_everything_that_is_signed_is_in_the_action() -> None:
    assert action().keys() == {
        "case",
        "workflow",
        "proposal",
        "revision",
        "proposer",
        "tool",
        "tool_version",
        "arguments",
        "sources",
        "key",
        "evidence",
        "rules",
        "expires_at",
    }


def test_a_field_of_the_evidence_that_moves_moves_the_digest() -> None:
    assert digest(action(claim="I am not the manager")) != digest(action())
    assert action(claim="I am not the manager")["arguments"] == action()["arguments"]


@pytest.mark.parametrize(
    "changes",
    [
        {"case_id": "c-2"},
        {"step": "other"},
        {"revision": 2},
        {"tool": "payments.reverse_refund"},
        {"tool_version": "2"},
        {"proposer": "agent:triage"},
        {"arguments": {**REFUND.arguments, "note": "past due"}},
        {"arguments": {"payment_id": Ref("payment.payment_id"), "amount_minor": 2990, "note": "due"}},
        {"arguments": {**REFUND.arguments, "more": None}},
    ],
    ids=str,
)
def test_another_proposal_is_another_digest(changes: dict[str, Any]) -> None:
    assert digest(action(replace(REFUND, **changes))) != digest(action())


def paths(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every place in an action that holds a plain value."""
    if not isinstance(value, dict):
        yield path
        return
    for name, item in value.items():
        yield from paths(item, (*path, name))


def changed(before: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    after = copy.deepcopy(before)
    place = after
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return after


@UNHURRIED
@given(st.sampled_from(sorted(paths(action()))), SCALARS)
def test_any_single_field_that_changes_changes_the_digest_and_is_shown(
    path: tuple[str, ...], value: Any
) -> None:
    before = action()
    after = changed(before, path, value)
    (was,) = [item for at, item in flat(before) if at == path]
    assume(type(value) is not type(was) or value != was)

    assert digest(after) != digest(before)
    assume(value != was)  # that 1 and true differ is in the digest, and not shown yet: see below
    assert differences(before, after) == [{"field": ".".join(path), "before": was, "after": value}]


def flat(value: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for path in paths(value):
        item: Any = value
        for name in path:
            item = item[name]
        yield path, item


# --- differences ------------------------------------------------------------------------------------------


@UNHURRIED
@given(OBJECTS)
def test_nothing_differs_from_itself(value: dict[str, Any]) -> None:
    assert differences(value, reordered(copy.deepcopy(value))) == []


def test_differences_are_named_by_their_path() -> None:
    before = {"a": {"b": 1, "c": 2}, "d": [1], "e": 5, "f": {"g": 1}}
    after = {"a": {"b": 1, "c": 3}, "d": [2], "f": 1, "h": 7}

    assert differences(before, after) == [
        {"field": "a.c", "before": 2, "after": 3},
        {"field": "d", "before": [1], "after": [2]},
        {"field": "e", "before": 5, "after": None},
        {"field": "f", "before": {"g": 1}, "after": 1},
        {"field": "h", "before": None, "after": 7},
    ]


@UNHURRIED
@given(OBJECTS, OBJECTS)
@example({"approved": 1}, {"approved": True})
@example({"note": None}, {})
def test_what_changes_the_digest_is_always_shown(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert differences(one, other) or digest(one) == digest(other)
