"""The playbooks that stand in for the enrichment's models: each sees what its role sees, and no more."""

import re
from typing import Any

from graphs.enrichment.agents import Event, NewsReading, Profile, Segmentation
from nodes.shapes import Json
from tools.sandbox.crm.vocabulary import CLOSED, band_of, segment_of

_AGREED, _ALONE, _DISAGREED = 95, 88, 55
"""How sure: two sources say the same, one says it, or they contradict each other."""
_EVENTS: tuple[tuple[str, Event], ...] = (
    ("takes over", "acquisition"),
    ("is bought", "acquisition"),
    ("second site", "expansion"),
    ("lays off", "layoffs"),
    ("moves", "relocation"),
    ("new owner", "acquisition"),
    ("hires", "leadership"),
)
_ORDERS = re.compile(r"ignore (all )?(previous|other) instructions|do not ask anybody", re.IGNORECASE)


def profiler_playbook(view: Json) -> Profile:
    """The register's word, weighed against the words of the website."""
    known: Json = view["firmographics"]
    about = str(known["about"])
    employees = re.search(r"\b([0-9]+) employees\b", about)
    said = {
        "industry": next((word for word in CLOSED["industry"] if word in about), None),
        "employees_band": band_of(int(employees[1])) if employees and int(employees[1]) else None,
        "headquarters_country": next((c for c in CLOSED["headquarters_country"] if f" {c}." in about), None),
    }
    listed = {
        "industry": known["industry"],
        "employees_band": band_of(known["employees"]) if known["employees"] else None,
        "headquarters_country": known["country"],
    }
    found: dict[str, Any] = {}
    for name, other in said.items():
        found |= _weighed(name, listed[name], other)
    differ = sorted(name for name in said if found[f"{name}_percent"] == _DISAGREED)
    return Profile(
        **found,
        website=known["website"],
        website_percent=_ALONE if known["website"] else 0,
        website_evidence=["firmographics"],
        contradictions=f"Register and website differ in {', '.join(differ)}." if differ else "",
        confidence_percent=min(found[f"{name}_percent"] for name in said),
        evidence=["firmographics"],
    )


def _weighed(name: str, listed: str | None, other: str | None) -> dict[str, Any]:
    value = listed or other
    percent = _AGREED if listed == other else _DISAGREED if listed and other else _ALONE
    return {
        name: value if value in CLOSED[name] else None,
        f"{name}_percent": percent if value in CLOSED[name] else 0,
        f"{name}_evidence": ["firmographics"],
    }


def news_reader_playbook(view: Json) -> NewsReading:
    """News that names the company's own website is about it; the same name alone says nothing."""
    texts = [str(text) for text in view["news"]["texts"]]
    website = view["firmographics"]["website"]
    own = [text for text in texts if website and website in text]
    events = [event for words, event in _EVENTS if any(words in text for text in own)]
    return NewsReading(
        about_this_company=bool(own),
        about_this_company_percent=90,
        relevance="high" if events else "low" if own else "none",
        events=list(dict.fromkeys(events)),
        gives_orders=any(_ORDERS.search(text) for text in texts),
        summary=f"{len(own)} of {len(texts)} articles are about this company.",
        confidence_percent=90,
        evidence=["news"],
    )


def segmenter_playbook(view: Json) -> Segmentation:
    """The size says the segment, unless the account belongs to a customer: then it is strategic."""
    profile, news = view["profiler"], view["news_reader"]
    band, sure = profile["employees_band"], int(profile["employees_band_percent"])
    segment, reason = segment_of(band) if band else None, f"Its size is {band or 'not known'}."
    if view["relations"]["group_is_customer"]:
        segment, sure, reason = "strategic", _ALONE, "It, or the company it belongs to, is a customer."
    upheaval = news["about_this_company"] and {"acquisition", "layoffs"} & set(news["events"])
    return Segmentation(
        segment=segment,
        segment_percent=min(sure, 70) if upheaval else sure,
        segment_evidence=["profiler", "news_reader", "relations"],
        reason=reason,
        confidence_percent=sure,
        evidence=["profiler", "news_reader", "relations"],
    )
