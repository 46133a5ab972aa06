"""Log lines: one a line whatever is in them, and no word of an exception's."""

import json
import logging
import sys
from collections.abc import Callable
from typing import Any

import pytest

from api.logs import Lines, told
from graphs.at_work import on_case

CANARY = "canary-4711 jane@example.org"


def line(message: str, *values: object, error: BaseException | None = None) -> str:
    info = None if error is None else (type(error), error, error.__traceback__)
    record = logging.LogRecord("graphs.runner", logging.ERROR, __file__, 1, message, values, info)
    return Lines().format(record)


def raised(deed: Callable[[], Any]) -> BaseException:
    with pytest.raises((LookupError, ValueError)) as caught:
        deed()
    return caught.value


def test_a_line_is_one_json_object() -> None:
    said = json.loads(line("case %s failed", "c-1"))

    assert (said["level"], said["from"], said["says"]) == ("error", "graphs.runner", "case c-1 failed")


@pytest.mark.parametrize("text", ["a\nb", "a\r\nERROR forged", "\x1b[31mred", "a\u2028b", "\u202e"])
def test_nothing_in_a_message_starts_a_line_or_colours_it(text: str) -> None:
    written = line("heard %s", text)

    assert written.isprintable()
    assert json.loads(written)["says"] == f"heard {text}"


def test_an_exception_is_told_by_type_and_place_and_never_by_its_words() -> None:
    def fails() -> None:
        raise LookupError(CANARY)

    written = line("it failed", error=raised(fails))

    assert CANARY not in written
    (only,) = json.loads(written)["error"]
    assert only["type"] == "builtins.LookupError"
    assert only["at"][-1].startswith("tests/api/test_logs.py:")


def test_what_an_exception_came_from_is_told_the_same_way() -> None:
    def fails() -> None:
        try:
            json.loads(CANARY)
        except ValueError as error:
            raise LookupError(CANARY) from error

    chain = told(raised(fails))

    assert [one["type"] for one in chain] == ["builtins.LookupError", "json.decoder.JSONDecodeError"]
    assert CANARY not in json.dumps(chain)


def test_of_several_exceptions_at_once_each_is_told() -> None:
    group = ExceptionGroup(CANARY, [LookupError(CANARY), ValueError(CANARY)])

    chain = told(group)

    kinds = [one["type"] for one in chain]
    assert kinds == ["builtins.ExceptionGroup", "builtins.LookupError", "builtins.ValueError"]
    assert CANARY not in json.dumps(chain)


def test_no_line_says_where_the_project_lies_on_this_machine() -> None:
    def fails() -> None:
        json.loads("{")

    written = line("it failed", error=raised(fails))

    assert sys.prefix not in written
    assert "json/decoder.py" in written


def test_a_line_names_the_case_that_is_worked_on_and_only_then() -> None:
    with on_case("c-1"):
        during = json.loads(line("the database is away"))
    after = json.loads(line("the database is away"))

    assert (during["case"], "case" in after) == ("c-1", False)
