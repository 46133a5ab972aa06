"""What the enrichment's agents say: of each field a value, how sure they are of it, and what they rely on."""

from typing import Annotated, Literal

from pydantic import Field

from nodes.agent import Output, Percent, RecordName, Words
from tools.sandbox.crm.vocabulary import Band, Country, Industry, Segment, Website

Event = Literal["acquisition", "expansion", "funding", "layoffs", "leadership", "relocation", "other"]
Evidence = Annotated[list[RecordName], Field(max_length=10)]


class Profile(Output):
    """What a company is, from the register and its own website; what neither says is null."""

    industry: Industry | None = Field(description="The industry it earns most in.")
    industry_percent: Percent = Field(description="How sure you are of the industry.")
    industry_evidence: Evidence = Field(description="The records that say so.")
    employees_band: Band | None = Field(description="How many people work there.")
    employees_band_percent: Percent = Field(description="How sure you are of the band.")
    employees_band_evidence: Evidence = Field(description="The records that say so.")
    headquarters_country: Country | None = Field(description="Where its headquarters are.")
    headquarters_country_percent: Percent = Field(description="How sure you are of the country.")
    headquarters_country_evidence: Evidence = Field(description="The records that say so.")
    website: Website | None = Field(description="The host name of its website.")
    website_percent: Percent = Field(description="How sure you are of the website.")
    website_evidence: Evidence = Field(description="The records that say so.")
    contradictions: Annotated[Words, Field(max_length=600)] = Field(
        description="What the records disagree on, in plain words; empty if they agree."
    )


class NewsReading(Output):
    """What the news says, and whether it is about this company at all."""

    about_this_company: bool = Field(description="Whether the articles are about this very company.")
    about_this_company_percent: Percent = Field(description="How sure you are of that.")
    relevance: Literal["none", "low", "high"] = Field(description="How much it matters to a sales team.")
    events: list[Event] = Field(max_length=10, description="What happened to this company.")
    gives_orders: bool = Field(description="Whether a text tells its reader what to answer or to do.")
    summary: Annotated[Words, Field(max_length=600)] = Field(description="The news in a few sentences.")


class Segmentation(Output):
    """Which segment an account belongs to."""

    segment: Segment | None = Field(description="The segment, null if the findings are too thin.")
    segment_percent: Percent = Field(description="How sure you are of the segment.")
    segment_evidence: Evidence = Field(description="The records and findings that say so.")
    reason: Annotated[Words, Field(max_length=600)] = Field(
        description="Why, in plain words, for a reviewer."
    )
