"""Closing a review: once, whatever whoever closes it has read before."""

import pytest

from checkpoints.errors import ReviewAlreadyDecided
from checkpoints.reviews import ReviewStatus
from graphs.closing import close
from tests.house import LEE, House
from tests.stories.reviewing import waiting


async def test_a_review_is_closed_once_whatever_was_read_before(house: House) -> None:
    review = await waiting(house, "clean_120_00_1")
    await house.vote(review, LEE)

    with pytest.raises(ReviewAlreadyDecided):
        async with house.parts.database.transaction() as tx:
            await close(tx, house.parts, review, ReviewStatus.REJECTED, "person:max")

    (row,) = await house.rows("SELECT status FROM reviews WHERE id = %s", review.id)
    assert row["status"] == "approved"
