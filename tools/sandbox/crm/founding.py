"""What is in the CRM, the register and the news on the day they are founded."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from random import Random
from typing import Any, NamedTuple

from tools.sandbox.crm.cast import ACCOUNTS, AccountScene
from tools.sandbox.crm.vocabulary import CLOSED, FIELDS, band_of, segment_of
from tools.sandbox.phrases import FAMILY
from tools.sandbox.rows import Table

_ACCOUNTS = 120
_TRADES = ("Works", "Partners", "Foods", "Motors", "Textiles", "Media", "Tools", "Clinics")
_OUTLETS = ("Trade Weekly", "City Courier", "The Register Page")
_EVENTS = (
    "{name} hires a new head of purchasing.",
    "{name} lays off a tenth of its people.",
    "{name} takes over a supplier.",
    "{name} moves its headquarters to {country}.",
    "A company called {name} sponsors the town's marathon.",
)


class _Company(NamedTuple):
    account_id: str
    register_no: str
    name: str
    industry: str
    employees: int
    country: str
    website: str


def crm_rows(seed: int, as_of: datetime, _customers: int) -> Iterator[Table]:
    """The rows of all tables: ordinary accounts from the seed, and the cast; parents before children."""
    random = Random(seed)  # noqa: S311 - sample data, no secret
    companies = [_company(random, number) for number in range(_ACCOUNTS)]
    scenes = list(ACCOUNTS.values())
    yield Table(
        "crm_accounts",
        ("account_id", "name", "register_no", "status", "merged_into", "description"),
        [*_accounts(companies), *map(_account, scenes)],
    )
    yield Table(
        "crm_fields",
        ("account_id", "field", "value", "set_by", "set_at", "version"),
        [
            *((*row, at) for at, row in enumerate(_filled(random, as_of, companies), 1)),
            *(row for scene in scenes for row in _staged_fields(as_of, scene)),
        ],
    )
    yield Table(
        "crm_relations",
        ("relation_id", "account_id", "kind", "other_account_id", "stage", "since"),
        [*_relations(random, as_of, companies), *_staged_relations(as_of, scenes)],
    )
    yield Table(
        "firmographics",
        ("register_no", "legal_name", "industry", "employees", "country", "website", "about"),
        [*_register(companies), *(_listed(scene) for scene in scenes if scene.listed)],
    )
    yield Table(
        "company_news",
        ("item_id", "company_name", "outlet", "published_on", "body"),
        [*_news(random, as_of, companies), *_staged_news(as_of, scenes)],
    )


def _company(random: Random, number: int) -> _Company:
    name = f"{FAMILY[number % len(FAMILY)]} {_TRADES[number // len(FAMILY) % len(_TRADES)]}"
    return _Company(
        account_id=f"A-{10_001 + number}",
        register_no=f"HR-{100_001 + number}",
        name=name,
        industry=random.choice(CLOSED["industry"]),
        employees=int(10 ** random.uniform(0, 4)),
        country=random.choice(CLOSED["headquarters_country"]),
        website=f"www.company-{number}.example.org",
    )


def _accounts(companies: list[_Company]) -> Iterator[tuple[Any, ...]]:
    for number, company in enumerate(companies):
        status = {5: "closed", 9: "merged"}.get(number % 20, "active")
        into = companies[number - 1].account_id if status == "merged" else None
        yield company.account_id, company.name, company.register_no, status, into, "Met at a trade fair."


def _account(scene: AccountScene) -> tuple[Any, ...]:
    into = ACCOUNTS["clean"].account_id if scene.status == "merged" else None
    return scene.account_id, scene.name, scene.register_no, scene.status, into, scene.note


def _filled(random: Random, as_of: datetime, companies: list[_Company]) -> Iterator[tuple[Any, ...]]:
    for company in companies:
        size = band_of(company.employees)
        known = (company.industry, size, company.country, segment_of(size), company.website)
        for name, fitting in zip(FIELDS, known, strict=True):
            value = fitting if random.random() < 0.6 else None  # noqa: PLR2004 - most are filled
            by = "person:rhea" if random.random() < 0.3 else "import"  # noqa: PLR2004 - some by hand
            yield company.account_id, name, value, by, as_of - timedelta(days=random.uniform(5, 900))


def _staged_fields(as_of: datetime, scene: AccountScene) -> Iterator[tuple[Any, ...]]:
    for name in FIELDS:
        value, by, days = scene.fields.get(name, (None, "import", 400))
        yield scene.account_id, name, value, by, as_of - timedelta(days=days), scene.version(name)


def _relations(random: Random, as_of: datetime, companies: list[_Company]) -> Iterator[tuple[Any, ...]]:
    for number, company in enumerate(companies):
        if number % 2:
            kind, stage = random.choice(
                (
                    ("contract", "active"),
                    ("contract", "ended"),
                    ("opportunity", "open"),
                    ("opportunity", "lost"),
                )
            )
            yield (
                f"L-{10_001 + number}",
                company.account_id,
                kind,
                None,
                stage,
                _day(as_of, random.randint(9, 900)),
            )


def _staged_relations(as_of: datetime, scenes: list[AccountScene]) -> Iterator[tuple[Any, ...]]:
    for scene in scenes:
        since = _day(as_of, 500)
        if scene.contract:
            yield f"L-{90_000 + scene.number}", scene.account_id, "contract", None, "active", since
        if scene.parent_id:
            yield f"L-{90_000 + scene.number}", scene.account_id, "parent", scene.parent_id, "active", since


def _register(companies: list[_Company]) -> Iterator[tuple[Any, ...]]:
    for number, company in enumerate(companies):
        if number % 7:
            about = f"{company.name} is a {company.industry} company with {company.employees} employees."
            rest = (company.industry, company.employees, company.country, company.website)
            yield company.register_no, company.name, *rest, about


def _listed(scene: AccountScene) -> tuple[Any, ...]:
    rest = (scene.industry, scene.employees, scene.country, scene.website)
    return scene.register_no, scene.name, *rest, scene.says(scene.about)


def _news(random: Random, as_of: datetime, companies: list[_Company]) -> Iterator[tuple[Any, ...]]:
    for number in range(80):
        company = random.choice(companies)
        body = random.choice(_EVENTS).format(name=company.name, country=company.country)
        day = _day(as_of, random.randint(1, 300))
        yield f"N-{10_001 + number}", company.name, random.choice(_OUTLETS), day, body


def _staged_news(as_of: datetime, scenes: list[AccountScene]) -> Iterator[tuple[Any, ...]]:
    for scene in scenes:
        for turn, words in enumerate(scene.news):
            number = 90_000 + 10 * scene.number + turn
            yield f"N-{number}", scene.name, _OUTLETS[0], _day(as_of, 7), scene.says(words)


def _day(as_of: datetime, days: int) -> date:
    return (as_of - timedelta(days=days)).date()
