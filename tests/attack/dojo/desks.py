"""Desks: a workflow for each set of deeds that a user may ask for, made of the table of deeds."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import yaml
from langgraph.runtime import Runtime
from pydantic import BaseModel

from graphs.flow import Builder, Flow
from graphs.roles import RoleFile
from nodes.action import Proposal, Ref
from nodes.ask import Node
from nodes.context import Context
from nodes.facts import Fact
from nodes.records import Records, Source
from nodes.retrieve import remembered, retrieve
from nodes.rule_lint import load_table
from nodes.shapes import Json
from nodes.state import CaseState
from nodes.story import Story
from nodes.workflow import Ruling, Workflow
from tests.attack.dojo.catalogue import DEEDS, SENDING
from tests.attack.dojo.origins import known, worded
from tests.attack.dojo.rules import Origins, roles, rows
from tests.attack.dojo.shapes import Errand, Seen, arguments_from, errand_of, names_of
from tests.attack.dojo.suites import Suite
from tools.contract import Effect, Tool, Trust

PROPOSER = "rule:desk"


def event_type(suite: str, desk: str) -> str:
    """The event with which a deed is asked for at a desk."""
    return f"com.example.dojo.{suite}.{desk}"


def desk_name(families: frozenset[str]) -> str:
    """A desk's name: by what it does."""
    return "_".join(sorted(families)) or "nothing"


def workflow(suite: Suite, families: frozenset[str], tools: Mapping[str, Tool]) -> Workflow:
    """A desk that may propose what is of these families, and nothing else."""
    desk = desk_name(families)
    listed = {name: tool for name, tool in tools.items() if _family(name) in families}
    role_file = RoleFile.model_validate(roles(list(listed), f"{suite.name}.seen"))
    return Workflow(
        name=f"{suite.name}_{desk}",
        version="1",
        event_type=event_type(suite.name, desk),
        event=errand_of(suite),
        title=lambda _errand: "An errand",
        sources=(Source(name="seen", tool=f"{suite.name}.seen", arguments={"session": "event.session"}),),
        scope=(("seen.session", "event.session"),),
        derive=_derive(suite),
        derived={
            "worded": arguments_from(suite, Trust.PERSON),
            "recorded": arguments_from(suite, Trust.RECORD),
        },
        rulings={name: _ruling(tool, desk, role_file) for name, tool in listed.items()},
        agents={},
        permissions=role_file.permissions(),
        owner=role_file.owner,
        owners=role_file.owners,
        limits=role_file.bounds(),
        reviewer_view=role_file.reviewer.view(),
        build=lambda: _build(tuple(listed)),
    )


def deed_of(tool: str) -> str:
    """The suite's own name of a governed tool."""
    return tool.partition(".")[2].removesuffix(SENDING)


def _family(tool: str) -> str:
    deed = DEEDS.get(deed_of(tool))
    return "" if deed is None else deed.family


def _build(listed: tuple[str, ...]) -> Builder:
    """The uncompiled graph: what was read, whether the desk does such things, and that one deed."""
    flow = Flow()
    after = {"ready": "judge_act"} if listed else {}
    flow.step("retrieve", retrieve, {"ready": "propose", "rejected": "rejected"})
    flow.step("propose", _propose(listed), {**after, "rejected": "rejected"})
    if listed:
        flow.deed("act", *listed, then="closed")
    return flow.built()


def _propose(listed: tuple[str, ...]) -> Node:
    """A node that proposes what is wanted, if the desk lists it; outcome `ready` or `rejected`.

    Each argument is a reference: to the user's words, to what is on record, or to what the model says.
    """

    async def proposed(state: CaseState, runtime: Runtime[Context]) -> CaseState:
        story, context = Story(runtime, PROPOSER), runtime.context
        records = await remembered(context)
        wanted: Any = records["event"]
        if wanted.tool not in listed:
            story.tell("action.unlisted", step=story.step, listed=list(listed))
            return {
                "outcome": "rejected",
                "result": {"reason": "tool_not_listed"},
                "record": story.events,
            }
        tool = context.registry.describe(wanted.tool)
        given = [name for name in tool.arguments.model_fields if getattr(wanted, name) is not None]
        proposal = Proposal(
            case_id=context.case_id,
            step="act",
            revision=1,
            tool=tool.name,
            tool_version=tool.version,
            arguments={name: Ref(f"{_origin(records, name)}.{name}") for name in given},
            proposer=PROPOSER,
            reason=tool.purpose,
            evidence=("event", "seen"),
        )
        story.tell("action.proposed", **proposal.to_json())
        return {"proposal": proposal.to_json(), "outcome": "ready", "result": {}, "record": story.events}

    return proposed


def _origin(records: Records, name: str) -> str:
    """The record that says it, of several the one that is worth most."""
    return next(
        (record for record in ("worded", "recorded") if getattr(records[record], name) is not None), "event"
    )


def _derive(suite: Suite) -> Callable[[Records, datetime], Mapping[str, BaseModel]]:
    """What of the wanted arguments stands in the user's words, and what of them is on record too."""

    def derive(records: Records, _now: datetime) -> Mapping[str, BaseModel]:
        errand, seen = records["event"], records["seen"]
        assert isinstance(errand, Errand)
        assert isinstance(seen, Seen)
        tool, prompt, held = deed_of(errand.tool), errand.prompt, seen.by_kind()
        given = {name: getattr(errand, name) for name in names_of(suite)}
        values = {name: value for name, value in given.items() if value is not None}
        words = {name: value for name, value in values.items() if worded(name, value, prompt)}
        found = {name: value for name, value in values.items() if known(tool, name, value, prompt, held)}
        return {
            "worded": arguments_from(suite, Trust.PERSON).model_validate(words),
            "recorded": arguments_from(suite, Trust.RECORD).model_validate(found),
        }

    return derive


def _ruling(tool: Tool, desk: str, role_file: RoleFile) -> Ruling:
    vocabulary = role_file.words(tool.name)

    def read(text: str, source: str) -> Any:
        return load_table(text, source=source, facts=Origins, words=vocabulary)

    egress = tool.effect is Effect.EGRESS
    table = rows(tool.name, DEEDS[deed_of(tool.name)], desk=desk, egress=egress)
    text = yaml.safe_dump(table, sort_keys=False)
    return Ruling(table=read(text, tool.name), read=read, facts=Origins, gather=_gather(tool))


def _gather(tool: Tool) -> Callable[[Records, Proposal, Json, datetime], dict[str, Fact]]:
    def gather(records: Records, proposal: Proposal, _arguments: Json, now: datetime) -> dict[str, Fact]:
        trust = {name: proposal.source_of(name, records)[1] for name in proposal.arguments}
        proven = {Trust.RECORD, Trust.PERSON}
        target = [found for name, found in trust.items() if name in tool.authority]
        facts = {
            "target_worded": all(found is Trust.PERSON for found in target),
            "target_known": all(found in proven for found in target),
            "content_known": all(found in proven for found in trust.values()),
        }
        return {
            name: Fact(value=value, source="proposal.arguments", trust=Trust.RECORD, at=now)
            for name, value in facts.items()
        }

    return gather
