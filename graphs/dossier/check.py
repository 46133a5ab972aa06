"""What holds of a dossier by itself: commitments, digests, votes and grants. It knows no database.

That the events are in the log, and that the log is signed, is for the proofs beside them. Neither can say
that no event of the case was left out: that takes the whole log.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from checkpoints.canonical import NotCanonical, digest
from checkpoints.event import Event
from checkpoints.sealing import commitment
from checkpoints.votes import APPROVING, DECIDING, VoteKind
from graphs.dossier.shapes import Dossier, DossierUnfit, OpenedValue
from graphs.record.decision_record import RecordUnfit, decision_record
from graphs.record.shapes import DecisionRecord, GrantRecord, ProposalRecord, ReviewRecord
from nodes.judge import VERDICTS

_SIGNING = APPROVING | {VoteKind.EDIT}


def content_faults(dossier: Dossier) -> list[str]:
    """What is wrong with what a dossier says, and where; empty if nothing is."""
    try:
        events = dossier.told
        record = decision_record(dossier.case, events)
    except (DossierUnfit, RecordUnfit) as unfit:
        return [str(unfit)]
    return [
        *_event_faults(dossier, events),
        *_opening_faults(dossier),
        *_shown_faults(dossier, record),
        *_action_faults(dossier, events),
        *(fault for proposal in record.proposals for fault in _proposal_faults(proposal)),
        *_deed_faults(record, events),
    ]


def _event_faults(dossier: Dossier, events: Sequence[Event]) -> Iterator[str]:
    known: set[str] = set()
    for place, (entry, event) in enumerate(zip(dossier.events, events, strict=True)):
        where = f"event {place} ({event.kind})"
        if event.case_id != dossier.case:
            yield f"{where} is of another case"
        if event.id in known:
            yield f"{where} is there twice"
        if event.to_json() != entry.event.model_dump():
            yield f"{where} tells its time in another form than it was hashed in"
        known.add(event.id)


def _opening_faults(dossier: Dossier) -> Iterator[str]:
    known: set[str] = set()
    stated = dossier.tokens
    for one in dossier.openings or ():
        if one.token in known:
            yield f"{one.token} is opened twice"
        if one.token not in stated:
            yield f"{one.token} ({one.field}) stands nowhere in the dossier"
        if not _holds(one):
            yield f"the value of {one.field} is not the one that {one.token} commits to"
        known.add(one.token)


def _holds(one: OpenedValue) -> bool:
    """Whether a value and its salt are those that were committed to; an erased one has neither."""
    if one.erased_at is not None:
        return one.salt is None and one.value is None
    try:
        return one.salt is not None and f"sealed:{commitment(one.salt, one.value)}" == one.token
    except ValueError:  # the salt is no hex, or the value has no canonical form
        return False


def _shown_faults(dossier: Dossier, record: DecisionRecord) -> Iterator[str]:
    reviews = {review.id: review for proposal in record.proposals for review in proposal.reviews}
    for name in sorted(reviews.keys() ^ dossier.shown.keys()):
        yield f"review {name} is {'not opened in the events' if name in dossier.shown else 'not shown'}"
    for name in sorted(reviews.keys() & dossier.shown.keys()):
        review, told = reviews[name], _digest(dossier.shown[name])
        if review.shown != told:
            yield f"what review {name} is said to have shown is not what it showed"
        if any(view.shown != told or view.digest != review.digest for view in review.views):
            yield f"somebody saw review {name} as it never was"


def _action_faults(dossier: Dossier, events: Sequence[Event]) -> Iterator[str]:
    for place, event in enumerate(events):
        action = event.data.get("action") if event.kind in VERDICTS else None
        if not action:
            continue
        if _digest(action) != event.data["digest"]:
            yield f"event {place} ({event.kind}): the digest is not that of the action"
        if (action.get("case"), action.get("proposal")) != (dossier.case, event.data["proposal"]):
            yield f"event {place} ({event.kind}): the action is of another case or proposal"


def _digest(document: Any) -> str | None:
    try:
        return digest(document)
    except NotCanonical:
        return None


def _proposal_faults(proposal: ProposalRecord) -> Iterator[str]:
    judged = {verdict.digest for verdict in proposal.verdicts}
    for review in proposal.reviews:
        if review.digest not in judged:
            yield f"review {review.id} showed another action than was judged"
        for vote in review.votes:
            if vote.digest != review.digest and vote.kind in DECIDING | _SIGNING:
                yield f"vote {vote.id} of {vote.person} is on another action than review {review.id} showed"
    if proposal.grant is not None:
        yield from _grant_faults(proposal, proposal.grant)


def _grant_faults(proposal: ProposalRecord, grant: GrantRecord) -> Iterator[str]:
    where, effect = f"grant {grant.id}", proposal.effect
    used, expires = grant.used_at, grant.expires_at
    if used is not None and expires is not None and used >= expires:
        yield f"{where} was used after it had expired"
    review = next((one for one in proposal.reviews if one.id == grant.review), None)
    if grant.review is None:
        rule = proposal.verdicts[-1]
        if effect is not None and (rule.outcome, rule.row) != ("allow", grant.basis.get("row")):
            yield f"{where} was given by a rule that did not allow it"
    elif review is None or review.status != "approved":
        yield f"{where} was given by a review that did not approve it"
    else:
        yield from _signature_faults(where, proposal, grant, review)


def _signature_faults(
    where: str, proposal: ProposalRecord, grant: GrantRecord, review: ReviewRecord
) -> Iterator[str]:
    signed = {(vote.id, vote.person) for vote in review.votes if vote.kind in APPROVING}
    people = {(one.get("vote"), one.get("person")) for one in grant.basis.get("people", ())}
    if not people or people != signed:
        yield f"{where} names other signatures than the votes on review {review.id}"
    if proposal.effect is not None and proposal.effect.digest != review.digest:
        yield f"{where} was used for another action than was signed"


def _deed_faults(record: DecisionRecord, events: Sequence[Event]) -> Iterator[str]:
    intents: set[str] = set()
    grants: set[str] = set()
    for place, event in enumerate(events):
        where = f"event {place} ({event.kind})"
        if event.kind == "effect.intended":
            if event.data["grant"] in grants:
                yield f"{where}: grant {event.data['grant']} was used before"
            if event.data["key"] in intents:
                yield f"{where}: {event.data['key']} was begun before"
            grants.add(event.data["grant"])
            intents.add(event.data["key"])
        elif event.kind.startswith("effect.") and event.data.get("key") not in intents:
            yield f"{where}: {event.data.get('key')} was never begun"
    for outcome in record.outcomes:
        if outcome.effect is not None and outcome.effect not in intents:
            yield f"the outcome {outcome.code} speaks of a deed that was never begun"
