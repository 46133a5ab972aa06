"""What a piece of work asks of its databases: statements by kind, commits, and round trips."""

import re
from collections import Counter
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import psycopg
from psycopg import sql, waiting
from psycopg.pq import PipelineStatus

_WHAT = re.compile(
    r"(?P<verb>INSERT INTO|UPDATE|DELETE FROM|FROM)\s+(?P<table>[a-z_]+)"
    r"|(?P<call>pg_[a-z_]+lock[a-z_]*|countersign_[a-z_]+)"
)
_ENDS = ("BEGIN", "COMMIT", "ROLLBACK", "DEALLOCATE")


@dataclass(slots=True)
class Asked:
    """What one database was asked.

    Attributes:
        kinds: statements by what they do, such as `insert into audit_events`.
        commits: transactions ended by COMMIT, and statements and pipelines that wrote outside of any.
        trips: how often an answer was waited for; the statements of a pipeline are waited for together.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    commits: int = 0
    trips: int = 0

    @property
    def statements(self) -> int:
        """How many statements there were, BEGIN and COMMIT among them."""
        return self.kinds.total()


class Counting:
    """Counts what every psycopg connection of this process is asked, by the name of its database."""

    def __init__(self) -> None:
        self.of: dict[str, Asked] = {}
        self._begun: set[Any] = set()
        self._wrote: set[Any] = set()
        self._execute = psycopg.AsyncCursor.execute
        self._executemany = psycopg.AsyncCursor.executemany
        self._command = psycopg.AsyncConnection._exec_command
        self._wait = psycopg.AsyncConnection.wait

    @property
    def all(self) -> Asked:
        """Of all databases together."""
        kinds = sum((asked.kinds for asked in self.of.values()), Counter[str]())
        of = self.of.values()
        return Asked(kinds, sum(asked.commits for asked in of), sum(asked.trips for asked in of))

    def __enter__(self) -> Self:
        counting = self

        async def execute(cursor: Any, query: Any, params: Any = None, **more: Any) -> Any:
            counting._note(cursor.connection, query)
            return await counting._execute(cursor, query, params, **more)

        async def executemany(cursor: Any, query: Any, params_seq: Iterable[Any], **more: Any) -> None:
            rows = list(params_seq)
            for _ in rows:
                counting._note(cursor.connection, query)
            await counting._executemany(cursor, query, rows, **more)

        def command(connection: Any, text: Any, *more: Any, **named: Any) -> Any:
            counting._note(connection, text)
            return counting._command(connection, text, *more, **named)

        async def wait(connection: Any, gen: Any, interval: float = 0.1) -> Any:
            return await counting._wait(connection, counting._watched(connection, gen), interval)

        psycopg.AsyncCursor.execute = execute  # type: ignore[method-assign, assignment]
        psycopg.AsyncCursor.executemany = executemany  # type: ignore[method-assign, assignment]
        psycopg.AsyncConnection._exec_command = command  # type: ignore[method-assign, assignment]
        psycopg.AsyncConnection.wait = wait  # type: ignore[method-assign, assignment]
        return self

    def __exit__(self, *_: object) -> None:
        psycopg.AsyncCursor.execute = self._execute  # type: ignore[method-assign]
        psycopg.AsyncCursor.executemany = self._executemany  # type: ignore[method-assign]
        psycopg.AsyncConnection._exec_command = self._command  # type: ignore[method-assign]
        psycopg.AsyncConnection.wait = self._wait  # type: ignore[method-assign]

    def _note(self, connection: Any, query: Any) -> None:
        asked = self._asked(connection)
        kind = kind_of(_text(query))
        asked.kinds[kind] += 1
        if kind in {"begin", "commit", "rollback"}:
            (self._begun.add if kind == "begin" else self._begun.discard)(connection)
            asked.commits += kind == "commit"
        elif connection not in self._begun and kind.startswith(("insert", "update", "delete")):
            if connection.info.pipeline_status == PipelineStatus.OFF:
                asked.commits += 1
            else:
                self._wrote.add(connection)  # its pipeline commits when it ends

    def _asked(self, connection: Any) -> Asked:
        return self.of.setdefault(connection.info.dbname, Asked())

    def _watched(self, connection: Any, gen: Any) -> Generator[Any, Any, Any]:
        """The same generator, and a round trip if it waits for an answer rather than for room to send."""
        piped = connection.pgconn.pipeline_status != PipelineStatus.OFF
        sends_only = piped and gen.__name__ not in {"_fetch_gen", "_exit_gen", "_sync_gen"}
        if not sends_only and connection in self._wrote:
            self._wrote.discard(connection)
            self._asked(connection).commits += 1
        asked, ready = sends_only, None
        while True:
            try:
                wanted = gen.send(ready) if ready is not None else next(gen)
            except StopIteration as stop:
                return stop.value
            if wanted & waiting.Wait.R and not asked:
                asked = True
                self._asked(connection).trips += 1
            ready = yield wanted


def kind_of(text: str) -> str:
    """What a statement does, in a few words."""
    words = text.split(maxsplit=1)
    if words and words[0].upper().rstrip(";") in _ENDS:
        return words[0].lower().rstrip(";")
    found = next((m for m in _WHAT.finditer(text) if m["verb"] != "FROM" or "INSERT INTO" not in text), None)
    if found is None:
        return words[0].lower() if words else ""
    if found["call"]:
        return str(found["call"])
    verb = "read" if found["verb"] == "FROM" else found["verb"].lower()
    return f"{verb} {found['table']}"


def _text(query: Any) -> str:
    match query:
        case bytes():
            return query.decode()
        case sql.Composable():
            return query.as_string(None)
        case _:
            return str(query)


def by_kind(kinds: Mapping[str, int]) -> list[tuple[str, int]]:
    """The kinds, the most frequent first."""
    return sorted(kinds.items(), key=lambda one: (-one[1], one[0]))
