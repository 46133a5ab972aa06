"""Rules change by a draft that another person approves; a case keeps the table it began with."""

import asyncio
from dataclasses import replace

import pytest

from checkpoints.cases import Status
from checkpoints.errors import RuleTableNotFound
from checkpoints.rule_tables import StoredTable, TableState, list_tables, tables_in_force
from graphs.closing import NotEligible
from graphs.roles import read_text
from graphs.rule_changes import DraftAlreadyDecided, DraftStale, RuleChanges
from graphs.rulebook import SHIPPED, Rulebook, VersionTaken
from graphs.settings import Settings
from graphs.wiring import open_parts
from nodes.permissions import Kind, Principal
from nodes.strict_yaml import TableUnfit
from tests.house import LEE, SHOP, House, ManualClock

RULES = read_text("graphs.refund", "rules.yaml")
KIT, KAI = (
    Principal(id=name, kind=Kind.PERSON, name=name.title(), roles=frozenset({"rule_keeper"}), human=name)
    for name in ("kit", "kai")
)
SMALL, MIDDLE = "clean_29_90_1", "clean_49_99"


def stricter(version: str = "stricter") -> str:
    """The refund's table with 40 where it had 50, its examples moved with it."""
    text = RULES.replace('version: "2026-11-27"', f'version: "{version}"')
    text = text.replace("{below: 50.00 EUR}", "{below: 40.00 EUR}").replace("[50.00 EUR", "[40.00 EUR")
    text = text.replace("49.99 EUR, window_total: 49.99", "39.99 EUR, window_total: 39.99")
    assert text != RULES
    return text


@pytest.fixture
def changes(house: House) -> RuleChanges:
    return RuleChanges(house.parts)


async def in_force(changes: RuleChanges) -> str:
    async with changes.parts.database.transaction() as tx:
        return (await tables_in_force(tx, "refund"))["payments.refund"]


async def every_table(changes: RuleChanges) -> list[str]:
    async with changes.parts.database.transaction() as tx:
        return [table.digest for table in (await list_tables(tx, limit=100)).items]


async def drafted(changes: RuleChanges, version: str = "stricter") -> StoredTable:
    return await changes.draft("refund", stricter(version), "Too much went out.", KIT)


async def told(house: House, kind: str) -> list[dict[str, object]]:
    rows = await house.rows("SELECT data FROM audit_events WHERE kind = %s ORDER BY seq", kind)
    return [dict(row["data"]) for row in rows]


async def test_what_is_shipped_is_in_force_at_the_first_start_and_on_the_record(house: House) -> None:
    shipped = house.parts.workflows["refund"].rulings["payments.refund"].table
    assert await in_force(RuleChanges(house.parts)) == shipped.digest
    begun = [event for event in await told(house, "rules.in_force") if event["workflow"] == "refund"]
    assert {event["tool"] for event in begun} == {
        "payments.refund",
        "tickets.reply",
        "payments.reverse_refund",
        "tickets.retract_reply",
    }


async def test_a_draft_changes_nothing_until_another_person_approves_it(
    house: House, changes: RuleChanges
) -> None:
    before = await in_force(changes)
    draft = await drafted(changes)
    assert (await house.after(SMALL)).status is Status.CLOSED
    assert await in_force(changes) == before

    await changes.decide(draft.digest, KAI, approve=True, comment=None)

    assert await in_force(changes) == draft.digest
    assert (await house.after(MIDDLE)).status is Status.WAITING_REVIEW
    (decided,) = [event for event in await told(house, "rules.in_force") if event["replaces"]]
    assert decided["replaces"] == before
    assert decided["changes"] == draft.changes
    touched = {f"row RF-{n}" for n in (81, 82, 83, 84, 85, 91)}
    assert {change["where"] for change in draft.changes} == touched


async def test_a_case_keeps_the_table_it_began_with(house: House, changes: RuleChanges) -> None:
    early = await house.send(MIDDLE)
    draft = await drafted(changes)
    await changes.decide(draft.digest, KAI, approve=True, comment=None)
    await house.work()

    assert (await house.case(early.id)).status is Status.CLOSED
    shipped = house.parts.workflows["refund"].rulings["payments.refund"].table
    verdicts = [event for event in await house.events(early.id) if event["kind"] == "effect.intended"]
    assert verdicts[0]["data"]["verdict"]["table"]["digest"] == shipped.digest


async def test_a_signature_is_good_after_the_table_has_changed(house: House, changes: RuleChanges) -> None:
    case = await house.after("clean_120_00_1")
    await changes.decide((await drafted(changes)).digest, KAI, approve=True, comment=None)
    assert (await house.decided(await house.review(case.id), LEE)).status is Status.CLOSED


async def test_nobody_approves_their_own_draft_under_any_of_their_names(
    house: House, settings: Settings, changes: RuleChanges
) -> None:
    draft = await drafted(changes)
    for who in (KIT, LEE, SHOP, replace(SHOP, roles=frozenset({"rule_keeper"}))):
        with pytest.raises(NotEligible):
            await changes.decide(draft.digest, who, approve=True, comment=None)
    assert len(await told(house, "rules.denied")) == 4
    assert await in_force(changes) != draft.digest


