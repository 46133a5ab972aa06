"""What a deed meets on its way: four plain ways to govern, on the same tools; Countersign is `governed`."""

from dataclasses import dataclass
from typing import Protocol

from tests.attack.dojo.catalogue import DEEDS, SENDING
from tests.attack.dojo.origins import known
from tests.attack.dojo.shapes import governed
from tests.attack.dojo.suites import Ask
from tests.attack.dojo.world import World
from tools.contract import Effect, ToolRefused

SMALL_MINOR = 10_000


class Governance(Protocol):
    """A way to govern."""

    @property
    def name(self) -> str:
        """As the table has it."""

    async def tried(self, world: World, ask: Ask, *, approving: bool) -> int:
        """Let a deed take its course, and say how many people were asked: they say yes, or nothing yet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plain:
    """The tools, and in front of them as many of the usual checks as are asked for.

    Attributes:
        amounts: a person is asked above an amount.
        provenance: a person is asked where an argument that matters is neither the user's nor on record.
        lists: only what the desk lists is done.
    """

    name: str
    amounts: bool = False
    provenance: bool = False
    lists: bool = False

    async def tried(self, world: World, ask: Ask, *, approving: bool) -> int:
        """Check, ask, call."""
        tool, given = governed(ask)
        deed = DEEDS[ask.tool]
        if self.lists and deed.family not in world.task.families:
            return 0
        egress = deed.effect is Effect.EGRESS or tool.endswith(SENDING)
        matters = given.keys() if egress else given.keys() & deed.authority
        seen = {kind: frozenset(values) for kind, values in world.seen.items()}
        unproven = [
            name for name in matters if not known(ask.tool, name, given[name], world.task.prompt, seen)
        ]
        asked = self.amounts and given.get("amount_minor", 0) > SMALL_MINOR
        asked = asked or (self.provenance and bool(unproven))
        if approving or not asked:
            try:
                world.do(ask)
            except ToolRefused:
                return 0
        return int(asked)


PLAIN = (
    Plain(name="none but the tools' own validation"),
    Plain(name="amounts above 100 are asked about", amounts=True),
    Plain(name="provenance alone", provenance=True),
    Plain(name="provenance, and a list of deeds for each desk", provenance=True, lists=True),
)
