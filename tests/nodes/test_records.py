"""Records: whose they are, what is behind a reference, and what of them a role may see."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, get_args, get_origin

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from graphs.refund import KIT
from graphs.refund.records import RefundRequest, RefundTarget
from nodes.marks import MASK, mark_of, masked
from nodes.reader import Reader
from nodes.records import UnresolvedReference, View, as_evidence, reference, trust_of
from nodes.undoing import Deed
from nodes.workflow import Workflow
from tests.seals import a_seal
from tools.contract import Arguments, FieldClass, Marked, Record, Trust
from tools.registry import Registry
from tools.sandbox.customers import Customer
from tools.sandbox.fraud import FraudSignals
from tools.sandbox.orders import Order
from tools.sandbox.payments import CustomerRefunds, OrderPayments
from tools.sandbox.tickets import Ticket

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine is shared
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PERSONAL = Marked(field_class=FieldClass.PERSONAL)
SECRET = Marked(field_class=FieldClass.SECRET)


class Mood(StrEnum):
    GLAD = "glad"


class Card(Record):
    """A record inside another, with a field of each class."""

    brand: Annotated[str, Marked(field_class=FieldClass.PUBLIC)] = "canary:card.brand"
    number: Annotated[str, PERSONAL] = "canary:card.number"
    code: Annotated[str, SECRET] = "canary:card.code"
    kept: str = "canary:card.kept"


class Guest(Record):
    """A record with a field of each class, and with records inside it."""

    room: Annotated[str, Marked(field_class=FieldClass.PUBLIC)] = "canary:guest.room"
    floor: str = "canary:guest.floor"
    name: Annotated[str, PERSONAL] = "canary:guest.name"
    key: Annotated[str, SECRET] = "canary:guest.key"
    card: Card = Card()
    cards: tuple[Card, ...] = (Card(), Card())
    shown: Annotated[list[Card], PERSONAL] = [Card()]  # noqa: RUF012 - pydantic copies defaults
    spare: Card | None = Card()
    came_at: datetime = NOW
    mood: Mood = Mood.GLAD


RECORDS: Mapping[str, BaseModel] = {"guest": Guest(), "other": Guest()}
PATHS = [f"{record}.{name}" for record in RECORDS for name in Guest.model_fields]
NESTED = {"card", "cards", "shown", "spare"}


def canaries(value: Any) -> set[str]:
    """Every canary that can be found in what a role receives."""
    return set(re.findall(r"canary:[a-z0-9_.]+", json.dumps(value)))


# --- masking ----------------------------------------------------------------------------------------------


def test_a_role_sees_the_fields_it_lists_and_no_other() -> None:
    view = View(fields=("guest.room", "guest.floor"))

    assert view.of(RECORDS) == {"guest": {"room": "canary:guest.room", "floor": "canary:guest.floor"}}


def test_a_personal_field_is_masked_unless_it_is_listed_as_clear() -> None:
    assert View(fields=("guest.name",)).of(RECORDS) == {"guest": {"name": MASK}}
    clear = View(fields=("guest.name",), clear=frozenset({"guest.name"}))
    assert clear.of(RECORDS) == {"guest": {"name": "canary:guest.name"}}


def test_a_field_that_is_clear_in_one_record_is_masked_in_another() -> None:
    view = View(fields=("guest.name", "other.name"), clear=frozenset({"other.name"}))

    assert view.of(RECORDS) == {"guest": {"name": MASK}, "other": {"name": "canary:guest.name"}}


def test_being_clear_does_not_make_a_field_listed() -> None:
    assert View(fields=("guest.room",), clear=frozenset({"guest.name"})).of(RECORDS) == {
        "guest": {"room": "canary:guest.room"}
    }


def test_a_secret_field_is_masked_even_if_it_is_listed_as_clear() -> None:
    view = View(fields=("guest.key",), clear=frozenset({"guest.key"}))

    assert view.of(RECORDS) == {"guest": {"key": MASK}}


@pytest.mark.parametrize("name", sorted(NESTED - {"shown"}))
def test_personal_and_secret_fields_of_records_inside_are_masked(name: str) -> None:
    seen = View(fields=(f"guest.{name}",)).of(RECORDS)["guest"][name]
    card = seen[0] if isinstance(seen, list) else seen

    assert card == {"brand": "canary:card.brand", "number": MASK, "code": MASK, "kept": "canary:card.kept"}


def test_a_clear_list_of_records_still_masks_what_is_inside_them() -> None:
    view = View(fields=("guest.shown",), clear=frozenset({"guest.shown"}))

    assert canaries(view.of(RECORDS)) == {"canary:card.brand", "canary:card.kept"}


@pytest.mark.parametrize(
    "path", ["nobody.name", "guest.nothing", "guest", "guest.", ".name", "guest.card.number", ""]
)
def test_what_is_listed_and_not_there_is_not_shown(path: str) -> None:
    assert View(fields=(path,), clear=frozenset({path})).of(RECORDS) == {}


def test_times_and_words_are_json() -> None:
    seen = View(fields=("guest.came_at", "guest.mood")).of(RECORDS)

    assert seen == {"guest": {"came_at": "2026-11-20T12:00:00+00:00", "mood": "glad"}}
    assert [type(value) for value in seen["guest"].values()] == [str, str]


@UNHURRIED
@given(st.sets(st.sampled_from(PATHS)), st.sets(st.sampled_from(PATHS)))
def test_no_canary_leaves_the_fields_that_are_clear(fields: set[str], clear: set[str]) -> None:
    seen = View(fields=tuple(sorted(fields)), clear=frozenset(clear)).of(RECORDS)

    assert canaries(seen) == set().union(*(visible(path, clear) for path in fields))


def visible(path: str, clear: set[str]) -> set[str]:
    """The canaries that a listed field may show; said a second time, from the classes as written above."""
    name = path.partition(".")[2]
    if name in {"name", "shown"} and path not in clear:
        return set()
    if name in NESTED:
        return {"canary:card.brand", "canary:card.kept"}
    return {f"canary:guest.{name}"} if name in {"room", "floor", "name"} else set()


class Loose(Record):
    """Marks that stand inside a type and not on the field."""

    maybe: Annotated[str, PERSONAL] | None = "canary:maybe"
    many: list[Annotated[str, PERSONAL]] = ["canary:many"]  # noqa: RUF012 - pydantic copies defaults


@pytest.mark.parametrize("name", sorted(Loose.model_fields))
def test_a_mark_inside_a_type_masks_too(name: str) -> None:
    assert canaries(View(fields=(f"loose.{name}",)).of({"loose": Loose()})) == set()


# --- the refund's own records and roles -------------------------------------------------------------------

REFUND_RECORDS: dict[str, type[BaseModel]] = {
    "event": RefundRequest,
    "ticket": Ticket,
    "order": Order,
    "customer": Customer,
    "payments": OrderPayments,
    "fraud": FraudSignals,
    "history": CustomerRefunds,
    "target": RefundTarget,
    "deed": Deed,
}


def full_of_canaries(model: type[BaseModel], path: str) -> BaseModel:
    """A record in which every field, also of the records inside it, holds its own path."""
    values = {name: _canary(field.annotation, f"{path}.{name}") for name, field in model.model_fields.items()}
    return model.model_construct(**values)


def _canary(annotation: Any, path: str) -> Any:
    for part in _parts(annotation):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return (full_of_canaries(part, path),)
    return f"canary:{path}"


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


def sensitive(model: type[BaseModel], path: str) -> Iterator[str]:
    """The paths of all personal and secret fields, also of the records inside."""
    for name, field in model.model_fields.items():
        if mark_of(model, name).field_class in {FieldClass.PERSONAL, FieldClass.SECRET}:
            yield f"{path}.{name}"
        for part in _parts(field.annotation):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from sensitive(part, f"{path}.{name}")


def sensitive_paths() -> set[str]:
    return {path for name, model in REFUND_RECORDS.items() for path in sensitive(model, name)}


def views() -> list[Any]:
    workflow = KIT.workflow()
    agents = [pytest.param(role.view, id=name) for name, role in workflow.agents.items()]
    return [*agents, pytest.param(workflow.reviewer_view, id="reviewer")]


def test_the_refunds_sensitive_fields_are_known() -> None:
    assert sensitive_paths() == {
        "ticket.subject",
        "ticket.body",
        "ticket.replies.body",
        "customer.name",
        "customer.email",
        "payments.payments.card_last4",
    }


@pytest.mark.parametrize("view", views())
def test_no_role_of_the_refund_sees_a_canary_that_is_not_clear_to_it(view: View) -> None:
    records = {name: full_of_canaries(model, name) for name, model in REFUND_RECORDS.items()}

    seen = canaries(view.of(records))

    assert {path for path in sensitive_paths() if f"canary:{path}" in seen} == view.clear & sensitive_paths()
    listed = tuple(view.fields)
    assert [one for one in seen if not one.removeprefix("canary:").startswith(listed)] == []


@pytest.mark.parametrize("view", views())
def test_every_field_that_a_role_of_the_refund_lists_is_there(view: View) -> None:
    fields = {f"{name}.{field}" for name, model in REFUND_RECORDS.items() for field in model.model_fields}

    assert set(view.fields) <= fields
    assert view.clear <= set(view.fields)


@pytest.mark.parametrize("model", REFUND_RECORDS.values(), ids=REFUND_RECORDS)
def test_every_mark_stands_where_it_is_read(model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        inside = [part for part in _parts(field.annotation) if get_origin(part) is Annotated]
        assert not [m for part in inside for m in part.__metadata__ if isinstance(m, Marked)], name


def untrusted_fields(records: Mapping[str, BaseModel]) -> list[str]:
    """The paths of all fields that hold free text from outside."""
    paths = [f"{name}.{field}" for name, record in records.items() for field in type(record).model_fields]
    return [path for path in paths if trust_of(records, path) is Trust.UNTRUSTED]


def test_the_free_text_of_the_refund_is_untrusted() -> None:
    records = {name: full_of_canaries(model, name) for name, model in REFUND_RECORDS.items()}

    assert set(untrusted_fields(records)) == {"ticket.subject", "ticket.body", "customer.name"}


# --- references -------------------------------------------------------------------------------------------


def test_a_reference_is_the_value_behind_it() -> None:
    assert reference(RECORDS, "guest.name") == "canary:guest.name"
    assert reference(RECORDS, "guest.card") == Card()


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "guest",
        "guest.",
        ".name",
        "nobody.name",
        "guest.nothing",
        "guest.card.number",
        "guest.__class__",
        "guest.model_fields",
        "guest.model_dump",
        "guest.__dict__",
        " guest.name",
        "guest.name ",
        "GUEST.name",
        "guest..name",
    ],
)
def test_a_reference_to_nothing_leads_nowhere(path: str) -> None:
    with pytest.raises(UnresolvedReference):
        reference(RECORDS, path)


@UNHURRIED
@given(st.text())
def test_no_text_is_a_reference_by_accident(path: str) -> None:
    with pytest.raises(UnresolvedReference):
        reference(RECORDS, path)


class Letter(Record):
    """A record of which somebody outside wrote a part."""

    sender_id: str
    text: Annotated[str, Marked(trust=Trust.UNTRUSTED)]


def test_a_reference_is_trusted_as_its_field_is() -> None:
    records = {"letter": Letter(sender_id="C-1", text="Hello")}

    assert trust_of(records, "letter.sender_id") is Trust.RECORD
    assert trust_of(records, "letter.text") is Trust.UNTRUSTED
    assert untrusted_fields(records) == ["letter.text"]


def test_evidence_is_the_whole_record_with_commitments_for_what_is_personal() -> None:
    seal = a_seal()
    assert as_evidence("card", Card(), seal) == {
        "brand": "canary:card.brand",
        "number": seal.token("card.number", "canary:card.number", keep=False),
        "code": MASK,
        "kept": "canary:card.kept",
    }
    assert seal.waiting == {}


@UNHURRIED
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_what_is_no_record_is_shown_as_it_is(value: Any) -> None:
    assert masked(value) == value


# --- scope ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Scoped:
    """The refund's judge, with records made by hand."""

    customer_id: str = "C-1"
    order_of: str = "C-1"
    ticket_of: str = "C-1"

    def records(self) -> dict[str, BaseModel]:
        return {
            "event": RefundRequest.model_construct(customer_id=self.customer_id),
            "order": Order.model_construct(customer_id=self.order_of),
            "ticket": Ticket.model_construct(customer_id=self.ticket_of),
        }

    def strangers(self, workflow: Workflow | None = None) -> list[str]:
        reader = Reader(
            workflow=workflow or _OF_TWO,
            registry=Registry([]),
            read=_unread,
            sealing=a_seal(),
            clock=lambda: NOW,
        )
        return reader.out_of_scope(self.records())


