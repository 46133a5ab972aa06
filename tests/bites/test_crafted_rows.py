"""A checkpoint row that somebody crafted: nothing it names is called, nothing is done, and it is told."""

from pathlib import Path

import pytest

from checkpoints.cases import Status
from checkpoints.votes import VoteKind
from graphs.wiring import Parts
from tests.checkpoints.test_serializer import CRAFTED, Craft
from tests.house import LEE, House
from tests.stories.reviewing import told

LEADS = "clean_120_00_1"
ROWS = {
    "a channel": "UPDATE checkpoint_blobs SET type = %s, blob = %s WHERE thread_id = %s AND type = 'msgpack'",
    "a write": "UPDATE checkpoint_writes SET type = %s, blob = %s WHERE thread_id = %s",
}


@pytest.mark.parametrize("craft", CRAFTED.values(), ids=CRAFTED.keys())
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
async def test_a_crafted_row_blocks_its_case_and_does_nothing(
    parts: Parts, house: House, tmp_path: Path, row: str, craft: Craft
) -> None:
    review = await house.review((await house.after(LEADS)).id)
    kind, blob = craft(tmp_path / "made")
    await house.rows(row, kind, blob, review.case_id)
    case = await house.decided(review, LEE, VoteKind.APPROVE)

    assert not (tmp_path / "made").exists()
    assert (case.status, case.reason, case.owner) == (Status.BLOCKED, "foreign_checkpoint", "operations")
    (event,) = await told(house, case.id, "case.blocked")
    assert (event["by"], event["error"]) == ("system:runner", "ForeignCheckpoint")
    assert await house.effects(case.id) == []
