"""A message is harmless, whatever is in it."""

import pytest

from tests.tools.notices.messages import HOSTILE, MESSAGE, about
from tools.notices.message import LONGEST_LINE, visible


def test_plain_words_stay_as_they_are() -> None:
    assert visible("Refund für order O-1, 120.00 EUR 日本") == "Refund für order O-1, 120.00 EUR 日本"
    assert MESSAGE.text.splitlines()[0] == "Case: c-1"


@pytest.mark.parametrize("title", HOSTILE)
def test_a_title_is_one_printable_line(title: str) -> None:
    message = about(title)

    assert message.subject.isprintable()
    assert len(message.text.splitlines()) == len(message.facts)
    assert message.text.replace("\n", "").isprintable()


def test_what_cannot_be_seen_is_shown() -> None:
    assert visible("a\u202eb") == "a\\u202eb"
    assert visible("a\r\nb") == "a\\u000d\\u000ab"
    assert visible("\u200b\x00") == "\\u200b\\u0000"


def test_what_is_too_long_is_cut_and_says_so() -> None:
    assert visible("x" * LONGEST_LINE) == "x" * LONGEST_LINE
    assert visible("x" * (LONGEST_LINE + 1)) == "x" * LONGEST_LINE + "… (cut)"
