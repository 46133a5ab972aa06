"""A decision record told as a story in plain words, for a terminal and for the head of a dossier."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from checkpoints.canonical import canonical
from checkpoints.sealing import TOKEN
from graphs.record.shapes import (
    DecisionRecord,
    Finding,
    ProposalRecord,
    ReviewRecord,
    VerdictRecord,
    VoteRecord,
)
from nodes.shapes import Json
from tools.money import Money

Opened = Callable[[str], Any]
"""What stands behind a token, or words that say why it is not shown."""

_ENDED = {
    "approve": "approved",
    "reject": "rejected",
    "override": "overrode",
    "break_glass": "broke the glass",
    "edit": "edited",
}
_MONEY = {"amount_minor", "currency"}
_MOMENT = {"at", "as_of"}
_ASIDE = {"confidence_percent", "evidence"}
_READING = {"context.retrieved"}
_SHORT = 12
_MOST = 160


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the story: what it is about, and the words."""

    label: str
    words: str


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the story under a title."""

    title: str
    lines: tuple[Line, ...]


def still_sealed(token: str) -> str:
    """What stands in the place of a value that is not opened: enough of its token to find it again."""
    return f"[sealed {token.removeprefix('sealed:')[:_SHORT]}]"


def story(record: DecisionRecord, opened: Opened = still_sealed) -> list[Section]:
    """The story of a case, section by section, from what was asked to what became of it."""
    title = record.asked.title if record.asked and record.asked.title else f"Case {record.case}"
    beginning = Section(title, tuple(_beginning(record, opened)))
    deeds = (Section(_deed(one), tuple(_proposal(one, opened))) for one in record.proposals)
    course = Section("On the way", tuple(_course(record, opened)))
    between = [course] if course.lines else []
    return [beginning, *deeds, *between, Section("Afterwards", tuple(_afterwards(record, opened)))]


def moment(at: datetime) -> str:
    """A time as people read it, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def plain(value: Any, opened: Opened = still_sealed) -> str:
    """A JSON value in words: money as an amount, tokens opened or named, anything else as JSON."""
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case str() if TOKEN.fullmatch(value):
            return plain(opened(value), opened=str)
        case str():
            return value
        case Mapping() if value.keys() == _MONEY and isinstance(value["amount_minor"], int):
            return str(Money.model_construct(**value))
        case Mapping() if value.keys() == _MOMENT:
            return str(value["at"])
        case Mapping():
            return pairs(value, opened)
        case list() | tuple():
            return ", ".join(plain(item, opened) for item in value) or "nothing"
        case _:
            return canonical(value).decode()


def pairs(values: Mapping[str, Any], opened: Opened = still_sealed) -> str:
    """Names and values on one line; an amount beside its currency as one."""
    if values.keys() >= _MONEY and isinstance(values["amount_minor"], int):
        rest = {name: value for name, value in values.items() if name not in _MONEY}
        values = {"amount": {name: values[name] for name in sorted(_MONEY)}} | rest
    return ", ".join(f"{name} {plain(value, opened)}" for name, value in values.items()) or "nothing"