_OF_TWO = replace(
    KIT.workflow(),
    sources=tuple(source for source in KIT.sources if source.name in {"order", "ticket"}),
    scope=(("order.customer_id", "event.customer_id"), ("ticket.customer_id", "event.customer_id")),
)


async def _unread(tool: str, _arguments: Arguments) -> Record:
    raise AssertionError(f"{tool} is read, and nothing should be")


def test_records_of_one_customer_are_in_scope() -> None:
    assert Scoped().strangers() == []


@pytest.mark.parametrize(
    ("scoped", "strangers"),
    [
        (Scoped(order_of="C-2"), ["order.customer_id is not event.customer_id"]),
        (Scoped(ticket_of="C-2"), ["ticket.customer_id is not event.customer_id"]),
        (
            Scoped(customer_id="C-2"),
            ["order.customer_id is not event.customer_id", "ticket.customer_id is not event.customer_id"],
        ),
        (Scoped(order_of="c-1"), ["order.customer_id is not event.customer_id"]),
        (Scoped(order_of="C-1 "), ["order.customer_id is not event.customer_id"]),
    ],
)
def test_records_of_somebody_else_are_out_of_scope(scoped: Scoped, strangers: list[str]) -> None:
    assert scoped.strangers() == strangers


def test_a_scope_that_leads_nowhere_is_never_in_scope() -> None:
    stray = ("order.buyer_id", "event.customer_id")
    workflow = replace(_OF_TWO, scope=(stray, *_OF_TWO.scope))

    with pytest.raises(UnresolvedReference):
        Scoped().strangers(workflow)
