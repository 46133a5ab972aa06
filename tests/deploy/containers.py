"""What deploy/ says, read as Docker reads it."""

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
_VARIABLE = re.compile(r"\$\{(\w+):\?\}")
_ADDRESS = re.compile(r"postgresql://(?P<role>\w+):\w+@postgres:5432/(?P<database>\w+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Instruction:
    """A line of a Dockerfile."""

    word: str
    rest: str


def dockerfile() -> list[list[Instruction]]:
    """The stages of the Dockerfile, each from its FROM on."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    stages: list[list[Instruction]] = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            word, _, rest = line.partition(" ")
            if word == "FROM":
                stages.append([])
            stages[-1].append(Instruction(word=word, rest=rest))
    return stages


def one(stage: list[Instruction], word: str) -> str:
    """What stands after the only instruction with this word."""
    (found,) = [line.rest for line in stage if line.word == word]
    return found


def image_environment(stage: list[Instruction]) -> dict[str, str]:
    pairs = [pair.partition("=") for line in stage if line.word == "ENV" for pair in shlex.split(line.rest)]
    return {name: value for name, _, value in pairs}


def entry_point(stage: list[Instruction]) -> list[str]:
    return list(json.loads(one(stage, "ENTRYPOINT")))


def compose(variables: Mapping[str, str]) -> dict[str, Any]:
    """The compose file with these variables filled in."""
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(_VARIABLE.sub(lambda found: variables[found[1]], text)))


def variables_of_compose() -> set[str]:
    return set(_VARIABLE.findall((DEPLOY / "compose.yaml").read_text(encoding="utf-8")))


def seconds(duration: str) -> int:
    return int(duration.removesuffix("s"))


def address(text: str) -> tuple[str, str] | None:
    """Role and database of an address on the compose file's Postgres."""
    found = _ADDRESS.fullmatch(text)
    return (found["role"], found["database"]) if found else None
