"""Propose: turn what an agent found into one action, by fixed code."""

from collections.abc import Callable

from langgraph.runtime import Runtime

from nodes.action import Proposal
from nodes.agent import AgentUncertain
from nodes.ask import Node
from nodes.context import Context
from nodes.state import CaseState
from nodes.story import Story
from tools.contract import ToolNotAdmitted


def propose(make: Callable[[CaseState, Context], Proposal]) -> Node:
    """A node that makes a proposal; outcome `ready`, or `uncertain` if `make` raises AgentUncertain.

    It is uncertain too if the tool is one from outside that nobody has admitted.
    """

    async def proposed(state: CaseState, runtime: Runtime[Context]) -> CaseState:
        story = Story(runtime, "rule:propose")
        try:
            proposal = make(state, runtime.context)
        except AgentUncertain as uncertain:
            story.tell("agent.uncertain", reason=uncertain.reason, message=str(uncertain))
            return {
                "outcome": "uncertain",
                "step": story.step,
                "result": {"reason": uncertain.reason},
                "record": story.events,
            }
        except ToolNotAdmitted as missing:
            story.tell("action.not_proposed", reason=missing.reason, message=str(missing))
            result = {"reason": missing.reason}
            return {"outcome": "uncertain", "step": story.step, "result": result, "record": story.events}
        story.tell("action.proposed", actor=proposal.proposer, **proposal.to_json())
        return {"proposal": proposal.to_json(), "outcome": "ready", "result": {}, "record": story.events}

    return proposed
