"""The parent of an event over HTTP: an extension of its envelope, in both modes."""

import json

import pytest

from tests.api.door import Door, envelope, problem

SMALL, OTHER = "clean_29_90_1", "clean_29_90_2"


async def test_both_modes_of_an_event_can_name_the_parent(door: Door) -> None:
    parent = await door.opened(SMALL)
    event = envelope(OTHER)
    structured = await door.send(event | {"parent": parent})
    headers = {f"ce_{name}": event[name] for name in ("specversion", "source", "type")}
    body = json.dumps(event["data"]).encode()
    binary = await door.post(
        body, content_type="application/json", ce_id="another", ce_parent=parent, **headers
    )

    for response in (structured, binary):
        assert response.status_code == 202, response.text
        case = await door.house.case(response.json()["case_id"])
        assert (case.parent_id, case.depth) == (parent, 1)


@pytest.mark.parametrize("parent", ["", "a b", "x" * 65, 7, True])
async def test_a_parent_that_is_no_id_is_malformed(door: Door, parent: object) -> None:
    problem(await door.send(envelope(OTHER) | {"parent": parent}), 400, "event-malformed")


async def test_a_parent_that_is_not_there_is_refused(door: Door) -> None:
    refused = problem(await door.send(envelope(OTHER) | {"parent": "none"}), 422, "event-refused")
    assert refused["reason"] == "unknown_parent"
