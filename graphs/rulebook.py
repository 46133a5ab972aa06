"""The rulebook: stored versions of rule tables, and workflows with those that their cases began with."""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from checkpoints.audit import Event, tell
from checkpoints.database import Database, Transaction
from checkpoints.rule_tables import (
    StoredTable,
    TableState,
    add_table,
    add_tables,
    find_table,
    get_table,
    move_table,
    stored_tables,
    table_in_force,
)
from nodes.rule_differences import table_differences
from nodes.rules import RuleTable
from nodes.strict_yaml import TableUnfit
from nodes.workflow import Workflow

logger = logging.getLogger(__name__)

_NOTE = "shipped with the code"
SHIPPED = "system:shipped"
"""Who drafts the tables that come with the code."""


class VersionTaken(Exception):
    """There is another table with this version, or this very table is known already."""


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Reads stored versions of rule tables as strictly as shipped ones, each once."""

    database: Database
    tables: dict[tuple[str, str], RuleTable] = field(default_factory=dict)

    async def workflow(self, workflow: Workflow, rules: Mapping[str, str]) -> Workflow:
        """The workflow as judged by these tables, `{tool: digest}`; a tool not in it keeps the shipped one.

        Raises:
            RuleTableNotFound: a digest names no stored table.
            TableUnfit: a table no longer fits the facts or the roles of the workflow.
        """
        tables = {
            tool: await self._table(workflow, tool, rules[tool])
            for tool in workflow.rulings
            if tool in rules and rules[tool] != workflow.rulings[tool].table.digest
        }
        return workflow.with_tables(tables) if tables else workflow

    async def _table(self, workflow: Workflow, tool: str, digest: str) -> RuleTable:
        known = (workflow.name, digest)
        if known not in self.tables:
            async with self.database.transaction() as tx:
                stored = await get_table(tx, digest)
            named = f"{stored.workflow}: {tool} {stored.version}"
            self.tables[known] = workflow.rulings[tool].read(stored.source, named)
        return self.tables[known]

    async def adopt_shipped(self, workflows: Iterable[Workflow], at: datetime) -> None:
        """Put what the code ships in force where nothing is yet; where a table is, another is a draft.

        What is known costs one query, and what begins is written in one transaction.
        """
        shipped = [(workflow, ruling.table) for workflow in workflows for ruling in workflow.rulings.values()]
        async with self.database.transaction() as tx:
            known, in_force = await stored_tables(tx)
            left = [(workflow, table) for workflow, table in shipped if table.digest not in known]
            first = [one for one in left if (one[0].name, one[1].tool) not in in_force]
            begun = await _begin_with(tx, first, at) if first else set()
        for workflow, table in (one for one in left if one[1].digest not in begun):
            async with self.database.transaction() as tx:
                await _adopt(tx, workflow, table, at)


async def _begin_with(tx: Transaction, first: Sequence[tuple[Workflow, RuleTable]], at: datetime) -> set[str]:
    """Put the first tables of tools in force, as drafted and decided by the code; returns their digests."""
    await tx.alone("rules that are shipped")
    tables = [
        StoredTable(
            digest=table.digest,
            workflow=workflow.name,
            tool=table.tool,
            version=table.version,
            source=table.source,
            state=TableState.IN_FORCE,
            replaces=None,
            changes=[],
            note=_NOTE,
            drafted_by=SHIPPED,
            drafted_eyes=SHIPPED,
            drafted_at=at,
            decided_by=SHIPPED,
            decided_at=at,
        )
        for workflow, table in first
    ]
    added = await add_tables(tx, tables)
    begun = [table for table in tables if table.digest in added]
    drafted = [table_event("rules.drafted", SHIPPED, at, table, note=_NOTE) for table in begun]
    await tell(tx, *drafted, *(table_event("rules.in_force", SHIPPED, at, table) for table in begun))
    return added


async def _adopt(tx: Transaction, workflow: Workflow, table: RuleTable, at: datetime) -> None:
    await tx.alone(f"rules of {workflow.name} {table.tool}")
    if await find_table(tx, table.digest) is not None:
        return
    in_force = await table_in_force(tx, workflow.name, table.tool)
    try:
        shipped = await store_draft(tx, workflow, table, note=_NOTE, by=SHIPPED, eyes=SHIPPED, at=at)
    except VersionTaken:
        logger.warning("%s: the shipped table bears the version of another one: give it its own", table.tool)
        return
    if in_force is not None:
        logger.warning("%s: the shipped table %s is a draft until it is approved", table.tool, table.version)
        return
    decided = {"decided_by": SHIPPED, "decided_at": at}
    await move_table(tx, shipped.digest, TableState.DRAFT, TableState.IN_FORCE, decided)
    await tell(tx, table_event("rules.in_force", SHIPPED, at, shipped))


async def store_draft(
    tx: Transaction, workflow: Workflow, table: RuleTable, *, note: str, by: str, eyes: str, at: datetime
) -> StoredTable:
    """Store a table as a draft, with its difference from the one in force; raises VersionTaken."""
    before = await table_in_force(tx, workflow.name, table.tool)
    draft = StoredTable(
        digest=table.digest,
        workflow=workflow.name,
        tool=table.tool,
        version=table.version,
        source=table.source,
        state=TableState.DRAFT,
        replaces=before.digest if before else None,
        changes=await asyncio.to_thread(_changes, workflow, before, table),
        note=note,
        drafted_by=by,
        drafted_eyes=eyes,
        drafted_at=at,
    )
    if not await add_table(tx, draft):
        raise VersionTaken(f"{table.tool} {table.version} is another table's version, or known already")
    await tell(tx, table_event("rules.drafted", by, at, draft, note=note))
    return draft


def table_event(kind: str, actor: str, at: datetime, table: StoredTable, **more: Any) -> Event:
    """What the record says of a table, the difference included; each is said of it once."""
    names = ("workflow", "tool", "version", "digest", "replaces", "changes", "drafted_by")
    return Event(
        id=str(uuid5(NAMESPACE_OID, f"{kind}/{table.digest}")),
        case_id=None,
        kind=kind,
        actor=actor,
        at=at,
        data={name: getattr(table, name) for name in names} | more,
    )


def _changes(workflow: Workflow, before: StoredTable | None, table: RuleTable) -> list[dict[str, str]]:
    """The difference in words; of a table that cannot be read any more only that."""
    if before is None:
        return []
    try:
        old = workflow.rulings[table.tool].read(before.source, f"{before.tool} {before.version}")
    except TableUnfit as unfit:
        return [{"where": "table", "change": f"the one in force cannot be read any more: {unfit}"}]
    return table_differences(old, table)
