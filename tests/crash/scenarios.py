"""The scenarios: a state that is made once, and the acts in whose every point the process is killed."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from checkpoints.cases import Status
from nodes.permissions import Principal
from tests.crash.life import Act, Changed, Life
from tests.house import LEE, MAX, House, refund_event
from tests.stories import reviewing, vendor_world
from tests.stories.vendor_world import FRED, LARA, PIA
from tools.contract import Tool

PEOPLE = (*reviewing.EVERYBODY, *vendor_world.EVERYBODY)
REFUND, REVERSAL = "payments.refund", "payments.reverse_refund"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """A case to kill processes in.

    Attributes:
        name: one word for the command line.
        says: what it is, for the table.
        before: what is done before anybody is killed.
        acts: each of them, and the work that follows from it, is done in a process that is killed.
        ends: where the case stands in the end.
        in_doubt: it may also end uncertain, with an owner, for nobody can tell what became of its deed.
        changed: the tools as they are in it.
    """

    name: str
    says: str
    before: Sequence[Act] = ()
    acts: Sequence[Act]
    ends: Status
    in_doubt: bool = False
    changed: Changed = field(default=lambda tool: tool)


def _sent(scene: str) -> Act:
    async def act(life: Life) -> None:
        await life.send(refund_event(scene))

    return act


def _applied(scene: str) -> Act:
    async def act(life: Life) -> None:
        await life.send(vendor_world.vendor_event(scene))

    return act


def _signed(about: str, *who: Principal) -> Act:
    async def act(life: Life) -> None:
        for one in who:
            await life.vote(about, one)

    return act


def _cleared(**by: Principal) -> Act:
    """Departments decide at once: nobody works in between."""

    async def act(life: Life) -> None:
        for department, who in by.items():
            await life.vote(department, who)

    return act


def _asked_back(who: Principal) -> Act:
    async def act(life: Life) -> None:
        await life.roll_back(who)

    return act


async def _two_sign(life: Life) -> None:
    """From now on two support leads sign what one did."""
    two = "{review: over_automatic_limit, by: [{role: support_lead, people: 2}], due: 8h, risk: medium}"
    await reviewing.ask_instead(House(life.parts), two)


def _silent(tool: Tool) -> Tool:
    """A payment system that cannot be asked what became of a call, and takes none again."""
    return replace(tool, find=None, idempotent=False) if tool.name == REFUND else tool


SCENARIOS = (
    Scenario(
        name="one",
        says="refund, one reviewer",
        acts=[_sent("clean_120_00_1"), _signed(REFUND, LEE)],
        ends=Status.CLOSED,
    ),
    Scenario(
        name="two",
        says="refund, two reviewers",
        before=[_two_sign],
        acts=[_sent("clean_120_00_1"), _signed(REFUND, LEE), _signed(REFUND, MAX)],
        ends=Status.CLOSED,
    ),
    Scenario(
        name="vendor",
        says="vendor, reviews side by side",
        acts=[
            _applied("clean_1"),
            _signed("vendors.endorse_account", FRED),
            _cleared(legal=LARA),
            _cleared(finance=FRED, procurement=PIA),
        ],
        ends=Status.CLOSED,
    ),
    Scenario(
        name="rollback",
        says="rollback of a refund",
        before=[_sent("clean_120_00_1"), _signed(REFUND, MAX)],
        acts=[_asked_back(LEE), _signed(REVERSAL, MAX)],
        ends=Status.ROLLED_BACK,
    ),
    Scenario(
        name="silent",
        says="refund, a payment system that cannot be asked",
        before=[_sent("clean_120_00_1")],
        acts=[_signed(REFUND, LEE)],
        ends=Status.CLOSED,
        in_doubt=True,
        changed=_silent,
    ),
)
