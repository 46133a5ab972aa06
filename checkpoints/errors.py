"""What can be the matter with the memory; each class is named for the state of affairs."""


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


class StaleHead(CheckpointsError):
    """The checkpoint's parent is not the head of its thread: somebody else went on."""


class GrantUnusable(CheckpointsError):
    """There is no unused, unexpired grant for exactly this action."""


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