@pytest.mark.parametrize("who", [LEE, SHOP], ids=["no keeper", "a service"])
async def test_only_who_keeps_the_rules_drafts_them(
    house: House, changes: RuleChanges, who: Principal
) -> None:
    with pytest.raises(NotEligible):
        await changes.draft("refund", stricter(), "Why not.", who)
    assert len(await told(house, "rules.denied")) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("fraud_signals: {at_least: 1}", "fraud_signal: {at_least: 1}"),
        ("by: [finance]", "by: [finanze]"),
        ("tool: payments.refund", "tool: payments.steal"),
        ("format: 1", "format: 2"),
        ("[40.00 EUR, 500.00 EUR]", "[500.00 EUR, 40.00 EUR]"),
        ("rows:", "rows: &all"),
    ],
)
async def test_a_broken_draft_is_refused_and_what_is_in_force_stays(
    house: House, changes: RuleChanges, old: str, new: str
) -> None:
    before, known = await in_force(changes), await every_table(changes)
    text = stricter().replace(old, new) + ("again: *all" if "&" in new else "")
    with pytest.raises(TableUnfit):
        await changes.draft("refund", text, "A try.", KIT)
    assert await in_force(changes) == before
    assert await every_table(changes) == known


async def test_a_draft_is_decided_once_even_by_two_at_once(house: House, changes: RuleChanges) -> None:
    draft = await drafted(changes)
    others = [replace(KAI, id=f"k{n}", human=f"k{n}") for n in range(6)]
    ends = await asyncio.gather(
        *(changes.decide(draft.digest, who, approve=True, comment=None) for who in others),
        return_exceptions=True,
    )
    assert sum(isinstance(end, StoredTable) for end in ends) == 1
    assert all(isinstance(end, StoredTable | DraftAlreadyDecided) for end in ends)


async def test_a_draft_against_a_table_that_is_no_longer_in_force_is_stale(changes: RuleChanges) -> None:
    first, second = await drafted(changes, "one"), await drafted(changes, "two")
    await changes.decide(first.digest, KAI, approve=True, comment=None)
    with pytest.raises(DraftStale):
        await changes.decide(second.digest, KAI, approve=True, comment=None)


async def test_a_rejected_draft_cannot_be_put_in_force_and_a_version_is_used_once(
    changes: RuleChanges,
) -> None:
    draft = await drafted(changes)
    rejected = await changes.decide(draft.digest, KAI, approve=False, comment="Not now.")
    assert rejected.state is TableState.REJECTED
    with pytest.raises(DraftAlreadyDecided):
        await changes.decide(draft.digest, KAI, approve=True, comment=None)
    with pytest.raises(VersionTaken):
        await drafted(changes)
    with pytest.raises(VersionTaken):
        await changes.draft("refund", RULES, "The same again.", KIT)
    with pytest.raises(RuleTableNotFound):
        await changes.decide("0" * 64, KAI, approve=True, comment=None)


async def test_a_shipped_table_that_differs_is_a_draft_after_the_next_start(
    house: House, changes: RuleChanges, settings: Settings, clock: ManualClock
) -> None:
    workflow = house.parts.workflows["refund"]
    newer = workflow.with_tables(
        {"payments.refund": workflow.rulings["payments.refund"].read(stricter(), "x")}
    )
    await house.parts.rulebook.adopt_shipped([newer], clock())
    await house.parts.rulebook.adopt_shipped([newer], clock())

    async with house.parts.database.transaction() as tx:
        drafts = (await list_tables(tx, limit=10, state=TableState.DRAFT)).items
    assert [(draft.version, draft.drafted_by) for draft in drafts] == [("stricter", SHIPPED)]
    assert await in_force(changes) != drafts[0].digest
    await changes.decide(drafts[0].digest, KIT, approve=True, comment=None)
    async with open_parts(settings, clock=clock):
        assert await in_force(changes) == drafts[0].digest, "an older file does not come back by a restart"


async def test_a_case_whose_table_cannot_be_read_any_more_is_blocked_with_its_reason(house: House) -> None:
    case = await house.send(SMALL)
    await house.rows("UPDATE cases SET rules = jsonb_set(rules, '{payments.refund}', '\"gone\"')")
    await house.rows(
        "INSERT INTO rule_tables SELECT 'gone', workflow, tool, 'gone', replace(source, 'agent_total', 'x'),"
        " 'retired', NULL, changes, note, drafted_by, drafted_eyes, drafted_at FROM rule_tables"
        " WHERE tool = %s",
        "payments.refund",
    )
    changed = House(replace(house.parts, rulebook=Rulebook(house.parts.database)))
    await changed.work()

    after = await house.case(case.id)
    assert (after.status, after.reason, after.owner) == (Status.BLOCKED, "rules_unfit", "operations")
    assert await house.effects(case.id) == []


async def test_a_draft_by_an_account_that_is_gone_is_still_its_humans(
    house: House, settings: Settings, changes: RuleChanges
) -> None:
    second = replace(KIT, id="kit_two")
    draft = await changes.draft("refund", stricter(), "By the other account.", second)
    with pytest.raises(NotEligible, match="whoever drafted it"):
        await changes.decide(draft.digest, KIT, approve=True, comment=None)
    assert house.parts.people.person("person:kit_two") is None
