"""The record suffices: every verdict ever given is given again, bit for bit, from its own facts."""

from checkpoints.audit import history
from graphs.refund import KIT
from graphs.replay import differences, judged_again
from graphs.roles import read_text
from nodes.judge import VERDICTS
from nodes.shapes import Json
from tests.house import FINN, LEE, House

SCENES = (
    "clean_29_90_1",
    "clean_120_00_1",
    "clean_640_00_1",
    "fraud_customer",
    "many_small_01",
    "many_small_02",
)


async def _told(house: House) -> list[Json]:
    async with house.parts.database.connection() as connection:
        return [dict(event) async for event in history(connection, VERDICTS)]


async def _decided(house: House) -> None:
    for scene in SCENES:
        case = await house.after(scene)
        for review in await house.open_reviews(case.id):
            await house.decided(review, FINN if review.ladder[0]["role"] == "finance" else LEE)


async def test_every_recorded_verdict_is_given_again_from_its_own_facts(house: House) -> None:
    await _decided(house)
    tables = {source.load().tool: (source.load(), source.facts) for source in KIT.tables()}

    told = await _told(house)

    assert {event["kind"] for event in told} == set(VERDICTS)
    assert {event["data"]["stage"] for event in told} == {"proposal", "execution"}
    for event in told:
        table, facts = tables[event["data"]["proposed_tool"]]
        assert judged_again(table, facts, event["data"]["facts"]).to_json() == event["data"]["verdict"]


async def test_each_fact_is_recorded_with_its_source_its_trust_and_its_time(house: House) -> None:
    await house.after("clean_29_90_1")

    for event in await _told(house):
        for name, fact in event["data"]["facts"].items():
            assert set(fact) - {"measured"} == {"value", "source", "trust", "at"}, name
            assert ("measured" in fact) is (name in {"window_total", "agent_total"})
            assert fact["trust"] == ("model" if fact["source"].startswith("agent:") else "record")


async def test_a_stricter_table_differs_on_the_cases_it_would_have_asked_about(house: House) -> None:
    await _decided(house)
    source = KIT.tables()[0]
    text = _stricter()

    async with house.parts.database.connection() as connection:
        found = [one async for one in differences(connection, source.load(), source.load(text), source.facts)]

    differing = {one.case_id for one in found if one is not None}
    events = {case["id"]: case["event_id"] for case in await house.rows("SELECT id, event_id FROM cases")}
    assert {events[case] for case in differing} == {"clean_29_90_1", "many_small_01"}
    assert {one.before.row for one in found if one is not None} <= {"RF-81", "RF-82", "RF-83"}
    assert {one.after.row for one in found if one is not None} == {"RF-91"}


def _stricter() -> str:
    """The refund's table with 20 where it had 50, its examples moved with it."""
    text = read_text("graphs.refund", "rules.yaml")
    text = text.replace("{below: 50.00 EUR}", "{below: 20.00 EUR}").replace("[50.00 EUR", "[20.00 EUR")
    text = text.replace("29.90", "19.90")
    return text.replace("49.99 EUR, window_total: 49.99", "19.99 EUR, window_total: 19.99")
