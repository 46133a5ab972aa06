"""What can be the matter with the memory; each class is named for the state of affairs."""

from typing import Any


class CheckpointsError(Exception):
    """Something about the memory is not as it must be."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class DatabaseUnusable(CheckpointsError):
    """The database cannot be used as it is."""


class DatabaseAway(CheckpointsError):
    """The database does not answer at the moment."""


class CaseNotFound(CheckpointsError):
    """There is no such case."""


class RuleTableNotFound(CheckpointsError):
    """There is no such rule table."""


class ReviewNotFound(CheckpointsError):
    """There is no such review."""


class ReviewAlreadyDecided(CheckpointsError):
    """Somebody has already decided this review."""


class DelegationNotFound(CheckpointsError):
    """There is no such delegation."""


class AlreadyVoted(CheckpointsError):
    """This person has already voted on this review."""


class StaleDigest(CheckpointsError):
    """The digest sent is not the digest of the action that is waiting."""


class ThreadIsBusy(CheckpointsError):
    """Another session holds this thread."""


class NoSeat(CheckpointsError):
    """As many cases of the workflow are worked on as may be at once."""


class TooEarly(CheckpointsError):
    """The command is not to be carried out yet."""


class GraphLacksStep(CheckpointsError):
    """The thread waits in a step that this worker's graph does not have: another worker may have it."""


class StaleHead(CheckpointsError):
    """The checkpoint's parent is not the head of its thread: somebody else went on."""


class GrantUnusable(CheckpointsError):
    """There is no unused, unexpired grant for exactly this action."""


class ExceptionNotFound(CheckpointsError):
    """There is no such exception."""


class ExceptionClosed(CheckpointsError):
    """This exception is over: somebody, or something, has found a way out of it already."""


class Halted(CheckpointsError):
    """This stands still until somebody releases it."""


class HaltNotFound(CheckpointsError):
    """There is no such halt."""


class LimitReached(CheckpointsError):
    """More than a limit allows.

    Attributes:
        reason: the limit's name, such as `limit_money`.
        per: over what it was counted.
        count: what it would have come to.
    """

    def __init__(self, reason: str, *, per: str, most: int, count: int) -> None:
        super().__init__(f"{reason}: {count} in a {per}, where {most} are the most")
        self.reason = reason
        self.per = per
        self.most = most
        self.count = count

    def to_json(self) -> dict[str, Any]:
        """As it is told."""
        return {"limit": self.reason, "per": str(self.per), "most": self.most, "count": self.count}


class ScheduleNotFound(CheckpointsError):
    """There is no such schedule."""


class ScheduleNameTaken(CheckpointsError):
    """There is a schedule of this name already."""


class DeliveryNotFound(CheckpointsError):
    """There is no such notice."""


class DeliveryNotDead(CheckpointsError):
    """Only a notice that was given up can be tried again."""


class UnknownCursor(CheckpointsError):
    """The cursor does not belong to this list."""


class EventNotFound(CheckpointsError):
    """There is no such event."""


class NotInTheTree(CheckpointsError):
    """The event is on the record but not in the tree yet; try again in a moment."""


class SizeUnfit(CheckpointsError):
    """The tree never had this size."""


class TreeDamaged(CheckpointsError):
    """The log is damaged: 'countersign verify' says where."""
