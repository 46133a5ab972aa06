"""Money: exact, of one currency, and never a float."""

from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from tools.money import AmountMinor, Currency, CurrencyMismatch, Money, minor_digits

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine is shared
MINORS = st.integers(-(10**15), 10**15)
CURRENCIES = st.sampled_from(["EUR", "USD", "JPY", "BHD"])
MONEY = st.builds(Money, amount_minor=MINORS, currency=CURRENCIES)


def euros(minor: int) -> Money:
    return Money(amount_minor=minor, currency="EUR")


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [
        (2990, "EUR", "29.90 EUR"),
        (5, "EUR", "0.05 EUR"),
        (0, "EUR", "0.00 EUR"),
        (-5, "EUR", "-0.05 EUR"),
        (3000, "JPY", "3000 JPY"),
        (1, "BHD", "0.001 BHD"),
        (10**13, "EUR", "100000000000.00 EUR"),
    ],
)
def test_an_amount_is_shown_with_the_digits_of_its_currency(minor: int, currency: str, shown: str) -> None:
    assert str(Money(amount_minor=minor, currency=currency)) == shown


@UNHURRIED
@given(MONEY)
def test_an_amount_in_major_units_is_exact(money: Money) -> None:
    assert Fraction(money.decimal) == Fraction(money.amount_minor, 10 ** minor_digits(money.currency))


def test_even_an_absurd_amount_is_exact_or_refused() -> None:
    with suppress(ValidationError):
        assert Fraction(euros(10**29 + 1).decimal) == Fraction(10**29 + 1, 100)


@UNHURRIED
@given(MINORS, MINORS)
def test_amounts_of_one_currency_add_and_compare_like_their_units(one: int, other: int) -> None:
    left, right = euros(one), euros(other)

    assert (left + right, left - right) == (euros(one + other), euros(one - other))
    assert (left < right, left <= right, left > right, left >= right, left == right) == (
        one < other,
        one <= other,
        one > other,
        one >= other,
        one == other,
    )


@UNHURRIED
@given(MONEY, MONEY)
def test_amounts_of_two_currencies_do_neither(one: Money, other: Money) -> None:
    foreign = Money(amount_minor=other.amount_minor, currency="CHF")
    for deed in ("__add__", "__sub__", "__lt__", "__le__"):
        with pytest.raises(CurrencyMismatch):
            getattr(one, deed)(foreign)
    with pytest.raises(CurrencyMismatch):
        assert one > foreign

    assert one != foreign


def test_the_same_number_of_another_currency_is_not_the_same() -> None:
    assert Money(amount_minor=3000, currency="JPY") != euros(3000)


@pytest.mark.parametrize(
    "amount", [29.9, 2990.0, True, "2990", None, Decimal(2990), Fraction(2990)], ids=repr
)
def test_an_amount_is_a_whole_number_of_minor_units(amount: Any) -> None:
    with pytest.raises(ValidationError):
        Money(amount_minor=amount, currency="EUR")


@pytest.mark.parametrize(
    "currency",
    [
        "",
        "EU",
        "EURO",
        "eur",
        "€",
        "EUR ",
        " EUR",
        "EUR\n",
        "\N{FULLWIDTH LATIN CAPITAL LETTER E}UR",
        None,
        978,
    ],
)
def test_a_currency_is_three_capital_letters(currency: Any) -> None:
    with pytest.raises(ValidationError):
        Money(amount_minor=1, currency=currency)
    with pytest.raises(ValidationError):
        TypeAdapter(Currency).validate_python(currency)


def test_an_amount_cannot_be_changed_or_given_more() -> None:
    with pytest.raises(ValidationError):
        euros(1).amount_minor = 2
    with pytest.raises(ValidationError):
        Money.model_validate({"amount_minor": 1, "currency": "EUR", "rate": 1})


class Wish(BaseModel):
    """An amount as tools take it."""

    amount_minor: AmountMinor


@pytest.mark.parametrize("amount", [-1, 10**13 + 1, True, 1.0, "1", None], ids=repr)
def test_an_argument_of_a_tool_is_a_sane_amount(amount: Any) -> None:
    with pytest.raises(ValidationError):
        Wish(amount_minor=amount)


@pytest.mark.parametrize("amount", [0, 1, 10**13])
def test_the_ends_of_what_is_sane_are_sane(amount: int) -> None:
    assert Wish(amount_minor=amount).amount_minor == amount
