"""A look of a trigger: by one worker at a time, on behalf of its service, its troubles told once."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple, TypeAlias
from uuid import NAMESPACE_URL, uuid5

from checkpoints.audit import tell
from checkpoints.database import Transaction
from checkpoints.triggers import TriggerState, hold_trigger, keep_trigger
from graphs.backoff import wait_after
from graphs.intake import CloudEvent, Intake
from graphs.trigger_file import Trigger
from graphs.waiting_room import NoRoom
from graphs.wiring import Parts
from nodes.directory import DirectoryUnfit
from nodes.event import EventRefused
from nodes.permissions import Principal
from nodes.records import UnresolvedReference
from tools.contract import ToolError
from tools.triggers.trouble import TriggerTrouble

logger = logging.getLogger(__name__)

ACTOR = "system:triggers"
STANDS, GOES_ON, LEAVES_OUT = "trigger.stands_still", "trigger.goes_on", "trigger.leaves_out"
START = "cases:start"
LONGEST_WAIT = timedelta(minutes=10)
"""What cannot be read is tried again at least this often."""
RIGHTS = {"no_such_service", "not_permitted"}
"""What a trigger stands still of and is looked at anew in each round, for it costs nothing."""
LEFT_OUT = {"order_missing"}
"""What a trigger goes on in spite of."""


class Looked(NamedTuple):
    """What a look comes to: the new mark, whether there is more at once, and why something was left out."""

    mark: dict[str, Any]
    more: bool
    left_out: str | None = None


Look: TypeAlias = Callable[[dict[str, Any], Principal], Awaitable[Looked]]


async def one_look(parts: Parts, trigger: Trigger, look: Look) -> bool:
    """Look once, unless another worker does or it is put off; returns whether there is more at once.

    The mark is written after all that was found was received: whoever is killed in between leaves it to be
    received again, which gives the same cases.
    """
    async with parts.database.transaction() as tx:
        state = await hold_trigger(tx, trigger.name)
        if state is None or (state.wake_at is not None and state.wake_at > parts.clock()):
            return False
        try:
            looked = await look(state.mark, acting(parts, trigger))
        except (TriggerTrouble, ToolError, NoRoom) as trouble:
            await _stand_still(tx, parts, trigger, state, trouble.reason)
        except DirectoryUnfit:
            await _stand_still(tx, parts, trigger, state, "people_unknown")
        else:
            await _keep(tx, parts, trigger, state, looked)
            return looked.more
    return False


def acting(parts: Parts, trigger: Trigger) -> Principal:
    """The service that a trigger acts as, which must be there and hold `cases:start`."""
    service = parts.people.service(trigger.service)
    if service is None:
        raise TriggerTrouble("no_such_service")
    if START not in service.scopes:
        raise TriggerTrouble("not_permitted")
    return service


async def receive(parts: Parts, event: CloudEvent, service: Principal, attempt: str) -> EventRefused | None:
    """Take an event in; returns its refusal, which is on the record once, or None.

    Raises:
        ToolError: a system that intake asks does not answer.
        NoRoom: too many cases wait to be begun.
    """
    intake = Intake(parts)
    try:
        await intake.receive(event, service, attempt=attempt)
    except EventRefused as refused:
        return refused
    except (UnresolvedReference, KeyError, ValueError):  # a mistake in its workflow: it holds up no other
        logger.exception("nothing can be done about an event of %s", event.source)
        broken = EventRefused("unforeseen", "its workflow broke on it")
        await intake.record_refusal(event, service, broken, attempt=attempt)
        return broken
    return None


def attempt_of(source: str, event_id: str, version: str) -> str:
    """The id on the record of the refusal of this version of an event."""
    return str(uuid5(NAMESPACE_URL, f"refused/{source}/{event_id}/{version}"))


async def _keep(tx: Transaction, parts: Parts, trigger: Trigger, state: TriggerState, looked: Looked) -> None:
    now, before = parts.clock(), state.reason
    unsaid = looked.more and before in LEFT_OUT  # only the end of the table says whether it is so still
    reason = before if unsaid else looked.left_out
    if before not in {reason, None}:
        await _tell(tx, parts, GOES_ON, trigger, before)
    if reason not in {before, None}:
        await _tell(tx, parts, LEAVES_OUT, trigger, reason)
    since = state.reason_at if reason == before else now
    kept = replace(state, mark=looked.mark, looked_at=now, wake_at=None, tries=0)
    await keep_trigger(tx, replace(kept, reason=reason, reason_at=since if reason else None))


async def _stand_still(
    tx: Transaction, parts: Parts, trigger: Trigger, state: TriggerState, reason: str
) -> None:
    now, new = parts.clock(), reason != state.reason
    if new:
        logger.warning("trigger %s stands still: %s", trigger.name, reason)
        await _tell(tx, parts, STANDS, trigger, reason)
        state = replace(state, reason=reason, reason_at=now)
    if reason not in RIGHTS:
        tries = state.tries + 1
        wait = min(wait_after(tries, parts.chance()), LONGEST_WAIT)
        await keep_trigger(tx, replace(state, tries=tries, wake_at=now + wait))
    elif new:
        await keep_trigger(tx, replace(state, tries=0, wake_at=None))


async def _tell(tx: Transaction, parts: Parts, kind: str, trigger: Trigger, reason: str | None) -> None:
    data = {"trigger": trigger.name, "workflow": trigger.workflow, "reason": reason}
    await tell(tx, parts.event(kind, ACTOR, data))
