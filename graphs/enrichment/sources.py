"""What the sources say of a company, read by fixed code: no model's reading of a text counts for a rule."""

import re
from collections.abc import Mapping
from typing import Literal

from nodes.flags import Flag, flags_of
from tools.sandbox.accounts.sources import CompanyNews, Firmographics
from tools.sandbox.crm.vocabulary import CLOSED, FieldName, band_of, segment_of

Sources = Literal["agree", "silent", "differ"]
_EMPLOYEES = re.compile(r"\b([0-9]{1,9}) employees\b")
_UPHEAVAL = re.compile(
    r"\b(takes over|is bought|new owner|acqui\w+|merge\w*|lays off|layoffs?|insolven\w*)\b", re.IGNORECASE
)


def by_register(known: Firmographics) -> Mapping[FieldName, str | None]:
    """What the register of companies says of each field; of a segment, what the size comes to."""
    band = None if known.employees is None else band_of(known.employees)
    return {
        "industry": known.industry,
        "employees_band": band,
        "headquarters_country": known.country,
        "segment": None if band is None else segment_of(band),
        "website": known.website,
    }


def by_website(known: Firmographics) -> Mapping[FieldName, frozenset[str]]:
    """What a company's own words say of each field: usually one word; none, or several, are no answer."""
    bands = {band_of(int(number)) for number in _EMPLOYEES.findall(known.about)}
    return {
        "industry": _words("industry", known.about),
        "employees_band": frozenset(bands),
        "headquarters_country": _words("headquarters_country", known.about),
        "segment": frozenset(map(segment_of, bands)),
        "website": frozenset(),
    }


def _words(field: str, text: str) -> frozenset[str]:
    return frozenset(word for word in CLOSED[field] if re.search(rf"\b{re.escape(word)}\b", text))


def compared(known: Firmographics, field: FieldName, value: str) -> Sources:
    """Whether register and website both say a value, either of them says another, or one says nothing.

    The two are independent of each other, and both are compared with the value itself: whoever writes the
    website cannot have anything written that the register does not say, nor the other way round.
    """
    listed, published = by_register(known)[field], by_website(known)[field]
    if (listed is not None and listed != value) or published - {value}:
        return "differ"
    return "agree" if listed == value and published == {value} else "silent"


def gives_orders(news: CompanyNews) -> bool:
    """Whether an article is conspicuous by giving orders, whatever an agent makes of it."""
    return any(Flag.GIVES_ORDERS in flags_of(text) for text in news.texts)


def tells_of_upheaval(news: CompanyNews, known: Firmographics) -> bool:
    """Whether an article that names the company's own website tells of a new owner, layoffs or an end."""
    site = known.website
    return site is not None and any(site in text and _UPHEAVAL.search(text) for text in news.texts)
