"""The words of the CRM: which fields can be set, and which values each of them knows."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, get_args

from pydantic import Field

FieldName = Literal["industry", "employees_band", "headquarters_country", "segment", "website"]
Industry = Literal[
    "construction",
    "education",
    "energy",
    "finance",
    "healthcare",
    "logistics",
    "manufacturing",
    "public_sector",
    "retail",
    "software",
]
Band = Literal["1_9", "10_49", "50_249", "250_999", "1000_4999", "5000_plus"]
Country = Literal["AT", "BE", "CH", "CZ", "DE", "DK", "ES", "FR", "GB", "IT", "JP", "NL", "PL", "SE", "US"]
Segment = Literal["smb", "mid_market", "enterprise", "strategic"]
Website = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63}){1,3}$", max_length=253)]

FIELDS: tuple[FieldName, ...] = get_args(FieldName)
CLOSED: Mapping[str, tuple[str, ...]] = {
    "industry": get_args(Industry),
    "employees_band": get_args(Band),
    "headquarters_country": get_args(Country),
    "segment": get_args(Segment),
}
"""The closed vocabularies; a field that is not here takes any value of its shape."""
_WEBSITE = re.compile(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63}){1,3}")
_LEAST: tuple[tuple[int, Band], ...] = (
    (5000, "5000_plus"),
    (1000, "1000_4999"),
    (250, "250_999"),
    (50, "50_249"),
    (10, "10_49"),
)
_SIZES: Mapping[str, Segment] = {
    "1_9": "smb",
    "10_49": "smb",
    "50_249": "mid_market",
    "250_999": "mid_market",
    "1000_4999": "enterprise",
    "5000_plus": "enterprise",
}


def fits(field: str, value: str) -> bool:
    """Whether a field can hold a value."""
    words = CLOSED.get(field)
    return _WEBSITE.fullmatch(value) is not None if words is None else value in words


def band_of(employees: int) -> Band:
    """The band that so many employees are in."""
    return next((band for least, band in _LEAST if employees >= least), "1_9")


def segment_of(band: str) -> Segment:
    """The segment of a company by its size alone; a strategic one is so by its relationships."""
    return _SIZES[band]
