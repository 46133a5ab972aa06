"""The queue: Procrastinate jobs, each enqueued in the transaction of what it is about."""

from procrastinate import App, PsycopgConnector

from checkpoints.commands import Command, CommandKind, add_command
from checkpoints.database import Transaction

SEGMENT_TASK = "countersign.segment"
QUEUE = "countersign"
AHEAD = 10
"""The priority of what has begun already: decided, woken, retried or rolled back. New cases have none."""


def queue_app(conninfo: str) -> App:
    """A Procrastinate app on this database; deferring needs no connection of its own."""
    return App(connector=PsycopgConnector(conninfo=conninfo, min_size=1, max_size=4))


class Queue:
    """Puts commands in line: row and job commit with whatever else the transaction holds."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def enqueue(self, tx: Transaction, command: Command) -> bool:
        """Store a command and its job; returns False if its cause already has one."""
        if not await add_command(tx, command):
            return False
        await self.enqueue_job(tx, command)
        return True

    async def enqueue_job(self, tx: Transaction, command: Command) -> None:
        """Put a job in line for a stored command; the jobs of one thread never run side by side.

        One that is for later stands in a line of its own: it would hold up what comes after it. When its time
        comes, the thread's own lock keeps it from running beside another.
        """
        later = command.run_at is not None
        deferrer = self._app.configure_task(
            SEGMENT_TASK,
            lock=f"{command.case_id}:{command.id}" if later else command.case_id,
            schedule_at=command.run_at,
            queue=QUEUE,
            priority=0 if command.kind is CommandKind.START else AHEAD,
            connection=tx.driver,
            allow_unknown=True,
        )
        await deferrer.defer_async(command_id=command.id)
