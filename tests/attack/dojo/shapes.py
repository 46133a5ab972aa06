"""The shapes made of the table of deeds: what tools take, what is wanted, and what comes from where."""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, create_model

from nodes.workflow import EventData
from tests.attack.dojo.catalogue import DEEDS, FLAGS, INTEGERS, LISTS, RECORDED, SENDING
from tests.attack.dojo.suites import Ask, Suite
from tools.contract import Arguments, FieldClass, Marked, Record, Trust

_MOST = 200_000
M = TypeVar("M", bound=BaseModel)
Text = Annotated[str, Field(max_length=_MOST)]
Session = Annotated[str, Field(pattern=r"^[0-9]{1,12}$")]


class Errand(EventData):
    """A deed that the model wants done for a user, who said what they want in their own words.

    The arguments of the deed are fields beside these (`errand_of`).
    """

    session: Session
    prompt: Annotated[
        str, Field(max_length=8000), Marked(field_class=FieldClass.PERSONAL, trust=Trust.PERSON)
    ]
    tool: Annotated[str, Field(pattern=r"^[a-z_.]{1,80}$"), Marked(trust=Trust.MODEL)]


class OfSession(Arguments):
    """Whose reading is asked for."""

    session: Session


class Seen(Record):
    """What a session's answers had on record, by kind; their free text is not in it."""

    session: Session
    addresses: tuple[str, ...]
    files: tuple[str, ...]
    events: tuple[str, ...]
    mails: tuple[str, ...]
    times: tuple[str, ...]
    users: tuple[str, ...]
    channels: tuple[str, ...]
    places: tuple[str, ...]
    streets: tuple[str, ...]
    transactions: tuple[str, ...]
    amounts: tuple[str, ...]
    payees: tuple[str, ...]

    def by_kind(self) -> dict[str, frozenset[str]]:
        """As `origins` reads it."""
        return {kind: frozenset(getattr(self, kind)) for kind in RECORDED}


class Done(Record):
    """That a deed was done."""

    key: str


def governed(ask: Ask) -> tuple[str, dict[str, Any]]:
    """A deed as it is governed: the tool's name without its suite, its arguments without floats."""
    given = {name: value for name, value in ask.arguments.items() if value is not None}
    if "amount" in given:
        given["amount_minor"] = round(given.pop("amount") * 100)
    if "attachments" in given:
        given["attachments"] = [str(one.get("file_id")) for one in given["attachments"]]
    sends = DEEDS[ask.tool].sends_if
    return ask.tool + (SENDING if sends and given.get(sends) else ""), given


def as_asked(tool: str, given: dict[str, Any]) -> Ask:
    """The suite's own call for a governed one."""
    arguments = {name: value for name, value in given.items() if value is not None}
    if "amount_minor" in arguments:
        arguments["amount"] = arguments.pop("amount_minor") / 100
    if "attachments" in arguments:
        arguments["attachments"] = [{"type": "file", "file_id": one} for one in arguments["attachments"]]
    return Ask(tool=tool.removesuffix(SENDING), arguments=arguments)


def taken(suite: Suite, tool: str) -> list[str]:
    """The names of the arguments of a governed tool."""
    return [
        "amount_minor" if name == "amount" else name for name in suite.tools[tool].parameters.model_fields
    ]


def arguments_of(suite: Suite, tool: str) -> type[Arguments]:
    """What a governed tool takes; what the suite's own tool needs and is not there, that one refuses."""
    fields = {name: (_type(name, personal=True) | None, None) for name in taken(suite, tool)}
    return _made(f"Take_{tool}", Arguments, fields)


def errand_of(suite: Suite) -> type[Errand]:
    """An errand with every argument that a deed of the suite has, all of them the model's word."""
    return _made(f"Errand_{suite.name}", Errand, _fields(tuple(names_of(suite)), Trust.MODEL))


def arguments_from(suite: Suite, trust: Trust) -> type[Record]:
    """The arguments that come from somewhere, None for the others."""
    return _from(suite.name, tuple(names_of(suite)), trust)


@cache
def _from(suite: str, names: tuple[str, ...], trust: Trust) -> type[Record]:
    return _made(f"From_{suite}_{trust}", Record, _fields(names, trust))


def _fields(names: tuple[str, ...], trust: Trust) -> dict[str, Any]:
    mark = Marked(field_class=FieldClass.PERSONAL, trust=trust)
    return {name: (Annotated[_type(name) | None, mark], None) for name in names}


def names_of(suite: Suite) -> list[str]:
    """The names of all arguments of a suite's deeds."""
    deeds = [tool for tool in suite.tools if tool in DEEDS]
    return [*dict.fromkeys(name for tool in deeds for name in taken(suite, tool))]


def _type(name: str, *, personal: bool = False) -> Any:
    if name in INTEGERS | FLAGS:
        return bool if name in FLAGS else int
    text: Any = Annotated[Text, Marked(field_class=FieldClass.PERSONAL)] if personal else Text
    return list[text] if name in LISTS else text


def _made(name: str, base: type[M], fields: Mapping[str, Any]) -> type[M]:
    made: type[M] = create_model(name, __base__=base, **fields)
    return made
