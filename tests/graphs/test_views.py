"""What people see in a notebook: complete, in plain words, and with nothing in it that could run."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from checkpoints.cases import Case, Status
from checkpoints.effects import EffectRow, EffectState
from checkpoints.event import Event
from checkpoints.reviews import Review, ReviewStatus
from graphs.flow import Flow
from graphs.markup import visible
from graphs.record.decision_record import decision_record
from graphs.refund import KIT, graph
from graphs.views.cases import CaseView, StoryView, TimelineView
from graphs.views.picture import Picture, Step, mermaid
from graphs.views.reviews import DifferenceView, ReviewView
from graphs.views.rules import TableView, VerdictView, consequence
from graphs.views.sheet import Sheet
from nodes.retrieve import retrieve
from nodes.rules import Against, Consequence, Outcome, RuleTable, Rung

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOSTILE = (
    "<script>alert(1)</script>",
    "</td></table></div><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "<svg/onload=alert(1)>",
    "</text></svg><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "<iframe src=javascript:alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "<!--<img src=--><img src=x onerror=alert(1)//>",
    "<![CDATA[<script>alert(1)</script>]]>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "{{ 7*7 }}{% include 'x' %}",
    "\x3cscript\x3ealert(1)",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "ab\x1b[31mred\x07\x00",
    "evil\u202etxt.exe\u200b\u2066",
    "one\nstatus: approved",
)
"""What somebody may write into any field."""
OURS = {"div", "style", "h3", "h4", "table", "tr", "th", "td", "p"} | {
    "svg",
    "rect",
    "defs",
    "marker",
    "path",
    "text",
}


class Read(HTMLParser):
    """The elements, attributes and texts of a page, as a browser would find them."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a declaration: {data}")


def case(words: str) -> Case:
    return Case(
        id=words,
        workflow=words,
        workflow_version=words,
        event_source="/shop",
        event_id="1",
        event={},
        rules={},
        title=words,
        opened_by="service:shop",
        status=Status.BLOCKED,
        reason=words,
        owner=words,
        sealing_key="",
        created_at=NOW,
        updated_at=NOW,
    )


def effect(words: str) -> EffectRow:
    return EffectRow(
        key=words,
        case_id="c",
        grant_id="g",
        proposer=words,
        tool=words,
        tool_version="1",
        arguments={words: words, "list": [words, {words: words}]},
        digest="d",
        state=EffectState.DONE,
        receipt={"body": words},
        intended_at=NOW,
    )


def review(words: str) -> Review:
    return Review(
        id="r",
        case_id="c",
        workflow="refund",
        interrupt_id="i",
        tool=words,
        rule=words,
        title=words,
        action={},
        digest=words,
        shown={},
        ladder=[{"role": words}],
        roles=[words],
        risk=words,
        reversible=True,
        against=None,
        amount_minor=None,
        currency=None,
        status=ReviewStatus.OPEN,
        opened_at=NOW,
        due_at=NOW,
        due_seconds=1,
        due_working=False,
        remind_at=None,
        expires_at=None,
    )


def verdict(words: str) -> dict[str, object]:
    row = {"row": words, "matched": False, "failed": words, "saw": {words: words}}
    return {
        "outcome": words,
        "reason": words,
        "says": words,
        "policy": words,
        "row": words,
        "ladder": [words],
        "owner": words,
        "trace": [row, row | {"matched": True}],
    }


def table(words: str) -> RuleTable:
    (source,) = (one for one in KIT.tables() if one.file == "reply.yaml")
    shipped = source.load()
    (row,) = shipped.rows
    says = replace(row.when[0], says=words)
    then = replace(row.then, reason=words, owner=words, above=(words,))
    return replace(
        shipped,
        name=words,
        version=words,
        tool=words,
        rows=(replace(row, says=words, when=(says,), then=then),),
    )


def sheets(words: str) -> Iterator[Sheet]:
    """Every sheet, with these words wherever there can be any."""
    told = {"tool": words, "reason": words, "why": words, "verdict": verdict(words)}
    events = (Event(id="e", case_id="c", kind=words, actor=words, at=NOW, data=told),)
    asked = {
        "source": words,
        "id": words,
        "type": words,
        "workflow": words,
        "title": words,
        "event": {words: words},
    }
    received = Event(id="f", case_id="c", kind="event.received", actor=words, at=NOW, data=asked)
    shown = {
        "verdict": verdict(words),
        "reversibility": words,
        "flags": [{"field": words, "flags": [words]}],
        "recommendation": {words: {"brain": words, "output": {words: words}}},
        "evidence": {words: {words: [words]}},
    }
    seen = {
        "action": {"arguments": {words: words, "body": words}},
        "shown": shown,
        "votes": [{"person": words, "kind": words, "comment": words}],
    }
    fact = {"value": words, "source": words, "trust": words}
    yield CaseView(case(words), (effect(words),))
    yield TimelineView(events)
    yield StoryView(decision_record(words, [received]))
    yield TableView(table(words))
    yield VerdictView({"proposed_tool": words, "verdict": verdict(words), "facts": {words: fact}})
    yield ReviewView(review(words), seen, words)
    yield DifferenceView(({"field": words, "before": words, "after": words},), verdict(words), words)


