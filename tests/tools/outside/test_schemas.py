"""Models from JSON schemas: strict, bounded, and refused where they are not understood."""

import json
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from nodes.marks import mark_of
from tools.contract import FieldClass, Trust
from tools.outside.schemas import Marking, SchemaUnfit, answer_of, arguments_of, on_the_wire

ORDER = {
    "type": "object",
    "title": "Order",
    "properties": {
        "sku": {"type": "string", "pattern": "^S-[0-9]+$"},
        "quantity": {"type": "integer", "minimum": 1, "maximum": 100},
        "price": {"type": "number", "exclusiveMinimum": 0},
        "urgent": {"type": "boolean", "default": False},
        "kind": {"enum": ["new", "again"]},
        "note": {"anyOf": [{"type": "string", "maxLength": 5}, {"type": "null"}]},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
        "to": {"$ref": "#/$defs/Place"},
    },
    "required": ["sku", "quantity"],
    "additionalProperties": True,
    "$defs": {"Place": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}},
}
FINE = {"sku": "S-1", "quantity": 2}


def made(schema: dict[str, Any], **marking: frozenset[str]) -> Any:
    return arguments_of("Made", schema, Marking(**marking))


def of(part: Any) -> Any:
    return made({"type": "object", "properties": {"x": part}})


def test_arguments_that_fit_go_out_as_they_are_and_what_is_not_given_is_left_out() -> None:
    model = made(ORDER)
    given = FINE | {"price": "9.90", "kind": "again", "tags": ["a"], "to": {"city": "Berlin"}}

    assert on_the_wire(model.model_validate(FINE)) == FINE
    wire = on_the_wire(model.model_validate(given))
    assert wire == given | {"price": 9.9}
    assert on_the_wire(model.model_validate_json(json.dumps(given))) == wire


def test_a_number_is_signed_exactly() -> None:
    signed = made(ORDER).model_validate(FINE | {"price": 0.1}).model_dump(mode="json")

    assert signed["price"] == "0.1"
    assert on_the_wire(made(ORDER).model_validate(FINE | {"price": Decimal(3)}))["price"] == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"more": 1},
        {"sku": "x"},
        {"sku": None},
        {"quantity": True},
        {"quantity": "2"},
        {"quantity": 0},
        {"quantity": 101},
        {"price": True},
        {"price": 0},
        {"price": float("nan")},
        {"price": "Infinity"},
        {"price": "1e400"},
        {"urgent": 1},
        {"kind": "other"},
        {"note": "longer"},
        {"tags": ["a", "b", "c"]},
        {"tags": "a"},
        {"to": {}},
        {"to": {"city": "B", "more": 1}},
    ],
)
def test_arguments_that_do_not_fit_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        made(ORDER).model_validate(FINE | wrong)
    with pytest.raises(ValidationError):
        made(ORDER).model_validate_json(json.dumps(FINE | wrong))


