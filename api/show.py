"""What the command line shows: tables for people, JSON for machines."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from graphs.record.telling import Section

console = Console()
errors = Console(stderr=True)

STYLES = {
    "closed": "green",
    "executed": "green",
    "approved": "cyan",
    "waiting_review": "yellow",
    "rejected": "magenta",
    "escalated": "dark_orange",
    "uncertain": "dark_orange",
    "blocked": "red",
    "failed": "red",
}


def say(text: str) -> None:
    """Print a line as it is, however narrow the terminal: what is in it is there to be copied."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def complain(text: str) -> None:
    """The same on standard error, in red."""
    errors.print(text, style="red", markup=False, highlight=False, soft_wrap=True)


def as_json(value: Any) -> None:
    """Print a value as JSON on standard output."""
    print(json.dumps(value, ensure_ascii=False, indent=2))  # noqa: T201 - what --json is for


def show_lines(
    found: list[dict[str, Any]], line: Callable[[dict[str, Any]], str], nothing: str, *, json: bool
) -> None:
    """Print a list, a line each or as JSON; `nothing` is said if it is empty."""
    if json:
        as_json(found)
        return
    for one in found:
        say(line(one))
    if not found:
        say(nothing)


def as_is(text: str) -> None:
    """Print a text for another program on standard output, tabs and brackets as they are."""
    print(text)  # noqa: T201 - what another program reads


def safe(value: Any) -> Text:
    """Text from outside: no markup, and control characters made visible."""
    text = "" if value is None else str(value)
    return Text("".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in text))


def money(amount_minor: int | None, currency: str | None) -> str:
    """An amount in major units."""
    from tools.money import Money

    if amount_minor is None or currency is None:
        return ""
    return str(Money(amount_minor=amount_minor, currency=currency))


def case_table(cases: list[dict[str, Any]]) -> Table:
    """Cases, one a row; the id is not broken even on 80 columns."""
    table = _table("Cases", "case", "what", "status, owner")
    for case in cases:
        status, reason, owner = _standing(case)
        table.add_row(case["id"], _lines(safe(case["title"]), reason), _lines(status, owner))
    return table


def progress_table(cases: list[dict[str, Any]]) -> Table:
    """Cases as they move, in the order they came, narrow enough for any terminal."""
    table = Table(header_style="bold")
    for name in ("case", "status", "reason", "owner"):
        table.add_column(name, no_wrap=True)
    for case in reversed(cases):
        table.add_row(safe(case["title"].removeprefix("Refund for ")), *_standing(case))
    return table


def _lines(*texts: Text) -> Text:
    return Text("\n").join(text for text in texts if text)


def _standing(case: dict[str, Any]) -> tuple[Text, Text, Text]:
    status = Text(case["status"], style=STYLES.get(case["status"], ""))
    return status, safe(case["reason"]), safe(case["owner"])


def review_table(reviews: list[dict[str, Any]]) -> Table:
    """Reviews, one a row."""
    table = _table("Waiting for people", "review", "what", "amount, roles")
    for review in reviews:
        amount = money(review["amount_minor"], review["currency"])
        roles = [safe(rung["role"]) for rung in review["ladder"]]
        due = datetime.fromisoformat(review["due_at"]).astimezone(UTC)
        what = _lines(safe(review["tool"]), Text(f"due {due:%Y-%m-%d %H:%M} UTC"))
        table.add_row(review["id"], what, _lines(safe(amount), *roles))
    return table


def notice_table(notices: list[dict[str, Any]]) -> Table:
    """Notices, one a row."""
    table = _table("Notices", "notice", "what, over which channel, to whom", "state")
    for notice in notices:
        way = f"{notice['channel']} to {notice['recipient']}"
        tried = f"{notice['state']}, tried {notice['attempts']}x"
        table.add_row(
            notice["id"], _lines(safe(notice["kind"]), safe(way)), _lines(safe(tried), safe(notice["error"]))
        )
    return table


def exception_table(exceptions: list[dict[str, Any]]) -> Table:
    """Exceptions, one a row: what happened, what was not done, what to do, and by whom."""
    table = _table("At a standstill", "exception", "what", "status, owner, age")
    for one in exceptions:
        status, reason, owner = _standing(one)
        said = [safe(one["says"][name]) for name in ("happened", "not_done", "to_do")]
        deeds = [safe(f"in doubt: {deed['tool']} {deed['key']}") for deed in one["in_doubt"]]
        age = Text(str(timedelta(seconds=one["age_seconds"])))
        what = _lines(safe(one["title"]), reason, *said, *deeds)
        table.add_row(one["id"], what, _lines(status, owner, age))
    return table


