"""What the vendor workflow's agents say, and the playbooks that stand in for a model."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from nodes.agent import Output, Percent, Words
from nodes.records import Said
from nodes.shapes import Json
from tools.sandbox.vendors.documents import DocumentId

FieldName = Literal[
    "legal_name",
    "registration_number",
    "country",
    "vat_id",
    "iban",
    "contact_email",
    "certificate_expiry",
]
Level = Literal["low", "medium", "high"]
_SURE, _UNSURE = 95, 40
_LABELS: dict[str, FieldName] = {
    "Legal name": "legal_name",
    "Registration number": "registration_number",
    "Country": "country",
    "VAT ID": "vat_id",
    "IBAN": "iban",
    "Contact email": "contact_email",
    "Certificate valid until": "certificate_expiry",
}
_LINE = re.compile(rf"({'|'.join(_LABELS)}): (.+)")
_MEDIUM, _HIGH = 70, 90


class Found(Said):
    """A value with the place where it stands."""

    field: FieldName = Field(description="What the value is.")
    value: Annotated[Words, Field(min_length=1, max_length=300)] = Field(
        description="The value, letter for letter as it stands in the quote."
    )
    document_id: DocumentId = Field(description="In which document it stands.")
    page: Annotated[int, Field(ge=1, le=10_000)] = Field(description="On which of its pages, from 1.")
    quote: Annotated[Words, Field(min_length=1, max_length=600)] = Field(
        description="The words of that page in which the value stands, letter for letter."
    )
    confidence_percent: Percent = Field(description="How sure you are of this value, from 0 to 100.")


class Extraction(Output):
    """What stands in a vendor's documents: each value wherever it stands, also where two of them differ."""

    found: list[Found] = Field(max_length=80, description="Every value that you find, in every document.")


class Risk(Output):
    """How much the hits of a screening mean."""

    risk: Level = Field(description="How likely it is that the vendor is one of those listed.")
    reasons: list[Annotated[Words, Field(min_length=1, max_length=400)]] = Field(
        min_length=1, max_length=10, description="Why, each in a sentence, for a reviewer."
    )


def extractor_playbook(view: Json) -> Extraction:
    """Take the lines that begin with one of the known labels; an illegible page makes unsure."""
    found = [one for page in view["documents"]["pages"] for one in _read(page)]
    surest = min((one.confidence_percent for one in found), default=_SURE)
    return Extraction(found=found, confidence_percent=surest, evidence=["documents"])


def _read(page: Json) -> Iterator[Found]:
    sure = _UNSURE if "illegible" in page["text"] else _SURE
    for line in page["text"].splitlines():
        if said := _LINE.match(line.strip()):
            yield Found(
                field=_LABELS[said[1]],
                value=said[2].strip(),
                document_id=page["document_id"],
                page=page["number"],
                quote=said[0],
                confidence_percent=sure,
            )


def screener_playbook(view: Json) -> Risk:
    """Read the best score: the same name is high, a like one medium, none low."""
    score = view["screening"]["score"]
    hits = view["screening"]["hits"]
    risk: Level = "high" if score >= _HIGH else "medium" if score >= _MEDIUM else "low"
    reasons = [
        f"{hit['entry_id']} of the {hit['source']} list is {hit['score']} % alike." for hit in hits[:5]
    ]
    return Risk(
        risk=risk,
        reasons=reasons or ["No name of the list is like the vendor's."],
        confidence_percent=_SURE,
        evidence=["vendor", "screening"],
    )
