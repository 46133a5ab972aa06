"""What the terminal shows: text from outside is shown as it is, and does nothing."""

import json

import pytest
from rich.console import Console, RenderableType

from api.show import as_json, case_table, money, progress_table, refund_table, review_table, safe
from tests.api.door import Json

CASE: Json = {
    "id": "01a20a9c-58ed-73c9-92db-f4cb01f98f53",
    "title": "Refund for order O-900041",
    "status": "waiting_review",
    "reason": "several_payments",
    "owner": "support_lead",
}
REVIEW: Json = {
    "id": "3bfd1217-5397-54c3-bcd4-5333d2c1a70c",
    "tool": "payments.refund",
    "amount_minor": 12000,
    "currency": "EUR",
    "ladder": [{"role": "support_lead"}, {"role": "finance"}],
    "due_at": "2026-11-20T22:30:00+02:00",
}


def test_text_from_outside_neither_marks_up_nor_moves_the_cursor() -> None:
    hostile = "[red]done[/] \x1b[2J\r\n\u202egnp"
    assert safe(hostile).plain == "[red]done[/] \\u001b[2J\\u000d\\u000a\\u202egnp"
    assert safe(None).plain == ""
    shown = _rendered(case_table([CASE | {"title": "[red]done[/]\x1b[2J"}]))
    assert "[red]done[/]\\u001b[2J" in shown
    assert "\x1b" not in shown


def test_a_case_on_80_columns_keeps_its_id_title_and_status_on_one_line() -> None:
    lines = _rendered(case_table([CASE])).splitlines()
    assert " ".join(lines[2].split()) == f"{CASE['id']} {CASE['title']} {CASE['status']}"
    assert lines[3].split() == ["several_payments", "support_lead"]


def test_a_review_shows_the_amount_the_roles_and_when_it_is_due() -> None:
    lines = _rendered(review_table([REVIEW])).splitlines()
    assert lines[2].startswith(f"{REVIEW['id']}  payments.refund ")
    assert "120.00 EUR" in lines[2]
    assert "due 2026-11-20 20:30 UTC" in lines[3]
    assert [line.split()[-1] for line in lines[3:5]] == ["support_lead", "finance"]


def test_amounts_are_in_major_units_of_their_currency() -> None:
    assert [money(12000, "EUR"), money(3000, "JPY"), money(None, "EUR"), money(5, None)] == [
        "120.00 EUR",
        "3000 JPY",
        "",
        "",
    ]


def test_progress_is_shown_in_the_order_the_cases_came() -> None:
    newest, oldest = CASE | {"title": "Refund for order O-2"}, CASE | {"title": "Refund for order O-1"}
    shown = _rendered(progress_table([newest, oldest]))
    assert shown.index("order O-1") < shown.index("order O-2")


def test_refunds_are_shown_with_their_amounts() -> None:
    refund = {
        "refund_id": "R-1",
        "order_id": "O-1",
        "customer_id": "C-1",
        "amount_minor": 1,
        "currency": "EUR",
    }
    assert "0.01 EUR" in _rendered(refund_table([refund]))


def test_json_is_for_machines_whatever_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"title": "[red]ü[/] " + "x" * 500}
    as_json(value)
    assert json.loads(capsys.readouterr().out) == value


def _rendered(what: RenderableType) -> str:
    console = Console(width=80, force_terminal=False)
    with console.capture() as captured:
        console.print(what)
    return captured.get()
