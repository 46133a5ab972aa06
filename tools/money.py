"""Money: an exact amount in minor units, and its currency."""

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_MINOR_DIGITS = {"JPY": 0, "KRW": 0, "CLP": 0, "BHD": 3, "KWD": 3, "TND": 3}
_USUAL_MINOR_DIGITS = 2

AmountMinor = Annotated[int, Field(strict=True, ge=0, le=10**13)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class CurrencyMismatch(ValueError):
    """Amounts in two currencies cannot be added or compared."""


class Money(BaseModel):
    """An amount in minor units (cents, sen, fils) of an ISO 4217 currency."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    amount_minor: int
    currency: Currency

    @property
    def decimal(self) -> Decimal:
        """The amount in major units, exact."""
        sign, digits, _ = Decimal(self.amount_minor).as_tuple()
        return Decimal((sign, digits, -minor_digits(self.currency)))

    def __str__(self) -> str:
        return f"{self.decimal} {self.currency}"

    def __add__(self, other: "Money") -> "Money":
        return Money(amount_minor=self.amount_minor + self._same(other), currency=self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(amount_minor=self.amount_minor - self._same(other), currency=self.currency)

    def __le__(self, other: "Money") -> bool:
        return self.amount_minor <= self._same(other)

    def __lt__(self, other: "Money") -> bool:
        return self.amount_minor < self._same(other)

    def _same(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency}")
        return other.amount_minor


def minor_digits(currency: str) -> int:
    """How many decimal digits the minor unit of `currency` has (ISO 4217)."""
    return _MINOR_DIGITS.get(currency, _USUAL_MINOR_DIGITS)
