"""Contexts: what a segment's nodes may reach, put together on the segment's session."""

from functools import partial

from checkpoints.cases import Case
from checkpoints.effects import SessionLedger
from checkpoints.exceptions import SessionExceptions
from checkpoints.halts import SessionHalts
from checkpoints.reviews import SessionReviews
from checkpoints.session import Session
from checkpoints.usage import SessionUsage
from graphs.connectors import doing
from graphs.intake import CloudEvent, Intake
from graphs.judging import case_state, judge_on
from graphs.wiring import Parts
from nodes.calling import Calling
from nodes.context import Context
from nodes.gateway import Gateway
from nodes.limits import Brakes
from nodes.permissions import principal_of
from nodes.shapes import Json
from nodes.signers import Signers
from nodes.workflow import Workflow


def context_on(parts: Parts, case: Case, workflow: Workflow, session: Session) -> Context:
    """The context of a segment of this case, all of it on the segment's session."""
    reviews = SessionReviews(session)
    sealing = session.seal(case.id, case.sealing_key, parts.clock)
    judge = judge_on(parts, workflow, session, sealing)
    ledger = SessionLedger(session)
    calling = Calling(
        workflow=workflow,
        registry=parts.registry,
        capability=parts.capability,
        ledger=ledger,
        sealing=sealing,
        clock=parts.clock,
        persistence=doing(parts.sleep, parts.chance),
    )
    gateway = Gateway(
        judge=judge,
        registry=parts.registry,
        capability=parts.capability,
        ledger=ledger,
        reviews=reviews,
        signers=Signers(directory=parts.people, reviews=reviews, clock=parts.clock),
        calling=calling,
        clock=parts.clock,
        ids=parts.ids,
    )
    return Context(
        case=case_state(case),
        workflow=workflow,
        registry=parts.registry,
        judge=judge,
        gateway=gateway,
        reviews=reviews,
        exceptions=SessionExceptions(session),
        brain=parts.meter.counting(parts.brain),
        sealing=sealing,
        brakes=Brakes(
            case_id=case.id,
            workflow=workflow.name,
            limits=workflow.limits,
            usage=SessionUsage(session),
            halts=SessionHalts(session),
            clock=parts.clock,
        ),
        clock=parts.clock,
        open_case=partial(_open_below, parts, case),
    )


async def _open_below(parts: Parts, case: Case, name: str, event_type: str, data: Json) -> str:
    """Open a case below this one, for whoever asked for this one; raises EventRefused."""
    event = CloudEvent(
        id=f"{case.id}/{name}", source=f"/cases/{case.id}", type=event_type, data=data, parent=case.id
    )
    below, _ = await Intake(parts).receive(event, principal_of(case.opened_by))
    return below.id
