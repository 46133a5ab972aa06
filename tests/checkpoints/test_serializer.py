"""The serializer: nothing but JSON shapes goes in, and a row that names something to construct is refused."""

import json
import pickle
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import ormsgpack
import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import END, START, StateGraph
from langgraph.types import Interrupt, Send
from pydantic import BaseModel, SecretStr

from checkpoints.cases import Status
from checkpoints.places import GRAPH, VERSION
from checkpoints.serializer import ForeignValue, StrictSerializer
from nodes.state import CaseState
from tests.checkpoints.threads import kept, opened
from tests.house import LEE, House
from tools.sandbox.cast import CAST

CANARY = "canary-5b0d3f"
Craft = Callable[[Path], tuple[str, bytes]]

OPEN = JsonPlusSerializer(pickle_fallback=True, allowed_json_modules=True, allowed_msgpack_modules=True)
"""LangGraph's serializer, everything open: shows that a crafted row is live, and that a test can fail."""


def _packed(code: int, *content: Any) -> tuple[str, bytes]:
    return "msgpack", ormsgpack.packb(ormsgpack.Ext(code, ormsgpack.packb(content)))


class _Deed:
    """Something that makes a folder when it is unpickled."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return Path.mkdir, (self._place,)  # type: ignore[return-value] # what pickle takes


CRAFTED: dict[str, Craft] = {
    "a constructor of one argument": lambda place: _packed(0, "os", "mkdir", str(place)),
    "a constructor of arguments": lambda place: _packed(1, "os", "makedirs", [str(place)]),
    "a constructor of keywords": lambda place: _packed(2, "os", "makedirs", {"name": str(place)}),
    "an old pydantic model": lambda place: _packed(4, "os", "makedirs", {"name": str(place)}),
    "a pydantic model": lambda place: _packed(5, "os", "makedirs", {"name": str(place)}, "validate"),
    "one inside a list": lambda place: (
        "msgpack",
        ormsgpack.packb([1, {"two": ormsgpack.Ext(0, ormsgpack.packb(("os", "mkdir", str(place))))}]),
    ),
    "one inside a harmless one": lambda place: _packed(
        0, "uuid", "UUID", ormsgpack.Ext(0, ormsgpack.packb(("os", "mkdir", str(place))))
    ),
    "a JSON constructor": lambda place: (
        "json",
        json.dumps(
            {"lc": 2, "type": "constructor", "id": ["os", "makedirs"], "kwargs": {"name": str(place)}}
        ).encode(),
    ),
    "a pickle": lambda place: ("pickle", pickle.dumps(_Deed(place))),
}


@pytest.mark.parametrize("craft", CRAFTED.values(), ids=CRAFTED.keys())
def test_a_crafted_row_is_refused_and_does_nothing(craft: Craft, tmp_path: Path) -> None:
    with pytest.raises(ForeignValue):
        StrictSerializer().loads_typed(craft(tmp_path / "made"))

    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("craft", CRAFTED.values(), ids=CRAFTED.keys())
def test_the_same_row_acts_under_an_open_serializer(craft: Craft, tmp_path: Path) -> None:
    OPEN.loads_typed(craft(tmp_path / "made"))

    assert (tmp_path / "made").exists()


def test_a_method_named_by_a_row_is_not_called(tmp_path: Path) -> None:
    with pytest.raises(ForeignValue):
        StrictSerializer().loads_typed(_packed(3, "pathlib", "Path", str(tmp_path / "made"), "mkdir"))

    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("kind", ["bytes", "bytearray", "json", "pickle", "yaml", ""])
def test_no_other_kind_of_row_is_read(kind: str) -> None:
    with pytest.raises(ForeignValue):
        StrictSerializer().loads_typed((kind, b'{"a": 1}'))


class _Model(BaseModel):
    amount: int = 5


class _Colour(Enum):
    RED = 1


class _Word(StrEnum):
    READY = "ready"


class _Number(IntEnum):
    ONE = 1


@dataclass
class _Plain:
    amount: int = 5


class _Pair(NamedTuple):
    left: int = 1


class _Text(str):
    """A string that is more than a string."""

    __slots__ = ()


FOREIGN = [
    _Model(),
    SecretStr(CANARY),
    _Colour.RED,
    _Word.READY,
    _Number.ONE,
    _Plain(),
    _Pair(),
    _Text("ready"),
    OrderedDict(a=1),
    deque([1]),
    {1, 2},
    b"bytes",
    Decimal("1.5"),
    datetime.now(UTC),
    uuid.UUID(int=1),
    Path("/"),
    HumanMessage("hello"),
    print,
]


@pytest.mark.parametrize("value", FOREIGN, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize(
    "around",
    [
        lambda value: value,
        lambda value: [value],
        lambda value: {"key": {"key": [value]}},
        lambda value: Interrupt(value={"key": value}, id="i"),
        lambda value: Send("node", {"key": value}),
    ],
    ids=["bare", "in a list", "in a mapping", "in an interrupt", "in a send"],
)
def test_what_is_no_json_shape_is_not_written(value: Any, around: Callable[[Any], Any]) -> None:
    with pytest.raises(ForeignValue) as refusal:
        StrictSerializer().dumps_typed(around(value))

    assert CANARY not in str(refusal.value)


@pytest.mark.parametrize(
    "value", [datetime.now(UTC), Decimal("1.5"), uuid.UUID(int=1), {1}, HumanMessage("h")]
)
def test_a_harmless_type_in_a_row_is_refused_all_the_same(value: Any) -> None:
    with pytest.raises(ForeignValue):
        StrictSerializer().loads_typed(JsonPlusSerializer().dumps_typed(value))


@pytest.mark.parametrize(
    "value", [None, True, 0, -(2**53), 1.5, "", "żółć", [], {}, {"a": [1, {"b": None}]}, [["x"], {"y": 2.5}]]
)
def test_json_shapes_come_back_as_they_were(value: Any) -> None:
    strict = StrictSerializer()

    assert strict.loads_typed(strict.dumps_typed(value)) == value


def test_interrupts_and_sends_come_back_as_they_were() -> None:
    strict = StrictSerializer()

    for value in (Interrupt(value={"a": 1}, id="i"), Send("node", {"a": 1})):
        assert strict.loads_typed(strict.dumps_typed(value)) == value


def test_an_exception_is_kept_by_the_name_of_its_type_alone() -> None:
    strict = StrictSerializer()

    kind, stored = strict.dumps_typed(ValueError(f"the password is {CANARY}"))

    assert strict.loads_typed((kind, stored)) == "ValueError"
    assert CANARY.encode() not in stored


def test_an_exception_inside_a_value_is_not_written() -> None:
    with pytest.raises(ForeignValue):
        StrictSerializer().dumps_typed({"error": ValueError(CANARY)})


async def test_neither_a_secret_nor_an_exceptions_text_reaches_the_database(house: House) -> None:
    async def leak(state: CaseState) -> CaseState:
        if state["case"]["raise"]:
            raise RuntimeError(CANARY)
        return {"outcome": SecretStr(CANARY)}  # type: ignore[typeddict-item] # a mistake that types would catch

    graph = StateGraph(CaseState)
    graph.add_node("leak", leak)
    graph.add_edge(START, "leak")
    graph.add_edge("leak", END)
    async with opened(house) as thread:
        leaky = graph.compile(checkpointer=thread.saver)
        with pytest.raises(RuntimeError):
            await leaky.ainvoke({"case": {"raise": True}}, thread.config(), durability="sync")
        with pytest.raises(ForeignValue):
            await leaky.ainvoke({"case": {"raise": False}}, thread.config(), durability="sync")

    assert (await kept(house, "case-1")).writes > 0
    assert await _tables_with(house, CANARY) == []


async def _tables_with(house: House, needle: str) -> list[str]:
    """The checkpoint tables in which some column of some row holds this text."""
    found = []
    for table in ("checkpoints", "checkpoint_blobs", "checkpoint_writes"):
        rows = await house.rows(f"SELECT * FROM {table}")  # noqa: S608 - three fixed names
        found += [table for row in rows if needle in repr({k: _text(v) for k, v in row.items()})]
    return found


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


async def test_what_travels_beside_a_checkpoint_is_only_what_names_it(house: House) -> None:
    """F3: primitives of `configurable` are copied into metadata, so there is nothing in it to leak."""
    await house.after("clean_29_90_1")

    keys = {key for row in await house.rows("SELECT metadata FROM checkpoints") for key in row["metadata"]}

    assert keys <= {"source", "step", "parents", "run_id", GRAPH, VERSION}


@pytest.mark.parametrize("table", ["checkpoint_blobs", "checkpoint_writes"])
async def test_a_poisoned_thread_is_blocked_in_the_open_and_does_nothing(
    house: House, tmp_path: Path, table: str
) -> None:
    case = await house.after("clean_120_00_1")
    await house.vote(await house.review(case.id), LEE)
    kind, blob = CRAFTED["a constructor of one argument"](tmp_path / "made")
    await house.rows(f"UPDATE {table} SET type = %s, blob = %s WHERE thread_id = %s", kind, blob, case.id)  # noqa: S608 - two fixed names

    await house.work()

    case = await house.case(case.id)
    assert (case.status, case.reason, case.owner) == (Status.BLOCKED, "foreign_checkpoint", "operations")
    assert not (tmp_path / "made").exists()
    assert await house.refunds(CAST["clean_120_00_1"].order_id) == []
