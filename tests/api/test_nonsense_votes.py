"""Votes and edits that make no sense: refused like any unfit request, whatever they are made of."""

import json

import pytest

from tests.api.door import Door, problem

LEADS = "clean_120_00_1"
RIGHT = {"op": "replace", "path": "/amount_minor", "value": 8000}
VALUES = ["NaN", "1e999", "-Infinity", "1e300", "1" * 4000, str(2**53), '"\\ud800"']
"""What JSON can say, and the record cannot keep."""


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
async def test_a_step_that_cannot_be_recorded_is_unfit_though_the_next_one_overwrites_it(
    door: Door, value: str
) -> None:
    review = await door.waiting(LEADS)
    first = json.dumps(RIGHT).replace("8000", value)
    body = f'{{"kind": "edit", "comment": "Less.", "patch": [{first}, {json.dumps(RIGHT)}]}}'
    headers = {"Content-Type": "application/json", "If-Match": f'"{review["digest"]}"'}
    path = f"/reviews/{review['id']}/votes"
    problem(await door.ask("lee", "POST", path, content=body, headers=headers), 422, "request-unfit")


async def test_an_answer_does_not_name_every_fault_of_a_body_that_is_nothing_but_faults(door: Door) -> None:
    review = await door.waiting(LEADS)
    body = {"kind": "approve"} | {f"k{number}": 1 for number in range(10_000)}
    answer = await door.ask("lee", "POST", f"/reviews/{review['id']}/votes", json=body)
    assert len(problem(answer, 422, "request-unfit")["fields"]) == 50
