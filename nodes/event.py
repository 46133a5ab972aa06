"""Events that cannot start a case."""


class EventRefused(Exception):
    """The event cannot start a case; nothing was started."""

    def __init__(self, reason: str, message: str, fields: tuple[dict[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.reason = reason
        self.fields = fields