def finding_table(findings: list[dict[str, Any]]) -> Table:
    """What the doctor found, one a row."""
    table = _table("Stuck outside of a named state", "what", "which", "what to do")
    for one in findings:
        which = _lines(safe(one["subject"]), safe(one["says"]))
        table.add_row(one["fault"].replace("_", " "), which, safe(one["to_do"]))
    return table


def orphan_table(orphans: list[dict[str, Any]]) -> Table:
    """Cases that a version would orphan, one a row."""
    table = _table("Waiting in steps that this version lacks", "case", "where", "what to do")
    for one in orphans:
        waits = f"{one['workflow']}: {', '.join(one['lacks'])}"
        where = _lines(safe(waits), safe(f"{one['status']} since {one['since']}"))
        table.add_row(one["case_id"], where, safe(one["to_do"]))
    return table


def _table(title: str, *columns: str) -> Table:
    """A table for 80 columns whose first holds ids, which are never broken: they are there to be copied."""
    table = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for place, name in enumerate(columns):
        table.add_column(name, no_wrap=place == 0, overflow="fold")
    return table


def refund_table(refunds: list[dict[str, Any]]) -> Table:
    """Refunds as the payment system has them."""
    table = Table(title="Refunds in the payment system", title_justify="left", header_style="bold")
    for name in ("refund", "order", "customer", "amount"):
        table.add_column(name)
    for refund in refunds:
        amount = money(refund["amount_minor"], refund["currency"])
        table.add_row(refund["refund_id"], refund["order_id"], refund["customer_id"], amount)
    return table


def reply_table(replies: list[dict[str, Any]]) -> Table:
    """Answers as the help desk has them."""
    table = Table(title="Answers in the help desk", title_justify="left", header_style="bold")
    for name in ("answer", "ticket", "customer", "template"):
        table.add_column(name)
    for reply in replies:
        table.add_row(reply["reply_id"], reply["ticket_id"], reply["customer_id"], safe(reply["template"]))
    return table


def vendor_table(vendors: list[dict[str, Any]]) -> Table:
    """Vendors as the register has them."""
    table = Table(title="Vendors in the register", title_justify="left", header_style="bold")
    for name in ("vendor", "name", "country", "status"):
        table.add_column(name)
    for vendor in vendors:
        called = safe(vendor["legal_name"])
        table.add_row(vendor["vendor_id"], called, vendor["country"], vendor["status"])
    return table


def show_verdict(verdict: dict[str, Any]) -> None:
    """One verdict as a story: what was said, then every row with what it saw."""
    table = verdict["table"]
    console.print(f"[bold]{safe(verdict['tool'])}[/]: {verdict['outcome']} ({safe(verdict['reason'])})")
    say(f"  at the {verdict['stage']}, {verdict['at']}, by {table['name']} {table['version']}")
    say(f"  {safe(verdict['says'])} {safe(verdict['policy'])}".rstrip())
    for row in verdict["trace"]:
        saw = ", ".join(f"{name} = {value}" for name, value in row["saw"].items())
        mark = "matched" if row["matched"] else f"not: {row['failed']}"
        say(f"    {row['row']:<8} {mark}; saw {safe(saw)}")


def show_story(sections: "Sequence[Section]") -> None:
    """A case as a story, part by part."""
    for section in sections:
        console.print(safe(section.title), style="bold")
        lines = Table.grid(padding=(0, 1), pad_edge=True)
        lines.add_column(no_wrap=True, style="dim", min_width=9)
        lines.add_column(overflow="fold")
        for line in section.lines:
            lines.add_row(line.label, safe(line.words))
        console.print(lines)


def show_version(table: dict[str, Any]) -> None:
    """A version of a rule table: what it is, whose, and the digest that names it."""
    decided = f", decided by {table['decided_by']}" if table["decided_by"] else ""
    state = table["state"].replace("_", " ")
    say(f"{table['tool']} {safe(table['version'])}: {state}, drafted by {table['drafted_by']}{decided}")
    say(f"  {table['digest']}  {safe(table['note'])}")


def show_workflows(workflows: list[dict[str, Any]]) -> None:
    """Workflows, one after the other: what starts them, who looks, what they may do, and by which tables."""
    for one in workflows:
        console.print(f"[bold]{safe(one['name'])}[/]  {safe(one['event_type'])}", highlight=False)
        say(f"  agents: {', '.join(one['agents'])}")
        for tool, file in zip(one["tools"], one["tables"], strict=True):
            say(f"  {tool:<28} {file}")


def difference_table(cases: list[dict[str, Any]]) -> Table:
    """Recorded judgements that two tables see differently."""
    table = _table("Would be judged differently", "case", "before", "after")
    for case in cases:
        sides = [f"{case[side]['outcome']} {case[side]['row'] or 'default'}" for side in ("before", "after")]
        table.add_row(case["case"], *map(safe, sides))
    return table
