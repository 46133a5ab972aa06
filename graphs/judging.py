"""Judging: a workflow's reader, its judge on a session, and the case as it is given to them."""

from checkpoints.case_events import SessionFindings
from checkpoints.cases import Case
from checkpoints.effects import SessionLedger
from checkpoints.reviews import SessionReviews
from checkpoints.session import Session
from graphs.wiring import Parts
from nodes.judge import Judge
from nodes.reader import Reader
from nodes.sealing import Sealing
from nodes.shapes import Json
from nodes.workflow import Workflow
from tools.contract import Arguments, Record


def reader_of(parts: Parts, workflow: Workflow, sealing: Sealing) -> Reader:
    """A reader of records, through the registry."""

    async def read(tool: str, arguments: Arguments) -> Record:
        return await parts.registry.read(parts.capability, tool, arguments)

    return Reader(workflow=workflow, registry=parts.registry, read=read, sealing=sealing, clock=parts.clock)


def judge_on(parts: Parts, workflow: Workflow, session: Session, sealing: Sealing) -> Judge:
    """A judge that reads records through the registry, and the past through the session."""
    ledger = SessionLedger(session)
    return Judge(
        reader=reader_of(parts, workflow, sealing),
        deeds=ledger.deeds_by,
        effect=ledger.effect,
        found=SessionFindings(session).of,
        decided=SessionReviews(session).decision,
    )


def case_state(case: Case) -> Json:
    """The case as nodes and judge are given it: never what the state says of it."""
    return {
        "id": case.id,
        "workflow": case.workflow,
        "version": case.workflow_version,
        "title": case.title,
        "opened_by": case.opened_by,
        "event": case.event,
        **({"parent": case.parent_id} if case.parent_id else {}),
        **({"rollback": case.rollback} if case.rollback else {}),
    }
