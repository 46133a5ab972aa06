"""The post: sends traces to LangSmith from a thread of its own, and rather loses them than holds work up."""

import logging
import threading
from collections import deque
from collections.abc import Callable

from langsmith import Client
from langsmith.schemas import LangSmithInfo
from langsmith.utils import LangSmithRetry, LangSmithUserError

from graphs.settings import Tracing
from nodes.shapes import Json

logger = logging.getLogger(__name__)

MOST_WAITING = 200
"""Traces in memory that wait to be sent; those that come when it is full are lost."""

_AT_ONCE = 20
_TIMEOUT_MILLISECONDS = (3_000, 10_000)


class TracingUnfit(Exception):
    """The environment does not say clearly where traces go."""


class Post:
    """A bounded queue, one thread that empties it, and LangSmith's client.

    The client's own queue is not used: its thread asks the server for its settings before anything else, is
    waited for at exit for as long as a hanging server hangs, and is bounded only by an environment variable.
    The thread here is a daemon, for nothing shall wait for it: neither an event loop's executor nor the exit.
    """

    def __init__(self, tracing: Tracing) -> None:
        self._client = _client(tracing, self._refused)
        self._waiting: deque[list[Json]] = deque()
        self._turn = threading.Condition()
        self._open, self._silent, self._failure = True, False, ""
        self._thread = threading.Thread(target=self._work, name="traces", daemon=True)
        logging.getLogger("langsmith.client").addFilter(self._is_of_another)
        self._thread.start()

    def send(self, trace: list[Json]) -> None:
        """Have a whole trace sent some time; returns at once."""
        with self._turn:
            if self._open and len(self._waiting) < MOST_WAITING:
                self._waiting.append(trace)
                self._turn.notify()
                return
        self._lost("too many are waiting")

    def close(self, seconds: float) -> None:
        """Send what is waiting, for so many seconds at most; the rest is lost."""
        with self._turn:
            self._open = False
            self._turn.notify()
        self._thread.join(seconds)
        if self._thread.is_alive():
            self._lost("the time to stop was over")
            with self._turn:
                self._waiting.clear()
            return
        self._client.close(timeout=0)
        logging.getLogger("langsmith.client").removeFilter(self._is_of_another)

    def _work(self) -> None:
        while batch := self._next():
            self._failure = ""
            try:
                self._client.multipart_ingest(create=batch)
            except Exception as error:  # noqa: BLE001 - whatever the client raises, the thread goes on
                self._refused(error)
            if self._failure:
                self._lost(self._failure)
            elif self._silent:
                self._silent = False
                logger.info("traces are sent again")

    def _next(self) -> list[Json]:
        """The runs of the next traces, as soon as there are some; none when the post is closed and empty."""
        with self._turn:
            self._turn.wait_for(lambda: self._waiting or not self._open)
            traces = [self._waiting.popleft() for _ in range(min(_AT_ONCE, len(self._waiting)))]
        return [run for trace in traces for run in trace]

    def _refused(self, error: Exception) -> None:
        """Called by the client for what it could not send; the text names addresses and parts of the key."""
        self._failure = type(error).__name__

    def _lost(self, why: str) -> None:
        """One line for as long as it lasts."""
        if not self._silent:
            self._silent = True
            logger.warning("traces are lost until LangSmith takes them again: %s", why)

    def _is_of_another(self, record: logging.LogRecord) -> bool:
        """Whether a line of the client's log is not this thread's: it would quote the server's answers."""
        return record.thread != self._thread.ident


def _client(tracing: Tracing, refused: Callable[[Exception], None]) -> Client:
    try:
        client = Client(
            api_url=tracing.endpoint,
            api_key=tracing.api_key,
            info=LangSmithInfo(),  # else it asks the server
            auto_batch_tracing=False,
            tracing_mode="langsmith",
            omit_traced_runtime_info=True,  # it holds environment variables
            disable_prompt_cache=True,
            retry_config=LangSmithRetry(total=0),
            timeout_ms=_TIMEOUT_MILLISECONDS,
            tracing_error_callback=refused,
        )
    except LangSmithUserError as unfit:
        raise TracingUnfit(str(unfit)) from unfit
    client.session.max_redirects = 0  # the key and the traces go where start-up says, and nowhere else
    return client
