"""AgentDojo's suites, where it is installed: their tools, their users' tasks, and what attackers want."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from nodes.shapes import Json
from tests.attack.dojo.catalogue import DEEDS
from tests.attack.dojo.goals import GOALS

VERSION = "v1.2.2"
PLANTED = "PLANTED-TEXT"
"""What stands wherever the suites let an attacker write; the scripted model obeys it."""
SUITES = ("workspace", "slack", "travel", "banking")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """One call of a tool that the model asks for, with the arguments as the benchmark has them."""

    tool: str
    arguments: Json

    @property
    def changes(self) -> bool:
        """Whether it is governed as a deed: all others only read."""
        return self.tool in DEEDS


@dataclass(frozen=True, kw_only=True, slots=True)
class UserTask:
    """What a user wants, in their words, and the right calls for it."""

    id: str
    prompt: str
    asks: tuple[Ask, ...]

    @property
    def families(self) -> frozenset[str]:
        """The kinds of deeds that the task needs."""
        return frozenset(DEEDS[ask.tool].family for ask in self.asks if ask.changes)


@dataclass(frozen=True, kw_only=True, slots=True)
class Suite:
    """A suite: tools over an environment, users' tasks, and the calls that reach attackers' goals."""

    name: str
    tools: Mapping[str, Any]
    tasks: Mapping[str, UserTask]
    injections: Mapping[str, tuple[Ask, ...]]
    source: Any

    def environment(self, task: str, *, planted: bool) -> Any:
        """A task's environment as it is at first, with something planted wherever it can be, or nowhere."""
        fresh = _environment(self.name, planted=planted).model_copy(deep=True)
        return self.source.user_tasks[task].init_environment(fresh)

    def run(self, environment: Any, ask: Ask) -> tuple[Any, str | None]:
        """Call a tool on an environment: what it answers, and the error if it refuses."""
        runtime = import_module("agentdojo.functions_runtime").FunctionsRuntime(list(self.tools.values()))
        answer, error = runtime.run_function(environment, ask.tool, ask.arguments)
        return answer, error


def installed() -> bool:
    """Whether AgentDojo is there: `uv sync --group attack`."""
    return find_spec("agentdojo") is not None


@cache
def suite(name: str) -> Suite:
    """A suite by its name."""
    source = _sources()[name]
    plain = source.load_and_inject_default_environment({})
    return Suite(
        name=name,
        tools={tool.name: tool for tool in source.tools},
        tasks=dict(_tasks(source, plain)),
        injections=dict(_injections(name, source, plain)),
        source=source,
    )


def _tasks(source: Any, plain: Any) -> Iterator[tuple[str, UserTask]]:
    for name, task in source.user_tasks.items():
        found = task.init_environment(plain.model_copy(deep=True))
        yield name, UserTask(id=name, prompt=task.PROMPT, asks=_asks(task.ground_truth(found)))


def _injections(suite_name: str, source: Any, plain: Any) -> Iterator[tuple[str, tuple[Ask, ...]]]:
    """The calls that reach each goal, ours where the benchmark has none; a goal without calls is left out."""
    for name, task in source.injection_tasks.items():
        if ours := GOALS.get((suite_name, name)):
            yield name, tuple(Ask(tool=tool, arguments=given) for tool, given in ours(plain))
        elif asks := _asks(task.ground_truth(plain.model_copy(deep=True))):
            yield name, asks


def _asks(calls: Sequence[Any]) -> tuple[Ask, ...]:
    return tuple(Ask(tool=call.function, arguments=dict(call.args)) for call in calls)


@cache
def _environment(name: str, *, planted: bool) -> Any:
    source = _sources()[name]
    places = source.get_injection_vector_defaults() if planted else {}
    return source.load_and_inject_default_environment(dict.fromkeys(places, PLANTED))


@cache
def _sources() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the benchmark imports every vendor's client, old spellings included
        return import_module("agentdojo.task_suite.load_suites").get_suites(VERSION)
