"""The catalogue: what is found, and what else has to know of it."""

import json
from importlib import import_module
from pathlib import Path

import pytest

from graphs.catalogue import find_kits
from graphs.kit import KitUnfit

ROOT = Path(__file__).parents[2]


def test_langgraph_json_lists_every_workflow_and_each_of_them_compiles() -> None:
    listed = json.loads((ROOT / "langgraph.json").read_text(encoding="utf-8"))["graphs"]

    assert listed == {kit.name: f"{kit.package}:graph" for kit in find_kits()}
    for path in listed.values():
        package, _, name = path.partition(":")
        assert getattr(import_module(package), name)().compile().get_graph().nodes


@pytest.mark.parametrize(
    ("package", "why"), [("no_such_package", "there is no no_such_package"), ("json", "there is no KIT")]
)
def test_a_package_that_is_no_workflow_is_refused_by_its_name(package: str, why: str) -> None:
    with pytest.raises(KitUnfit, match=f"{package}: {why}"):
        find_kits([package])