def test_text_has_an_end_also_where_the_schema_has_none() -> None:
    with pytest.raises(ValidationError):
        of({"type": "string"}).model_validate({"x": "a" * 10_001})
    with pytest.raises(ValidationError):
        of({"type": "integer"}).model_validate({"x": 2**53})


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ({}, "nothing says what it is"),
        ({"type": "string", "contentEncoding": "base64"}, "'contentEncoding' is not understood"),
        ({"type": "string", "format": "regex"}, "format"),
        ({"type": "string", "pattern": "(?=a)"}, "no model can be made of it: SchemaError"),
        ({"type": "string", "pattern": "a" * 301}, "pattern"),
        ({"type": "string", "maxLength": -1}, "maxLength"),
        ({"type": "integer", "multipleOf": 5}, "'multipleOf'"),
        ({"type": "integer", "minimum": 0.5}, "not whole"),
        ({"type": "integer", "exclusiveMinimum": True}, "bounds are no numbers"),
        ({"type": "array"}, "nothing says what its items are"),
        ({"type": "array", "items": [{"type": "string"}]}, "it is no schema"),
        ({"type": "array", "items": {"type": "string"}, "contains": {}}, "'contains'"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "names of its fields are not known"),
        ({"type": "object", "patternProperties": {}}, "'patternProperties'"),
        ({"type": "object", "required": ["a"]}, "required and not described"),
        ({"type": ["string", "integer"]}, "nothing says what it is"),
        ({"type": ["null", "null"]}, "nothing says what it is"),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, "one thing or another"),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, "one thing or another"),
        ({"not": {"type": "string"}}, "nothing says what it is"),
        ({"type": "string", "if": {}}, "'if'"),
        ({"enum": []}, "values"),
        ({"enum": [1.5]}, "values"),
        ({"enum": [True]}, "values"),
        ({"enum": [{"a": 1}]}, "values"),
        ({"$ref": "http://169.254.169.254/latest"}, "outside of the document"),
        ({"$ref": "other.json#/a"}, "outside of the document"),
        ({"$ref": "#/$defs/nothing"}, "it is no schema"),
        ({"$ref": "#/properties/x"}, "its references lead nowhere"),
        ({"$ref": "#/properties/x", "type": "string"}, "changes it"),
        (True, "it is no schema"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_place(part: Any, why: str) -> None:
    with pytest.raises(SchemaUnfit, match=why.replace("$", r"\$")):
        of(part)


@pytest.mark.parametrize(
    "name", ["user-id", "_hidden", "__class__", "model_dump", "copy", "json", "", "a" * 65, "a b", "naïve"]
)
def test_a_field_that_cannot_be_called_that_is_refused(name: str) -> None:
    with pytest.raises(SchemaUnfit, match="cannot be called that"):
        made({"type": "object", "properties": {name: {"type": "string"}}})


@pytest.mark.parametrize("schema", [{}, {"type": "string"}, {"type": "array", "items": {"type": "string"}}])
def test_arguments_are_an_object(schema: dict[str, Any]) -> None:
    with pytest.raises(SchemaUnfit, match="no object"):
        made(schema)


def test_a_schema_that_grows_without_end_is_refused_in_no_time() -> None:
    doubling = {
        f"d{n}": {
            "type": "object",
            "properties": {side: {"$ref": f"#/$defs/d{n + 1}"} for side in ("left", "right")},
        }
        for n in range(40)
    }
    itself = {"type": "object", "properties": {"next": {"$ref": "#"}, "again": {"$ref": "#/$defs/d0"}}}
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(900):
        deep = {"type": "object", "properties": {"x": deep}}
    wide = {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(500)}}
    for bomb in (itself | {"$defs": doubling}, doubling["d0"] | {"$defs": doubling}, deep, wide):
        with pytest.raises(SchemaUnfit):
            made(bomb)


def test_what_is_answered_is_untrusted_and_text_is_personal_unless_somebody_says_otherwise() -> None:
    model = answer_of("Answer", ORDER, Marking(open=frozenset({"sku"}), records=frozenset({"quantity"})))
    marks = {name: mark_of(model, name) for name in model.model_fields}

    assert {name for name, mark in marks.items() if mark.trust is Trust.RECORD} == {"quantity"}
    assert {mark.trust for name, mark in marks.items() if name != "quantity"} == {Trust.UNTRUSTED}
    personal = {name for name, mark in marks.items() if mark.field_class is FieldClass.PERSONAL}
    assert personal == {"note", "tags"}


def test_an_answer_may_say_more_than_it_declared_and_nobody_sees_it() -> None:
    model = answer_of("Answer", ORDER, Marking())
    answer = model.model_validate(FINE | {"secret": "x", "price": 1.5})

    assert "secret" not in answer.model_dump()
    assert answer.model_dump(mode="json")["price"] == "1.5"
    with pytest.raises(ValidationError):
        model.model_validate({"sku": "S-1"})
