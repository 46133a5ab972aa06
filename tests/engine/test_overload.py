"""More events than can be worked: some are refused, what is accepted ends once, and it passes by itself."""

from http import HTTPStatus
from pathlib import Path

from checkpoints.embedded import EmbeddedPostgres
from graphs.settings import Room
from tests.overload import opened, overload


async def test_of_more_than_can_be_worked_nothing_that_was_accepted_is_lost_and_it_passes(
    postgres: EmbeddedPostgres, templates: None, tmp_path: Path
) -> None:
    async with opened(postgres, tmp_path, Room(most=4, most_of_one=4)) as shop:
        outcome = await overload(shop, seconds=4, factor=20, warming=4, signed=1)

    assert outcome.refused > 0, "it was more than could be worked"
    assert outcome.accepted + outcome.refused == outcome.offered
    assert (outcome.odd, outcome.lost, outcome.doubled) == (0, 0, 0)
    assert len(outcome.decided) == 1, "and people decided meanwhile"
    assert outcome.again == (HTTPStatus.ACCEPTED, "closed"), "afterwards an event is accepted again"