@pytest.mark.parametrize("words", HOSTILE)
def test_no_text_becomes_markup_whoever_wrote_it(words: str) -> None:
    for sheet, plain in zip(sheets(words), sheets("plain"), strict=True):
        page, as_usual = Read(sheet._repr_html_()), Read(plain._repr_html_())

        assert page.elements == as_usual.elements, type(sheet).__name__
        assert page.attributes == as_usual.attributes <= {"class"}
        assert set(page.elements) <= OURS
        assert any(visible(words, kept="\n\t") in text for text in page.texts), type(sheet).__name__


@pytest.mark.parametrize("words", HOSTILE)
def test_no_text_breaks_out_of_its_line_where_there_is_no_html(words: str) -> None:
    for sheet, plain in zip(sheets(words), sheets("plain"), strict=True):
        assert len(repr(sheet).splitlines()) == len(repr(plain).splitlines()), type(sheet).__name__
        assert all(letter.isprintable() or letter == "\n" for letter in repr(sheet))


@pytest.mark.parametrize("words", HOSTILE)
def test_the_name_of_a_step_becomes_no_markup_either(words: str) -> None:
    name = words.replace("\x00", "") or "x"

    page = Read(picture_of(name)._repr_html_())

    assert page.elements == Read(picture_of("plain")._repr_html_()).elements
    assert set(page.elements) <= OURS
    assert not {name for name in page.attributes if name.startswith("on") or name in {"href", "src"}}


def picture_of(name: str) -> Picture:
    return Picture((Step(name, name, "#ffffff", (), (name,)),), (name,))


def test_a_picture_tells_each_step_what_it_is_and_where_it_leads() -> None:
    picture = Picture.of(graph())

    steps = {step.name: step for step in picture.steps}
    assert [
        (name, steps[name].kind) for name in ("retrieve", "triage", "propose", "judge", "gate", "refund")
    ] == [
        ("retrieve", "records"),
        ("triage", "agent"),
        ("propose", "proposal"),
        ("judge", "rules"),
        ("gate", "people"),
        ("refund", "deed"),
    ]
    assert (steps["gate"].to, steps["gate"].exits) == (("judge", "refund"), ("blocked", "rejected"))
    assert picture.retried == ("settle_refund", "settle_reply")
    assert "by a retry: settle_refund, settle_reply" in repr(picture)


def test_every_edge_between_steps_is_drawn_once() -> None:
    picture = Picture.of(graph())

    straight = sum(below for _, _, below in picture.boxes)
    assert straight + len(list(picture.jumps)) == sum(len(step.to) for step in picture.steps)
    assert picture._repr_html_().count("marker-end") == straight + len(list(picture.jumps))


def test_a_flow_under_construction_can_be_drawn() -> None:
    flow = Flow()
    flow.step("look", retrieve, {"ready": "closed"})

    assert [step.name for step in Picture.of(flow.built()).steps] == ["look"]


def test_mermaid_names_every_step() -> None:
    text = mermaid(graph())
    assert all(f"({step.name})" in text for step in Picture.of(graph()).steps)


def test_a_consequence_is_told_in_a_line() -> None:
    rungs = (Rung(role="lead"), Rung(role="finance", people=2, stage=1), Rung(role="legal", stage=1))
    then = Consequence(
        outcome=Outcome.REVIEW, reason="large", rungs=rungs, above=("head",), against=Against.POLICY
    )

    assert consequence(then) == (
        "review (large), by lead, then 2 finance and legal, above them head, within 8 h, against the policy"
    )
    assert consequence(Consequence(outcome=Outcome.REFUSE, reason="late")) == "refuse (late)"


def test_windows_are_told_above_the_rows() -> None:
    (source,) = (one for one in KIT.tables() if one.file == "rules.yaml")

    assert "window_total: sum of amount per customer over 24 h" in repr(TableView(source.load()))
