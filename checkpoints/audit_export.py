"""Writing the whole log into a file: as much of it as is under the newest head, row by row."""

from collections.abc import Callable
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from checkpoints.audit_verify import event_of, head_of, in_tree_order
from checkpoints.canonical import NotCanonical
from checkpoints.errors import TreeDamaged
from checkpoints.log_file import event_line, head_line, header_line
from checkpoints.notes import VerifierKey

_HEADS = "SELECT size, root, peaks, at, note FROM audit_heads ORDER BY size"


async def export_log(
    connection: AsyncConnection[Any], key: VerifierKey, write: Callable[[bytes], Any]
) -> int:
    """Give `write` the log line by line, as it is at one moment; returns how many events it has.

    An event that is gone is left out, which verification of the file finds.

    Raises:
        TreeDamaged: an event was made into something that cannot even be written down.
    """
    events = 0
    async with connection.transaction():
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        write(header_line(key))
        async for row in in_tree_order(connection):
            if row["seq"] is None:
                continue
            try:
                write(event_line(row["index"], event_of(row), bytes(row["tree_leaf"])))
            except NotCanonical as error:
                raise TreeDamaged from error
            events += 1
        async with connection.cursor("audit_heads_reader", row_factory=dict_row) as cursor:
            await cursor.execute(_HEADS)
            async for row in cursor:
                write(head_line(head_of(row)))
    return events
