"""The configuration on the record: with what Countersign runs, as digests and ids, told whenever it differs.

Never contents: no prompt, no secret, no address, and of people only ids.
"""

import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from checkpoints.application_role import Standing
from checkpoints.audit import Event, latest, tell
from checkpoints.canonical import digest
from checkpoints.database import Database, Transaction
from checkpoints.rule_tables import tables_in_force
from graphs.notify import Notify
from graphs.outside import Outside
from graphs.people import People, PeopleFileUnfit
from graphs.trigger_file import Triggers
from nodes.shapes import Json
from nodes.workflow import Workflow

LOADED, CHANGED = "configuration.loaded", "configuration.changed"
ACTOR = "system:configuration"
_PACKAGES = ("api", "checkpoints", "graphs", "nodes", "tools")
_SOURCES = {".py", ".yaml", ".md"}
_NOTHING: Json = {}


def settled(
    *,
    model: str | None,
    notify: Notify,
    triggers: Triggers,
    workflows: Mapping[str, Workflow],
    standing: Standing,
    retention: Mapping[str, timedelta],
    outside: Outside,
) -> Json:
    """What does not change while a process runs."""
    return {
        "model": model or "playbook",
        "channels": sorted(channel.name for channel in notify.channels),
        "triggers": {one.name: {"as": one.service, "digest": one.digest} for one in triggers.all},
        "workflows": {name: workflow.version for name, workflow in workflows.items()},
        "prompts": {
            name: {agent: role.prompt_digest for agent, role in workflow.agents.items()}
            for name, workflow in workflows.items()
        },
        "code": {"version": importlib.metadata.version("countersign"), "digest": code_digest()},
        "retention": {name or "others": f"{kept.days}d" for name, kept in retention.items()},
        "database": {"role": standing.role, "may_alter_log": standing.may_alter_log},
        "outside": outside.to_json(),
    }


@cache
def code_digest() -> str:
    """SHA-256 over the paths and digests of the source files that run, rules and prompts included."""
    found: dict[str, str] = {}
    for package in _PACKAGES:
        spec = importlib.util.find_spec(package)
        assert spec is not None
        for folder in map(Path, spec.submodule_search_locations or ()):
            files = (path for path in folder.rglob("*") if path.suffix in _SOURCES)
            found |= {
                f"{package}/{path.relative_to(folder).as_posix()}": hashlib.sha256(
                    path.read_bytes()
                ).hexdigest()
                for path in files
            }
    return digest(found)


@dataclass(slots=True)
class ConfigurationRecord:
    """Tells what is configured, once: what the log says already is not said again, whoever looks."""

    database: Database
    people: People
    clock: Callable[[], datetime]
    ids: Callable[[], str]
    _seen: Json | None = field(default=None, init=False)

    async def opened(self, workflows: Iterable[str], running: Json) -> bool:
        """Tell with what a process opens the parts, unless it was told last; returns whether it was now."""
        async with self.database.transaction() as tx:
            rules = {name: await tables_in_force(tx, name) for name in workflows}
            return await self._tell(tx, running | {"rules": rules} | self._accounts())

    async def look(self) -> int:
        """Tell if the people file changed since the last look; returns how many events were told.

        What else the log says stays: another process may run with another model, say.
        """
        accounts = self._accounts()
        if not accounts or accounts == self._seen:
            return 0
        async with self.database.transaction() as tx:
            told = await self._tell(tx, accounts)
        self._seen = accounts
        return int(told)

    def _accounts(self) -> Json:
        """The section of the people; none if the file cannot be read, by which nobody gets in either."""
        try:
            return {"people": self.people.accounts()}
        except PeopleFileUnfit:
            return {}

    async def _tell(self, tx: Transaction, sections: Json) -> bool:
        await tx.alone("configuration on the record")
        last = await latest(tx, (LOADED, CHANGED))
        before = last["data"]["configuration"] if last else _NOTHING
        after = before | sections
        if after == before:
            return False
        data = {"configuration": after} | ({"changes": differences(before, after)} if last else {})
        kind = CHANGED if last else LOADED
        await tell(tx, Event(id=self.ids(), case_id=None, kind=kind, actor=ACTOR, at=self.clock(), data=data))
        return True


def differences(before: Json, after: Json) -> Json:
    """By section what changed: of people who; of everything else what it was and what it is."""
    changed = (name for name in after if before.get(name) != after[name])
    return {
        name: _moves(before.get(name, {}), after[name])
        if name == "people"
        else {"before": before.get(name), "after": after[name]}
        for name in changed
    }


def _moves(before: Json, after: Json) -> Json:
    both = sorted(before.keys() & after.keys())
    return {
        "added": sorted(after.keys() - before.keys()),
        "removed": sorted(before.keys() - after.keys()),
        "roles_changed": [who for who in both if before[who]["roles"] != after[who]["roles"]],
        "keys_changed": [who for who in both if before[who]["keys"] != after[who]["keys"]],
    }
