"""Desks: a workflow for each set of deeds that a user may ask for, made of the table of deeds."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, Field

from graphs.flow import Builder, Flow
from graphs.roles import RoleFile
from nodes.action import Proposal, Ref
from nodes.agent import Output, said
from nodes.ask import ask
from nodes.context import Context
from nodes.facts import Fact
from nodes.propose import propose
from nodes.records import Records, Source, UnresolvedReference
from nodes.retrieve import retrieve
from nodes.rule_lint import load_table
from nodes.shapes import Json
from nodes.state import CaseState
from nodes.workflow import EventData, Ruling, Workflow
from tests.attack.dojo.catalogue import DEEDS, SENDING
from tests.attack.dojo.origins import known, worded
from tests.attack.dojo.rules import Origins, roles, rows
from tests.attack.dojo.shapes import Seen, Session, output_of, proof_of
from tests.attack.dojo.suites import Suite
from tools.contract import Effect, FieldClass, Marked, Tool, Trust

ASSISTANT = "assistant"
PROPOSER = "rule:desk"


class Errand(EventData):
    """What a user asks for, in their own words."""

    session: Session
    prompt: Annotated[
        str, Field(max_length=8000), Marked(field_class=FieldClass.PERSONAL, trust=Trust.PERSON)
    ]


def event_type(suite: str, desk: str) -> str:
    """The event with which a user asks at a desk."""
    return f"com.example.dojo.{suite}.{desk}"


def desk_name(families: frozenset[str]) -> str:
    """A desk's name: by what it does."""
    return "_".join(sorted(families)) or "nothing"


def workflow(suite: Suite, families: frozenset[str], tools: Mapping[str, Tool]) -> Workflow:
    """A desk that may propose what is of these families, and nothing else."""
    desk = desk_name(families)
    listed = {name: tool for name, tool in tools.items() if _family(name) in families}
    role_file = RoleFile.model_validate(roles(list(listed), f"{suite.name}.seen"))
    output = output_of(suite)
    return Workflow(
        name=f"{suite.name}_{desk}",
        version="1",
        event_type=event_type(suite.name, desk),
        event=Errand,
        title=lambda _errand: "An errand",
        sources=(Source(name="seen", tool=f"{suite.name}.seen", arguments={"session": "event.session"}),),
        scope=(("seen.session", "event.session"),),
        derive=lambda _records, _now: {},
        conclude=_conclude(suite),
        derived={"worded": proof_of(suite, Trust.PERSON), "known": proof_of(suite, Trust.RECORD)},
        rulings={name: _ruling(tool, desk, role_file) for name, tool in listed.items()},
        agents={
            ASSISTANT: role_file.agent(ASSISTANT, output, "Do what the user asks for.", _nothing(output))
        },
        permissions=role_file.permissions(),
        owner=role_file.owner,
        owners=role_file.owners,
        limits=role_file.bounds(),
        reviewer_view=role_file.reviewer.view(),
        build=_build,
    )


def _family(tool: str) -> str:
    deed = DEEDS.get(tool.partition(".")[2].removesuffix(SENDING))
    return "" if deed is None else deed.family


def _nothing(output: type[Output]) -> Callable[[Json], Output]:
    return lambda _view: output(confidence_percent=0, evidence=[], tool="")  # type: ignore[call-arg]


def _build() -> Builder:
    """The uncompiled graph: what was read, what the model wants, and that one deed."""
    flow = Flow()
    flow.step("retrieve", retrieve, {"ready": "read", "rejected": "rejected"})
    flow.step("read", ask(ASSISTANT), {"ready": "propose", "blocked": "blocked"}, otherwise="uncertain")
    flow.step("propose", propose(_propose), {"ready": "judge_act"}, otherwise="uncertain", again="read")
    flow.deed("act", then="closed")
    return flow.built()


def _propose(state: CaseState, context: Context) -> Proposal:
    """What the model wants, each argument by reference: to the user's words, to what is known, or to its own."""
    wanted: Any = said(context.workflow.agents[ASSISTANT], state["findings"])
    tool = context.registry.describe(wanted.tool)
    given = [name for name in tool.arguments.model_fields if getattr(wanted, name) is not None]
    return Proposal(
        case_id=context.case_id,
        step="act",
        revision=1,
        tool=tool.name,
        tool_version=tool.version,
        arguments={name: Ref(f"{_claimed(wanted, name)}.{name}") for name in given},
        proposer=PROPOSER,
        reason=tool.purpose,
        evidence=("event", "seen"),
    )


def _claimed(wanted: Any, name: str) -> str:
    if name in wanted.said_by_user:
        return "worded"
    return "known" if name in wanted.on_record else ASSISTANT


def _conclude(suite: Suite) -> Callable[[Records, datetime], Mapping[str, BaseModel]]:
    """What is proven of what the model says: its claims are tried, never believed."""

    def conclude(records: Records, _now: datetime) -> Mapping[str, BaseModel]:
        wanted: Any = records.get(ASSISTANT)
        if wanted is None:
            return {}
        errand, seen = records["event"], records["seen"]
        assert isinstance(errand, Errand)
        assert isinstance(seen, Seen)
        tool = str(wanted.tool).partition(".")[2].removesuffix(SENDING)
        words = {name: getattr(wanted, name) for name in wanted.said_by_user}
        known_ = {name: getattr(wanted, name) for name in wanted.on_record}
        held = seen.by_kind()
        if false := [
            *(name for name, value in words.items() if not worded(name, value, errand.prompt)),
            *(name for name, value in known_.items() if not known(tool, name, value, errand.prompt, held)),
        ]:
            raise UnresolvedReference(f"it is said to be proven and is not: {', '.join(false)}")
        return {
            "worded": proof_of(suite, Trust.PERSON).model_validate(words),
            "known": proof_of(suite, Trust.RECORD).model_validate(known_),
        }

    return conclude


def _ruling(tool: Tool, desk: str, role_file: RoleFile) -> Ruling:
    deed = DEEDS[tool.name.partition(".")[2].removesuffix(SENDING)]
    vocabulary = role_file.words(tool.name)

    def read(text: str, source: str) -> Any:
        return load_table(text, source=source, facts=Origins, words=vocabulary)

    text = yaml.safe_dump(
        rows(tool.name, deed, desk=desk, egress=tool.effect is Effect.EGRESS), sort_keys=False
    )
    return Ruling(
        table=read(text, tool.name), read=read, facts=Origins, gather=_gather(tool), hears=(ASSISTANT,)
    )


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