def lasted(seconds: float) -> str:
    """How long something lasted, as people say it."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _cut(words: str) -> str:
    """Words that fit a line or two, whatever breaks they have; that something was left off is said."""
    words = " ".join(words.split())
    return words if len(words) <= _MOST else f"{words[:_MOST]}… ({len(words)} characters)"


def _beginning(record: DecisionRecord, opened: Opened) -> Iterator[Line]:
    yield Line("case", record.case)
    if record.asked is not None:
        asked = record.asked
        given = {name: value for name, value in asked.event.items() if value is not None}
        yield Line("asked", _cut(f"{moment(asked.at)} by {asked.by}: {pairs(given, opened)}"))
        if asked.parent is not None:
            yield Line("from", f"case {asked.parent}, which opened this one")
    for finding in record.findings:
        yield Line("agent", _cut(_said(finding, opened)))


def _said(finding: Finding, opened: Opened) -> str:
    if finding.uncertain is not None:
        return f"{finding.agent} came to no answer: {finding.uncertain}"
    sure = "" if finding.confidence_percent is None else f", {finding.confidence_percent} % sure"
    output = {name: value for name, value in finding.output.items() if name not in _ASIDE}
    return f"{finding.agent} ({finding.brain}{sure}): {pairs(output, opened)}"


def _deed(proposal: ProposalRecord) -> str:
    revision = "" if proposal.revision in {None, 1} else f", revision {proposal.revision}"
    came = {"edited": "edited by", "revised": "judged anew by"}.get(proposal.came_by, "proposed by")
    return f"{proposal.tool}{revision}, {came} {proposal.by}"


def _proposal(proposal: ProposalRecord, opened: Opened) -> Iterator[Line]:
    arguments = proposal.action.get("arguments", {})
    if arguments:
        yield Line("exactly", _cut(pairs(arguments, opened)))
    if proposal.changes:
        yield Line("changed", _cut("; ".join(_change(one, opened) for one in proposal.changes)))
    if proposal.verdicts:
        yield from _verdict(proposal.verdicts[0], opened)
    for review in proposal.reviews:
        yield from _review(review, opened)
    yield from _done(proposal, opened)


def _change(change: Json, opened: Opened) -> str:
    before, after = (plain(change.get(side), opened) for side in ("before", "after"))
    return f"{change.get('field')} from {before} to {after}"


def _verdict(verdict: VerdictRecord, opened: Opened) -> Iterator[Line]:
    row = f"row {verdict.row}" if verdict.row else "the default"
    by = f"{verdict.table.get('name')} {verdict.table.get('version')}"
    yield Line("rules", f"{verdict.outcome} ({verdict.reason}) by {row} of {by}")
    yield Line("because", " ".join(filter(None, (verdict.says, verdict.policy))))
    saw: Json = next((row["saw"] for row in verdict.trace if row["matched"]), {})
    if saw:
        yield Line("on", pairs(saw, opened))


def _review(review: ReviewRecord, opened: Opened) -> Iterator[Line]:
    asked = ", ".join(str(rung.get("role")) for rung in review.ladder) or "people"
    when = "afterwards, " if review.kind == "afterwards" else ""
    yield Line("review", f"{when}{asked} asked {moment(review.opened_at)}: {review.status}")
    for vote in review.votes:
        yield Line("signed", _cut(_vote(vote, opened)))


def _vote(vote: VoteRecord, opened: Opened) -> str:
    whose = f" for {vote.on_behalf_of}" if vote.on_behalf_of else ""
    role = f" as {vote.role}" if vote.role else ""
    after = ", never opened" if vote.seconds_open is None else f" after {lasted(vote.seconds_open)}"
    why = f", {vote.reason_code}" if vote.reason_code else ""
    words = f': "{plain(vote.comment, opened)}"' if vote.comment else ""
    return f"{_ENDED.get(vote.kind, vote.kind)} by {vote.person}{whose}{role}{after}{why}{words}"


def _done(proposal: ProposalRecord, opened: Opened) -> Iterator[Line]:
    for end in proposal.ends:
        if end.end != "done":
            yield Line("gateway", f"{end.end}: {end.reason}")
    effect, grant = proposal.effect, proposal.grant
    if grant is not None and effect is None:
        yield Line("grant", f"{grant.id}, never used")
    if effect is None:
        return
    tried = "once" if effect.attempts == 1 else f"{effect.attempts} times"
    at = moment(effect.ended_at or effect.intended_at)
    error = f" ({effect.error})" if effect.error else ""
    yield Line("ran", f"{effect.state}{error} {at}, called {tried}, key {effect.key}")
    if effect.receipt:
        new = {name: told for name, told in effect.receipt.items() if effect.arguments.get(name) != told}
        yield Line("receipt", _cut(pairs(new, opened)))
    if effect.undo is not None:
        undo = effect.undo
        done = f"; undone {moment(undo.done_at)} by {undo.done_by}" if undo.done_at else ""
        yield Line("undo", f"by {undo.tool} until {moment(undo.until)}{done}")


def _course(record: DecisionRecord, opened: Opened) -> Iterator[Line]:
    for act in record.course:
        if act.kind not in _READING:
            what = act.kind.replace(".", " ").replace("_", " ")
            told = {name: value for name, value in act.data.items() if value is not None}
            words = f"{what} by {act.by}" + (f": {pairs(told, opened)}" if told else "")
            yield Line(f"{act.at.astimezone(UTC):%m-%d %H:%M}", _cut(words))


def _afterwards(record: DecisionRecord, opened: Opened) -> Iterator[Line]:
    for denial in record.denials:
        yield Line("denied", f"{denial.kind} {denial.why} by {denial.by} {moment(denial.at)}")
    if record.ended is not None:
        why = f" ({record.ended.reason})" if record.ended.reason else ""
        owner = f", now with {record.ended.owner}" if record.ended.owner else ""
        yield Line("ended", f"{record.ended.status}{why}{owner} {moment(record.ended.at)}")
    for outcome in record.outcomes:
        note = f': "{plain(outcome.note, opened)}"' if outcome.note else ""
        yield Line("later", f"{outcome.code}, seen {moment(outcome.observed_at)} by {outcome.by}{note}")
    for act in record.personal:
        fields = "everything" if act.fields is None else ", ".join(act.fields)
        yield Line(act.kind.removeprefix("personal."), _cut(f"{fields} by {act.by}: {act.why}"))
