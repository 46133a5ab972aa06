"""What a graph run is given: the collaborators of its nodes, handed over through LangGraph's Runtime."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from checkpoints.exceptions import SessionExceptions
from checkpoints.reviews import SessionReviews
from nodes.agent import Brain
from nodes.gateway import Gateway
from nodes.judge import Judge
from nodes.limits import Brakes
from nodes.records import Records
from nodes.sealing import Sealing
from nodes.shapes import Json
from nodes.workflow import Workflow
from tools.registry import Registry

Clock = Callable[[], datetime]
OpenCase = Callable[[str, str, Json], Awaitable[str]]
"""Opens a case below this one for an event, `(name within the case, event type, data)`; returns its id.

The same name again is the same case. Raises EventRefused.
"""


@dataclass(slots=True)
class Memory:
    """What a segment has read for its agents: in the process alone, never in the state."""

    records: Records | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """One segment of one case: everything a node may reach, and nothing else.

    Attributes:
        case: the case as its row has it; what the state says of the case counts for nothing.
    """

    case: Json
    workflow: Workflow
    registry: Registry
    judge: Judge
    gateway: Gateway
    reviews: SessionReviews
    exceptions: SessionExceptions
    brain: Brain
    sealing: Sealing
    brakes: Brakes
    clock: Clock
    open_case: OpenCase
    memory: Memory = field(default_factory=Memory)

    @property
    def case_id(self) -> str:
        """The case's id, which is its thread's too."""
        return str(self.case["id"])
