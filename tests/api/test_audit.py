"""/audit: the newest signed head and proofs, checked by a caller who has the answers and a key alone."""

from datetime import UTC, datetime
from typing import Any

from checkpoints.audit import Event, tell
from checkpoints.audit_tree import grow_tree
from checkpoints.audit_verify import event_of
from checkpoints.notes import VerifierKey, read_note
from checkpoints.proofs import proves_consistency, proves_inclusion
from tests.api.door import Door, problem

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


async def told(door: Door, *names: str) -> None:
    events = [
        Event(id=name, case_id=None, kind="test.told", actor="person:lee", at=NOW, data={}) for name in names
    ]
    async with door.house.parts.database.transaction() as tx:
        await tell(tx, *events)


async def grown(door: Door) -> None:
    parts = door.house.parts
    async with parts.database.connection() as connection:
        while await grow_tree(connection, parts.clock, parts.signer):
            pass


def path_of(proof: dict[str, Any]) -> list[bytes]:
    return [bytes.fromhex(one) for one in proof["path"]]


async def test_an_event_is_proved_to_be_under_a_signed_head(door: Door) -> None:
    await door.house.after("clean_29_90_1")
    await grown(door)
    key = VerifierKey.parse(str(door.house.parts.signer.key))
    rows = await door.house.rows("SELECT id, case_id, kind, actor, at, data FROM audit_events")

    head = await door.get("lee", "/audit/head")
    signed = read_note(head["note"], [key])
    assert (head["size"], head["root"], head["key"]) == (signed.size, signed.root.hex(), str(key))
    for row in rows[:3] + rows[-3:]:
        proof = await door.get("lee", "/audit/proofs/inclusion", event=row["id"])
        assert proof["size"] == signed.size
        assert proves_inclusion(
            leaf=event_of(row).leaf,
            index=proof["index"],
            size=signed.size,
            path=path_of(proof),
            root=signed.root,
        )


async def test_a_later_head_is_proved_to_begin_with_an_earlier_one(door: Door) -> None:
    await told(door, "one", "two", "three")
    await grown(door)
    earlier = await door.get("lee", "/audit/head")
    await told(door, "four", "five")
    await grown(door)
    later = await door.get("lee", "/audit/head")

    proof = await door.get("lee", "/audit/proofs/consistency", **{"from": earlier["size"]})

    assert (proof["second"], proof["second_root"]) == (later["size"], later["root"])
    assert proves_consistency(
        first=earlier["size"],
        first_root=bytes.fromhex(earlier["root"]),
        second=later["size"],
        second_root=bytes.fromhex(later["root"]),
        path=path_of(proof),
    )


async def test_the_note_alone_is_text(door: Door) -> None:
    await told(door, "one")
    await grown(door)

    response = await door.ask("lee", "GET", "/audit/head", headers={"Accept": "text/plain"})

    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.text == (await door.get("lee", "/audit/head"))["note"]


async def test_what_has_no_head_or_proof_is_answered_with_why(door: Door) -> None:
    response = await door.ask("lee", "GET", "/audit/head")
    assert "under a signed head" in problem(response, 409, "not-in-the-tree")["detail"]

    await told(door, "one", "two")
    inclusion, consistency = "/audit/proofs/inclusion", "/audit/proofs/consistency"
    waiting = await door.ask("lee", "GET", inclusion, params={"event": "one"})
    assert "not in the tree yet" in problem(waiting, 409, "not-in-the-tree")["detail"]
    await grown(door)
    size = (await door.get("lee", "/audit/head"))["size"]
    for params in ({"event": "one", "size": size + 1}, {"event": "two", "size": 1}):
        problem(await door.ask("lee", "GET", inclusion, params=params), 422, "size-unfit")
    problem(await door.ask("lee", "GET", inclusion, params={"event": "nowhere"}), 404, "event-not-found")
    for params in ({"from": 1, "to": size + 1}, {"from": 2, "to": 1}, {"from": size + 1}):
        problem(await door.ask("lee", "GET", consistency, params=params), 422, "size-unfit")


async def test_what_is_no_size_and_no_id_is_refused(door: Door) -> None:
    for params in (
        {},
        {"event": ""},
        {"event": "x", "size": 0},
        {"event": "x", "size": "x"},
        {"event": "\0"},
    ):
        response = await door.ask("lee", "GET", "/audit/proofs/inclusion", params=params)
        problem(response, 422, "request-unfit")
    for sizes in ({}, {"from": 0}, {"from": -1}, {"from": 2**63}, {"from": 1, "to": 0}):
        response = await door.ask("lee", "GET", "/audit/proofs/consistency", params=sizes)
        problem(response, 422, "request-unfit")


async def test_the_report_says_how_many_heads_are_signed(door: Door) -> None:
    await told(door, "one")

    report = await door.get("lee", "/audit/verify")

    assert report["holds"]
    assert (report["heads"], report["unsigned"], report["anchored"]) == (1, 0, 0)
