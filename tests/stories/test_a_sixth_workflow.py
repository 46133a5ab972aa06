"""A workflow of one's own, all of it: a graph, a rule table, roles and a prompt, in a package anywhere."""

from dataclasses import replace
from pathlib import Path

import pytest

from graphs.intake import CloudEvent, Intake
from graphs.settings import Settings
from graphs.wiring import open_parts
from tests.house import LEE, SHOP, House, ManualClock

GRAPH = """
from graphs.flow import Flow
from graphs.kit import Judged, Kit, Mind
from nodes.action import Proposal, Ref
from nodes.agent import Output, Words
from nodes.ask import ask
from nodes.facts import Fact, Facts
from nodes.propose import propose
from nodes.records import Source
from nodes.retrieve import retrieve
from nodes.workflow import EventData
from tools.contract import Trust
class Written(EventData): ticket_id: str; customer_id: str; template: str
class Draft(Output): words: Words
class MayRead(Facts): open: bool
def draft(view):
    return Draft(words=f"{view['ticket']['subject']}: done.", confidence_percent=90, evidence=["ticket"])
def reply(state, context):  # every argument is a reference: three to records, one to what the agent said
    of = {"ticket_id": "ticket.ticket_id", "customer_id": "ticket.customer_id", "template": "event.template"}
    return Proposal(case_id=context.case_id, step="reply", revision=1, tool="tickets.reply", tool_version="1",
        arguments={name: Ref(path) for name, path in {**of, "body": "drafter.words"}.items()},
        proposer="agent:drafter", reason="The customer asked.", evidence=("ticket",))
def gather(records, proposal, arguments, now):
    is_open = records["ticket"].status == "open"
    return {"open": Fact(value=is_open, source="ticket.status", trust=Trust.RECORD, at=now)}
def build():
    flow = Flow()
    flow.step("retrieve", retrieve, {"ready": "draft", "rejected": "rejected"})
    flow.step("draft", ask("drafter"), {"ready": "reply"}, otherwise="uncertain")
    flow.step("reply", propose(reply), {"ready": "judge_send"}, otherwise="uncertain")
    flow.deed("send", "tickets.reply", then="closed")
    return flow.built()
KIT = Kit(package="sixth", name="sixth", version="1", event_type="com.example.written", event=Written,
    title=lambda event: "An answer", scope=(("ticket.customer_id", "event.customer_id"),), build=build,
    sources=(Source(name="ticket", tool="tickets.get", arguments={"ticket_id": "event.ticket_id"}),),
    judged=(Judged(tool="tickets.reply", file="rules.yaml", facts=MayRead, gather=gather,
        said={"body": ("drafter",)}),),
    agents={"drafter": Mind(Draft, draft)})
"""
RULES = """{format: 1, table: answers, version: "1", tool: tickets.reply, hit: unique, rows: [
 {id: A-1, says: Lead reads it., policy: AP-1, when: {open: true}, examples: [{open: true}],
  then: {review: own_words, by: [support_lead], due: 8h, risk: low}}],
 default: {investigate: no_rule_matches, owner: support_lead, leaves: [{open: false}]}}"""
ROLES = """{owner: support_lead, teams: [], currency: EUR, rules: {}, reads: [tickets.get], limits: {
 case: {steps: 50, model_calls: 5, tokens: 99, money: 0.00 EUR, asks: 3, wall_hours: 9, retries: 3, depth: 1},
 agent: {over_hours: 1, model_calls: 99, tokens: 99999, money: 0.00 EUR, asks: 99},
 workflow: {over_hours: 1, model_calls: 99, tokens: 99999, money: 0.00 EUR, asks: 99}},
 people: {support_lead: {decides: [tickets.reply], limit: 0.00 EUR}}, reviewer: {fields: [], clear: []},
 agents: {drafter: {version: "1", proposes: [tickets.reply], look_ups: [], model_calls: 2,
  patience_seconds: 9, fields: [ticket.subject], clear: [ticket.subject]}}}"""
DATA = {"ticket_id": "T-900001", "customer_id": "C-90001", "template": "answer"}
EVENT = CloudEvent(id="1", source="/shop", type="com.example.written", data=DATA)
FILES = {"__init__.py": GRAPH, "rules.yaml": RULES, "roles.yaml": ROLES, "prompts/drafter.md": "Answer it."}


async def test_a_workflow_is_a_package_that_is_named(
    tmp_path: Path, settings: Settings, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "sixth" / "prompts").mkdir(parents=True)
    for name, text in FILES.items():
        (tmp_path / "sixth" / name).write_text(text)
    async with open_parts(replace(settings, workflows=("sixth",)), clock=clock) as parts:
        house, (case, _) = House(parts), await Intake(parts).receive(EVENT, SHOP)
        await house.work()
        assert (await house.case(case.id)).status == "waiting_review"
        assert (await house.decided(await house.review(case.id), LEE)).status == "closed"
        assert [effect.state for effect in await house.effects(case.id)] == ["done"]
