"""Looking: a step of the incident that reads its records anew, and says by them what comes next."""

from collections.abc import Callable
from dataclasses import dataclass

from langgraph.runtime import Runtime

from nodes.action import Proposal
from nodes.agent import AgentUncertain
from nodes.ask import Node
from nodes.context import Context
from nodes.records import Records
from nodes.retrieve import OutOfScope, remembered
from nodes.shapes import Json
from nodes.state import CaseState
from nodes.story import Story
from tools.contract import ToolError


@dataclass(frozen=True, kw_only=True, slots=True)
class Next:
    """What comes next: the outcome to route by, and the action or the reason that goes with it."""

    outcome: str
    proposal: Proposal | None = None
    result: Json | None = None


Look = Callable[[Records, CaseState, Context], Next]


def look(decide: Look) -> Node:
    """A node that decides by the records of now, in which is what the case has done since it last looked.

    Outcome `blocked` if they cannot be read, `uncertain` if a finding does not fit.
    """

    async def looked(state: CaseState, runtime: Runtime[Context]) -> CaseState:
        story, context = Story(runtime, "rule:look"), runtime.context
        context.memory.records = None
        try:
            found = decide(await remembered(context), state, context)
        except (ToolError, OutOfScope) as failure:
            reason = f"source_{failure.reason}" if isinstance(failure, ToolError) else "out_of_scope"
            return _stopped(story, "blocked", reason)
        except AgentUncertain as uncertain:
            return _stopped(story, "uncertain", uncertain.reason)
        update: CaseState = {"outcome": found.outcome, "step": story.step, "record": story.events}
        if found.proposal is not None:
            story.tell("action.proposed", actor=found.proposal.proposer, **found.proposal.to_json())
            update |= {"proposal": found.proposal.to_json(), "result": {}, "record": story.events}
        if found.result is not None:
            update["result"] = found.result
        return update

    return looked


def _stopped(story: Story, outcome: str, reason: str) -> CaseState:
    story.tell("context.refused", reason=reason)
    return {"outcome": outcome, "step": story.step, "result": {"reason": reason}, "record": story.events}
