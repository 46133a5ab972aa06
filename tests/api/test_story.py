"""What happened in a case can be read from the outside, from its event to its receipt."""

from checkpoints.sealing import TOKEN
from tests.api.door import Door, problem
from tools.sandbox.cast import CAST

LEADS = "clean_120_00_1"


async def test_the_timeline_tells_the_whole_story_in_order(door: Door) -> None:
    review = await door.waiting(LEADS)
    await door.vote("finn", review)
    await door.vote("lee", review, comment="Seen the photo.")
    await door.house.work()

    events = (await door.get("reader", f"/cases/{review['case_id']}/timeline", limit=200))["items"]

    wanted = [
        "event.received",
        "verdict.given",
        "review.opened",
        "vote.denied",
        "vote.cast",
        "review.approved",
        "gate.passed",
        "effect.intended",
        "effect.done",
    ]
    kinds = [event["kind"] for event in events]
    places = [kinds.index(kind) for kind in wanted]
    assert places == sorted(places), kinds
    assert kinds.count("effect.done") == 2
    assert [event["seq"] for event in events] == sorted(event["seq"] for event in events)
    actors = {event["kind"]: event["actor"] for event in events}
    assert (actors["event.received"], actors["vote.denied"]) == ("service:shop", "person:finn")
    assert (actors["vote.cast"], actors["review.approved"]) == ("person:lee", "person:lee")
    (cast,) = [event for event in events if event["kind"] == "vote.cast"]
    assert TOKEN.fullmatch(cast["data"]["comment"])
    assert await door.house.opened(review["case_id"], cast["data"]["comment"]) == "Seen the photo."
    (intent,) = [
        e for e in events if e["kind"] == "effect.intended" and e["data"]["tool"] == "payments.refund"
    ]
    assert intent["data"]["digest"] == review["digest"]
    assert intent["data"]["basis"]["people"][0]["person"] == "person:lee"


async def test_a_case_shows_its_event_its_reviews_and_its_deeds(door: Door) -> None:
    review = await door.waiting(LEADS)
    await door.vote("lee", review)
    await door.house.work()

    case = await door.get("reader", f"/cases/{review['case_id']}")

    assert (case["status"], case["title"]) == ("closed", f"Refund for order {CAST[LEADS].order_id}")
    assert case["event"]["ticket_id"] == CAST[LEADS].ticket_id
    assert [(shown["id"], shown["status"]) for shown in case["reviews"]] == [(review["id"], "approved")]
    refund, reply = case["effects"]
    assert (refund["tool"], refund["state"], refund["attempts"]) == ("payments.refund", "done", 1)
    assert (reply["tool"], reply["state"]) == ("tickets.reply", "done")
    (paid,) = await door.house.refunds(CAST[LEADS].order_id)
    assert refund["receipt"]["refund_id"] == paid["refund_id"]
    assert refund["receipt"]["amount_minor"] == 12000


async def test_a_case_that_nobody_could_decide_says_why_and_whose_it_is(door: Door) -> None:
    case_id = await door.opened("fraud_customer")
    await door.house.work()

    case = await door.get("lee", f"/cases/{case_id}")
    assert (case["status"], case["reason"], case["owner"]) == ("escalated", "fraud_signal", "fraud_team")
    assert case["effects"] == []


async def test_a_case_that_is_not_there_is_not_found(door: Door) -> None:
    for path in ("/cases/nowhere", "/cases/nowhere/timeline"):
        body = problem(await door.ask("lee", "GET", path), 404, "case-not-found")
        assert "nowhere" in body["detail"]


async def test_the_log_holds_after_all_that_people_can_do(door: Door) -> None:
    review = await door.waiting(LEADS)
    await door.vote("finn", review)
    await door.vote("shop", review)
    await door.vote("lee", review)
    await door.house.work()

    report = await door.get("lee", "/audit/verify")

    (row,) = await door.house.rows("SELECT count(*) AS events FROM audit_events")
    assert (report["holds"], report["faults"]) == (True, [])
    assert report["events"] == report["size"] == row["events"]
    assert len(report["root"]) == 64


async def test_a_log_that_was_altered_does_not_hold(door: Door) -> None:
    await door.opened(LEADS)
    await door.get("lee", "/audit/verify")
    await door.house.tamper("UPDATE audit_events SET actor = 'person:max' WHERE kind = 'event.received'")

    report = await door.get("lee", "/audit/verify")

    assert not report["holds"]
    assert "event.received" in report["faults"][0]
    await door.house.tamper("UPDATE audit_events SET actor = 'service:shop' WHERE kind = 'event.received'")
