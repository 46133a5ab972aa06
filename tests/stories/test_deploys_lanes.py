"""Deploys and lanes: three departments are asked side by side while the version changes under them."""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest
from langgraph.graph import END, START, StateGraph

from checkpoints.cases import Case, Status
from checkpoints.errors import GraphLacksStep
from graphs.catalogue import find_kits
from graphs.closed_world import require_closed
from graphs.deploys import check
from graphs.flow import Builder, Flow
from graphs.settings import Settings
from graphs.vendor.proposals import legal_clearance
from nodes.context import Context
from nodes.held import held
from nodes.lane import lane
from nodes.propose import propose
from nodes.state import CaseState
from tests.house import House
from tests.stories.vendor_world import applied, at_work, cleared, decided, deeds, endorsed

vendor = import_module("graphs.vendor.graph")  # its package has a graph of that name, too
Version = Callable[[], Builder]


@pytest.fixture(autouse=True)
def _people(settings: Settings) -> None:
    at_work(settings)


class Renaming(Flow):
    """A flow in which the lane of the legal department has another name, and does not say so."""

    was: tuple[str, ...] = ()

    def step(self, name: str, node: Any, to: Any, **more: Any) -> None:
        if name == "legal":
            name, more = "lawyers", more | {"was": self.was}
        super().step(name, node, "lawyers" if to == "legal" else to, **more)


class Saying(Renaming):
    """The same, and it says so."""

    was = ("legal",)


def built(flow: type[Flow], monkeypatch: pytest.MonkeyPatch) -> Version:
    with monkeypatch.context() as patched:
        patched.setattr(vendor, "Flow", flow)
        graph: Builder = vendor.build()
    return lambda: graph


def without_gate() -> Builder:
    """The vendor graph whose legal lane only proposes."""
    steps: Builder = StateGraph(CaseState, context_schema=Context)
    steps.add_node("propose", held(propose(legal_clearance)))
    steps.add_edge(START, "propose")
    steps.add_edge("propose", END)
    graph: Builder = vendor.build()
    del graph.nodes["legal"]
    graph.add_node("legal", held(lane("legal", steps)))
    return graph


def deployed(house: House, version: Version) -> House:
    workflows = house.parts.workflows
    newer = replace(workflows["vendor"], build=version)
    return House(replace(house.parts, workflows={**workflows, "vendor": newer}))


async def asked(house: House) -> Case:
    """A case of which finance has cleared the dossier, and legal and procurement have not."""
    return await decided(house, await endorsed(house, await applied(house, "clean_1")), "finance")


async def orphans(house: House, version: Version) -> list[list[str]]:
    kits = [replace(kit, build=version) if kit.name == "vendor" else kit for kit in find_kits()]
    return [one.lacks for one in (await check(house.parts.database, kits)).orphans]


async def test_a_lane_that_says_its_old_name_goes_on_and_clears_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, version = await asked(house), built(Saying, monkeypatch)
    require_closed("vendor", version())
    assert await orphans(house, version) == []

    new = deployed(house, version)
    for department in ("legal", "procurement"):
        case = await decided(new, case, department)
    assert case.status is Status.CLOSED
    assert (await deeds(house, case)).count("vendors.record_clearance") == len(["L", "F", "P"])


async def test_a_lane_that_is_gone_is_refused_and_lost_is_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, version = await asked(house), built(Renaming, monkeypatch)
    assert await orphans(house, version) == [["legal", "legal/gate"]]
    await refused_then_done(house, deployed(house, version), case)


async def test_a_lane_whose_step_is_gone_is_refused_and_lost_is_nothing(house: House) -> None:
    case = await asked(house)
    assert await orphans(house, without_gate) == [["legal/gate"]]
    await refused_then_done(house, deployed(house, without_gate), case)


async def refused_then_done(house: House, new: House, case: Case) -> None:
    """What is voted while only the new version runs counts once the old one runs again."""
    with pytest.raises(GraphLacksStep):
        await decided(new, case, "procurement")
    await house.work()
    assert (await decided(house, case, "legal")).status is Status.CLOSED
    assert (await deeds(house, case)).count("vendors.record_clearance") == len(["L", "F", "P"])


async def test_all_lanes_go_on_in_the_version_in_which_they_began(house: House) -> None:
    case = await endorsed(house, await applied(house, "clean_1"))
    assert (await cleared(house, case)).status is Status.CLOSED
