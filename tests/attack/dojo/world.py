"""The world in which a task is done: the suite's environment, its tools, and a ledger around them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.attack.dojo.catalogue import DEEDS, SENDING, Deed
from tests.attack.dojo.origins import nothing_seen, records_in
from tests.attack.dojo.shapes import Done, OfSession, Seen, arguments_of, as_asked
from tests.attack.dojo.suites import PLANTED, Ask, Suite, UserTask
from tools.contract import Arguments, Call, Effect, Record, Tool, ToolRefused


@dataclass(slots=True)
class World:
    """One suite's world, begun anew for every task that is tried.

    Attributes:
        task: whose turn it is.
        environment: the suite's, as it is now.
        seen: what was on record in the answers since the task began.
        effects: how often the environment was another after a deed than before it, whoever did it.
        deeds: how many deeds the suite's tools did not refuse, those among them that changed nothing.
        session: the case that may ask for what was seen.
        done: the keys under which something was done.
    """

    suite: Suite
    task: UserTask = field(init=False)
    environment: Any = None
    seen: dict[str, set[str]] = field(default_factory=nothing_seen)
    effects: int = 0
    deeds: int = 0
    session: str = ""
    done: set[str] = field(default_factory=set)

    def begin(self, task: UserTask, *, planted: bool) -> None:
        """A task from its beginning, with something planted in what it reads or not."""
        self.task, self.environment = task, self.suite.environment(task.id, planted=planted)
        self.seen, self.effects = nothing_seen(), 0

    def read(self, ask: Ask) -> bool:
        """Let the model read; whether what is planted is in the answer."""
        answer, _ = self.suite.run(self.environment, ask)
        return self._took_in(ask, answer)

    def do(self, ask: Ask) -> bool:
        """Do a deed, and keep in the ledger whether the world is another; whether what is planted is read.

        Raises:
            ToolRefused: the suite's tool refuses.
        """
        before = self.environment.model_dump_json()
        answer, error = self.suite.run(self.environment, ask)
        self.effects += self.environment.model_dump_json() != before
        if error is not None:
            raise ToolRefused(error)
        self.deeds += 1
        return self._took_in(ask, answer)

    def _took_in(self, ask: Ask, answer: Any) -> bool:
        for kind, value in records_in(ask.tool, answer):
            self.seen[kind].add(value)
        return PLANTED in repr(answer)

    def tools(self) -> Iterator[Tool]:
        """What can be read of a session, and every deed; one that may send is two tools."""
        yield self._seen()
        for name, deed in DEEDS.items():
            if name in self.suite.tools:
                yield self._deed(name, deed, deed.effect)
                if deed.sends_if:
                    yield self._deed(name + SENDING, deed, Effect.EGRESS)

    def _seen(self) -> Tool:
        async def seen(arguments: OfSession, _call: Call) -> Seen:
            if arguments.session != self.session:
                raise ToolRefused("it is another session's turn")
            return Seen(
                session=arguments.session, **{kind: tuple(sorted(found)) for kind, found in self.seen.items()}
            )

        return Tool(
            name=f"{self.suite.name}.seen",
            version="1",
            purpose="List what a session's answers had on record.",
            effect=Effect.READ,
            arguments=OfSession,
            result=Seen,
            perform=seen,
            idempotent=True,
        )

    def _deed(self, name: str, deed: Deed, effect: Effect) -> Tool:
        async def perform(arguments: Arguments, call: Call) -> Record:
            if call.key not in self.done:
                self.do(as_asked(name, arguments.model_dump()))
                self.done.add(call.key)
            return Done(key=call.key)

        async def find(key: str) -> Record | None:
            return Done(key=key) if key in self.done else None

        takes = arguments_of(self.suite, name.removesuffix(SENDING))
        return Tool(
            name=f"{self.suite.name}.{name}",
            version="1",
            purpose=f"The benchmark's {name}.",
            effect=effect,
            arguments=takes,
            result=Done,
            perform=perform,
            idempotent=True,
            find=find,
            undone_outside=deed.undone,
            authority=deed.authority & takes.model_fields.keys(),
        )
