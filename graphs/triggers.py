"""The rounds of all triggers, and how each trigger stands."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias

from checkpoints.triggers import TriggerState, trigger_states
from graphs.inbox_folders import FolderRound
from graphs.trigger_file import TableTrigger, Trigger
from graphs.trigger_words import STANDING
from graphs.watched_tables import TableRound
from graphs.wiring import Parts
from tools.triggers.table import TableReader

Round: TypeAlias = TableRound | FolderRound


@asynccontextmanager
async def trigger_rounds(parts: Parts) -> AsyncIterator[Sequence[Round]]:
    """A round for each trigger, so that one that hangs holds up no other; their connections end with it."""
    async with AsyncExitStack() as stack:
        rounds: list[Round] = [FolderRound(parts, one) for one in parts.triggers.folders]
        for table in parts.triggers.tables:
            reader = TableReader(table.watched)
            stack.push_async_callback(reader.close)
            rounds.append(TableRound(parts, table, reader))
        yield rounds


@dataclass(frozen=True, kw_only=True, slots=True)
class TriggerStanding:
    """A trigger and how it stands, from what is stored."""

    trigger: Trigger
    state: TriggerState

    @property
    def kind(self) -> Literal["table", "folder"]:
        """What it watches."""
        return "table" if isinstance(self.trigger, TableTrigger) else "folder"

    @property
    def mark(self) -> list[str] | None:
        """Of a table: order value and key of its end, when that was last noted."""
        told: list[str] | None = self.state.mark.get("mark")
        return told

    @property
    def why(self) -> str | None:
        """What is the matter, in words."""
        reason = self.state.reason
        return None if reason is None else STANDING.get(reason, STANDING["tool_error"])


async def standings(parts: Parts) -> list[TriggerStanding]:
    """Every trigger that is configured, by name."""
    async with parts.database.transaction() as tx:
        states = await trigger_states(tx)
    return [
        TriggerStanding(trigger=one, state=states.get(one.name, TriggerState(name=one.name)))
        for one in parts.triggers.all
    ]
