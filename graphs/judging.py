"""Judging: a workflow's judge on a session, and the case as it is given to it, for segments and previews."""

from checkpoints.case_events import SessionFindings
from checkpoints.cases import Case
from checkpoints.effects import SessionLedger
from checkpoints.reviews import SessionReviews
from checkpoints.session import Session
from graphs.wiring import Parts
from nodes.judge import Decided, Judge
from nodes.sealing import Sealing
from nodes.shapes import Json
from nodes.workflow import Workflow
from tools.contract import Arguments, Record


def judge_on(
    parts: Parts, workflow: Workflow, session: Session, sealing: Sealing, decided: Decided | None = None
) -> Judge:
    """A judge that reads records through the registry, and the past through the session."""

    async def read(tool: str, arguments: Arguments) -> Record:
        return await parts.registry.read(parts.capability, tool, arguments)

    ledger = SessionLedger(session)
    return Judge(
        workflow=workflow,
        registry=parts.registry,
        read=read,
        deeds=ledger.deeds_by,
        effect=ledger.effect,
        found=SessionFindings(session).of,
        sealing=sealing,
        decided=decided or SessionReviews(session).decision,
        clock=parts.clock,
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
