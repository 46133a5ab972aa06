"""What others say of a company: a register that the sales team buys, and the news. Both are read only."""

from datetime import date
from typing import Annotated

from pydantic import Field

from tools.contract import Arguments, Call, Effect, FieldClass, Marked, Record, Tool, Trust
from tools.sandbox.database import Sandbox, many, one

RegisterNo = Annotated[str, Field(pattern=r"^HR-[0-9]{6}$", max_length=9)]
Published = Annotated[str, Marked(field_class=FieldClass.PUBLIC, trust=Trust.UNTRUSTED)]
"""What a company tells everybody of itself."""
Articles = Annotated[tuple[str, ...], Marked(field_class=FieldClass.PERSONAL, trust=Trust.UNTRUSTED)]
"""Words about anybody."""
_MOST_NEWS = 10


class Firmographics(Record):
    """What the register knows of a company; of one that it does not know, nothing but the number.

    Attributes:
        about: the words of the company's own website.
    """

    register_no: str
    legal_name: str | None = None
    industry: str | None = None
    employees: int | None = None
    country: str | None = None
    website: str | None = None
    about: Published = ""


class NewsItem(Record):
    """Where and when something was published; its words are in `CompanyNews.texts`."""

    item_id: str
    outlet: str
    published_on: date


class CompanyNews(Record):
    """What was published about companies of a name: not all of it need be about the same company."""

    company_name: str
    items: tuple[NewsItem, ...]
    texts: Articles


class GetFirmographics(Arguments):
    """Which company, by its number in the register."""

    register_no: RegisterNo


class SearchNews(Arguments):
    """Which name to look for."""

    company_name: Annotated[str, Field(pattern=r"^[^\x00]+$", min_length=1, max_length=200)]


class _Article(NewsItem):
    body: str


_COMPANY = "SELECT {columns} FROM firmographics WHERE register_no = %s"
_NEWS = """
    SELECT {columns} FROM company_news WHERE company_name = %s ORDER BY published_on DESC, item_id LIMIT %s
"""


def sources_tools(sandbox: Sandbox) -> tuple[Tool, ...]:
    """The tools of the register and of the news."""

    async def company(arguments: GetFirmographics, _call: Call) -> Firmographics:
        async with sandbox.reading() as connection:
            known = await one(connection, Firmographics, _COMPANY, arguments.register_no)
        return known or Firmographics(register_no=arguments.register_no)

    async def news(arguments: SearchNews, _call: Call) -> CompanyNews:
        async with sandbox.reading() as connection:
            found = await many(connection, _Article, _NEWS, arguments.company_name, _MOST_NEWS)
        return CompanyNews(
            company_name=arguments.company_name,
            items=tuple(NewsItem.model_validate(item.model_dump(exclude={"body"})) for item in found),
            texts=tuple(item.body for item in found),
        )

    return (
        Tool(
            name="firmographics.get",
            version="1",
            purpose="Get what the register of companies knows of one: industry, size, country, website.",
            effect=Effect.READ,
            arguments=GetFirmographics,
            result=Firmographics,
            perform=company,
            idempotent=True,
        ),
        Tool(
            name="news.search",
            version="1",
            purpose="Get the newest articles about companies of a name.",
            effect=Effect.READ,
            arguments=SearchNews,
            result=CompanyNews,
            perform=news,
            idempotent=True,
        ),
    )
