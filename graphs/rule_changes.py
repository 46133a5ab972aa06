"""Changes of rules: a draft by one person, put in force by another, with the difference on the record."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from checkpoints.audit import tell
from checkpoints.database import Transaction
from checkpoints.rule_tables import StoredTable, TableState, get_table, move_table, table_in_force
from graphs.closing import NotEligible
from graphs.rulebook import store_draft, table_event
from graphs.wiring import Parts
from nodes.directory import eyes_of
from nodes.permissions import Kind, Principal, Verb
from nodes.strict_yaml import TableUnfit, load_yaml
from nodes.workflow import Workflow


class DraftStale(Exception):
    """The table in force is no longer the one that this draft changes: draft it again."""


class DraftAlreadyDecided(Exception):
    """This table is no draft any more."""


@dataclass(frozen=True, slots=True)
class RuleChanges:
    """Takes drafts in and decides them."""

    parts: Parts

    async def draft(self, workflow_name: str, text: str, note: str, principal: Principal) -> StoredTable:
        """Store a draft with its difference from the table in force, which stays in force.

        Raises:
            TableUnfit: the table is broken, does not lint, or is about no tool of this workflow.
            NotEligible: the principal does not keep these rules; the attempt is on the record.
            VersionTaken.
        """
        workflow = self._workflow(workflow_name)
        tool = await asyncio.to_thread(_tool_of, workflow, text)
        if (why := self._not_keeper(workflow, tool, principal)) is not None:
            await self._deny(principal, "rules.denied", why, workflow=workflow.name, tool=tool)
            raise NotEligible(why)
        table = await asyncio.to_thread(workflow.rulings[tool].read, text, f"draft of {tool}")
        async with self.parts.database.transaction() as tx:
            return await store_draft(
                tx, workflow, table, note=note, by=principal.actor, eyes=principal.eyes, at=self.parts.clock()
            )

    async def decide(
        self, digest: str, principal: Principal, *, approve: bool, comment: str | None
    ) -> StoredTable:
        """Put a draft in force, or reject it; cases that are under way keep the table they began with.

        Raises:
            RuleTableNotFound, DraftAlreadyDecided, DraftStale.
            TableUnfit: the table does not fit the workflow any more.
            NotEligible: not a keeper of these rules, or the one who drafted it; the attempt is on the record.
        """
        async with self.parts.database.transaction() as tx:
            draft = await get_table(tx, digest, lock=True)
            workflow = self._workflow(draft.workflow)
            why = self._not_another_keeper(workflow, draft, principal)
            if why is None:
                await self._decide(tx, workflow, draft, principal, approve=approve, comment=comment)
                return await get_table(tx, digest)
        await self._deny(principal, "rules.denied", why, workflow=draft.workflow, digest=digest)
        raise NotEligible(why)

    async def _decide(
        self,
        tx: Transaction,
        workflow: Workflow,
        draft: StoredTable,
        principal: Principal,
        *,
        approve: bool,
        comment: str | None,
    ) -> None:
        if draft.state is not TableState.DRAFT:
            raise DraftAlreadyDecided
        decided = {"decided_by": principal.actor, "decided_at": self.parts.clock()}
        if approve:
            await asyncio.to_thread(workflow.rulings[draft.tool].read, draft.source, f"draft of {draft.tool}")
            before = await table_in_force(tx, draft.workflow, draft.tool, lock=True)
            if (before.digest if before else None) != draft.replaces:
                raise DraftStale
            if before is not None:
                await move_table(tx, before.digest, TableState.IN_FORCE, TableState.RETIRED, {})
        state = TableState.IN_FORCE if approve else TableState.REJECTED
        await move_table(tx, draft.digest, TableState.DRAFT, state, decided)
        at = self.parts.clock()
        await tell(tx, table_event(f"rules.{state}", principal.actor, at, draft, comment=comment))

    def _workflow(self, name: str) -> Workflow:
        if name not in self.parts.workflows:
            raise TableUnfit(f"workflow: there is none called {name!r}")
        return self.parts.workflows[name]

    def _not_keeper(self, workflow: Workflow, tool: str, principal: Principal) -> str | None:
        if principal.kind is not Kind.PERSON:
            return "only people change rules"
        permit = workflow.permissions.decide(sorted(principal.roles), Verb.KEEP, tool)
        return None if permit.allowed else permit.why

    def _not_another_keeper(self, workflow: Workflow, draft: StoredTable, principal: Principal) -> str | None:
        drafters = {draft.drafted_by, draft.drafted_eyes, eyes_of(self.parts.people, draft.drafted_by)}
        if drafters & {principal.actor, principal.eyes}:
            return "whoever drafted it cannot put it in force"
        return self._not_keeper(workflow, draft.tool, principal)

    async def _deny(self, principal: Principal, kind: str, why: str, **data: str) -> None:
        denied = self.parts.event(kind, principal.actor, {"why": why, **data})
        async with self.parts.database.transaction() as tx:
            await tell(tx, denied)


def _tool_of(workflow: Workflow, text: str) -> str:
    document = load_yaml(text, "draft")
    tool = document.get("tool") if isinstance(document, Mapping) else None
    if not isinstance(tool, str) or tool not in workflow.rulings:
        known = ", ".join(sorted(workflow.rulings))
        raise TableUnfit(f"draft: tool: {tool!r} is judged by no table of {workflow.name}; there are {known}")
    return tool
