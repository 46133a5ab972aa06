"""What can be the matter with what a trigger reads; the reason is a code, and never quotes what was read."""


class TriggerTrouble(Exception):
    """A trigger cannot read what it watches; it is tried again later."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
