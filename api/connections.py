"""Connections: whoever opens one has a while to say what they want."""

import asyncio
from datetime import timedelta

from uvicorn.protocols.http.h11_impl import H11Protocol

PATIENCE = timedelta(seconds=30)
"""How long a request's head is waited for, and then its body; nobody needs that long for a mebibyte."""


class Impatient(H11Protocol):
    """Uvicorn's HTTP/1.1 that hangs up on whoever does not get to the end of a head in time.

    Uvicorn's own `timeout_keep_alive` ends what is idle after an answer, and that alone.
    """

    patience = PATIENCE
    _hanging_up: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Wait no longer once there is a request."""
        super().data_received(data)
        self._wait()

    def on_response_complete(self) -> None:
        """Begin to wait for the next head."""
        super().on_response_complete()
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        super().connection_lost(exc)
        self._stop_waiting()

    def _wait(self) -> None:
        answered = getattr(self.cycle, "response_complete", True)  # there is no cycle before a first head
        if not answered:
            self._stop_waiting()
        elif self._hanging_up is None and not self.transport.is_closing():
            self._hanging_up = self.loop.call_later(self.patience.total_seconds(), self.transport.close)

    def _stop_waiting(self) -> None:
        if self._hanging_up is not None:
            self._hanging_up.cancel()
            self._hanging_up = None
