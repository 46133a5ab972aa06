"""Sealing: what is behind a token can be opened, proved and erased, and cannot be guessed."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoints.cases import Case, get_case
from checkpoints.sealing import (
    TOKEN,
    Seal,
    SealBroken,
    StoredSeal,
    commitment,
    erase,
    keep_in,
    openings_of,
    replaced,
    tokens_in,
)
from checkpoints.session import open_session
from graphs.wiring import Parts
from tests.checkpoints.threads import add_received
from tests.seals import KEY, a_seal

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
UNHURRIED = settings(deadline=None)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
).filter(lambda value: not tokens_in(value))


# --- tokens -----------------------------------------------------------------------------------------------


@UNHURRIED
@given(VALUES)
def test_the_same_value_of_a_field_is_always_the_same_token(value: Any) -> None:
    assert a_seal().token("ticket.body", value) == a_seal().token("ticket.body", value)


@UNHURRIED
@given(VALUES, VALUES)
def test_different_values_are_different_tokens(one: Any, other: Any) -> None:
    same = a_seal().token("f", one) == a_seal().token("f", other)
    assert same is (commitment(KEY, one) == commitment(KEY, other))


def test_another_field_another_case_or_another_key_is_another_token() -> None:
    mine = a_seal().token("customer.name", "Jane")

    assert a_seal().token("ticket.subject", "Jane") != mine
    assert a_seal(key="0f" * 32).token("customer.name", "Jane") != mine


@UNHURRIED
@given(VALUES)
async def test_what_was_sealed_opens_as_it_was(value: Any) -> None:
    seal = a_seal()
    document = {"a": [seal.token("f", value)], "b": "as it is"}

    assert await seal.opened(document) == {"a": [value], "b": "as it is"}


@UNHURRIED
@given(VALUES, VALUES)
def test_an_opening_holds_for_its_own_value_only(value: Any, other: Any) -> None:
    seal = a_seal()
    opening = seal.waiting[seal.token("f", value)]

    assert opening.holds
    if commitment(KEY, value) != commitment(KEY, other):
        assert not replace(opening, value=other).holds


def test_what_is_sealed_already_is_not_sealed_again() -> None:
    seal = a_seal()
    token = seal.token("f", "Jane")

    assert seal.token("g", token) == token


def test_what_is_only_compared_is_not_kept() -> None:
    seal = a_seal()
    token = seal.token("f", "Jane", keep=False)

    assert seal.waiting == {}
    assert token == seal.token("f", "Jane")


def test_a_token_within_a_text_is_just_text() -> None:
    token = a_seal().token("f", "Jane")

    assert tokens_in({"a": f"say {token}", "b": token.upper(), "c": token + "0"}) == set()
    assert replaced([f"say {token}"], lambda _: "opened") == [f"say {token}"]


async def test_a_token_of_nowhere_cannot_be_opened() -> None:
    with pytest.raises(SealBroken):
        await a_seal().opened({"body": "sealed:" + "0" * 64})


# --- in the database --------------------------------------------------------------------------------------


@pytest.fixture
async def case(parts: Parts) -> Case:
    return await add_received(parts, "case-1")


async def sealed_in(parts: Parts, case: Case, **values: str) -> dict[str, str]:
    """Values of a case, each under a field of its name, stored; their tokens by field."""
    async with parts.database.transaction() as tx:
        seal = StoredSeal.within(tx, case.id, case.sealing_key, parts.clock)
        tokens = {name: seal.token(name, value) for name, value in values.items()}
        await keep_in(tx, seal)
    return tokens


async def opened_by(parts: Parts, case_id: str, key: str, document: Any) -> Any:
    async with parts.database.transaction() as tx:
        return await StoredSeal.within(tx, case_id, key, parts.clock).opened(document)


async def test_what_was_stored_opens_in_its_own_case_and_in_no_other(parts: Parts, case: Case) -> None:
    other = await add_received(parts, "case-2")
    tokens = await sealed_in(parts, case, name="Jane")

    assert await opened_by(parts, case.id, case.sealing_key, tokens) == {"name": "Jane"}
    with pytest.raises(SealBroken):
        await opened_by(parts, other.id, other.sealing_key, tokens)


async def test_a_session_stores_what_was_sealed_with_what_it_writes_next(parts: Parts, case: Case) -> None:
    async with open_session(parts.database.engine) as session:
        token = session.seal(case.id, case.sealing_key, parts.clock).token("name", "Jane")
        async with session.pipeline() as cursor:
            await cursor.execute("SELECT 1")
        assert session.waiting == {}

    assert await opened_by(parts, case.id, case.sealing_key, [token]) == ["Jane"]


@pytest.mark.parametrize("way", ["pipeline", "transaction"])
async def test_what_is_undone_leaves_the_sealed_to_the_next_try(parts: Parts, case: Case, way: str) -> None:
    async with open_session(parts.database.engine) as session:
        seal = session.seal(case.id, case.sealing_key, parts.clock)
        token = seal.token("name", "Jane")
        with pytest.raises(LookupError):
            async with getattr(session, way)():
                raise LookupError
        assert list(session.waiting) == [token]
        async with getattr(session, way)() as cursor:
            await cursor.execute("SELECT 1")

    assert await opened_by(parts, case.id, case.sealing_key, [token]) == ["Jane"]


async def test_what_is_erased_is_gone_and_says_so(parts: Parts, case: Case) -> None:
    tokens = await sealed_in(parts, case, name="Jane", body="A long story.")
    async with parts.database.transaction() as tx:
        gone = await erase(tx, case.id, ["name"], by="person:pia", why="asked to", at=NOW, key="0f" * 32)
        left = {one.field: one for one in await openings_of(tx, case.id)}
        after = await get_case(tx, case.id)

    assert gone == [(tokens["name"], "name")]
    assert (left["name"].value, left["name"].salt) == (None, None)
    assert (left["name"].erased_by, left["name"].erased_why) == ("person:pia", "asked to")
    assert left["body"].value == "A long story."
    with pytest.raises(SealBroken):
        await opened_by(parts, case.id, after.sealing_key, tokens)


async def test_by_the_key_of_after_an_erasure_nothing_can_be_tried_out(parts: Parts, case: Case) -> None:
    tokens = await sealed_in(parts, case, name="Jane")
    async with parts.database.transaction() as tx:
        await erase(tx, case.id, None, by="person:pia", why="asked to", at=NOW, key=parts.secret())
        after = await get_case(tx, case.id)

    assert after.sealing_key != case.sealing_key
    guess = Seal(case.id, after.sealing_key, parts.clock).token("name", "Jane")
    assert guess != tokens["name"]


async def test_what_was_erased_cannot_be_put_back(parts: Parts, case: Case) -> None:
    await sealed_in(parts, case, name="Jane")
    async with parts.database.transaction() as tx:
        await erase(tx, case.id, None, by="person:pia", why="asked to", at=NOW, key=parts.secret())
    tokens = await sealed_in(parts, case, name="Jane")  # by whoever still held the old key

    with pytest.raises(SealBroken):
        await opened_by(parts, case.id, case.sealing_key, tokens)


def test_tokens_look_like_nothing_else() -> None:
    assert TOKEN.fullmatch(a_seal().token("f", "Jane"))
    assert not TOKEN.fullmatch("sealed:" + "g" * 64)
