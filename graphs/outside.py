"""What is outside: the systems whose tools can be admitted, and the tools that have been."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from checkpoints.admissions import Admission, last_admissions
from checkpoints.database import Database
from tools.contract import Effect, Tool
from tools.outside.definition import Definition
from tools.outside.governed import Admitted, Provider, Settings, governed
from tools.outside.schemas import SchemaUnfit
from tools.registry import Capability, Registry

logger = logging.getLogger(__name__)

USUAL = Settings()


@dataclass(frozen=True, kw_only=True, slots=True)
class Outside:
    """The systems outside, by name, and what the configuration says of their tools.

    Attributes:
        sources: the tools that need no admission, for their definition is the configuration's own.
    """

    providers: Mapping[str, Provider] = field(default_factory=dict)
    settings: Mapping[str, Settings] = field(default_factory=dict)
    sources: tuple[Tool, ...] = ()
    _made: dict[str, Tool] = field(default_factory=dict, init=False, compare=False)

    def settings_of(self, tool: str) -> Settings:
        """What is said of this tool; of one of which nothing is said the worst."""
        return self.settings.get(tool, USUAL)

    async def renew(self, database: Database, registry: Registry, capability: Capability) -> None:
        """Let the registry have what is admitted now: by whichever process that was done."""
        if not self.providers:
            return
        async with database.transaction() as tx:
            admissions = await last_admissions(tx, list(self.providers))
        tools = (self._tool(admission) for admission in admissions)
        registry.renew(capability, [tool for tool in tools if tool is not None])

    def _tool(self, admission: Admission) -> Tool | None:
        """The tool of an admission: one object as long as that holds, so that its models stay the same."""
        key = f"{admission.id}:{admission.ended_at}"
        if key not in self._made:
            admitted = Admitted(
                definition=Definition.from_document(admission.definition),
                effect=Effect(admission.effect),
                withdrawn=admission.ended_at is not None,
            )
            provider, settings = self.providers[admission.system], self.settings_of(admission.tool)
            try:
                self._made[key] = governed(provider, admitted, settings)
            except SchemaUnfit as unfit:
                logger.warning("%s, as it was admitted, cannot be used: %s", admission.tool, unfit)
                return None
        return self._made[key]

    def to_json(self) -> dict[str, object]:
        """As the record of the configuration has it: names and versions, no address and no secret."""
        return {
            "systems": sorted(self.providers),
            "tools": {name: one.to_json() for name, one in sorted(self.settings.items())},
            "sources": {tool.name: tool.version for tool in self.sources},
        }


NOBODY = Outside()
"""Nothing is outside."""
