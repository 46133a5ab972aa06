"""A short run of chaos: every kind of fault once; then all is as it must be. `uv run poe chaos` runs long."""

from tests.chaos.plan import drawn
from tests.chaos.run import run
from tests.chaos.tally import COLUMNS, kind_of

CASES, SEED = 40, 1


async def test_in_a_short_run_of_chaos_nothing_is_lost_doubled_unapproved_or_hidden() -> None:
    result = await run(CASES, SEED)

    assert result.broken == []
    assert result.counts == dict.fromkeys(COLUMNS, 0)
    assert result.cases == CASES
    assert result.ends.total() == CASES
    assert result.effects >= result.ends["closed"]


def test_the_same_seed_draws_the_same_plan() -> None:
    one, again, other = drawn(7, 100), drawn(7, 100), drawn(8, 100)

    assert (one.amounts, one.bursts) == (again.amounts, again.bursts)
    assert one.manner(3, 1) is again.manner(3, 1)
    assert one.amounts != other.amounts


def test_what_is_broken_counts_in_the_column_that_it_begins_with_and_else_as_lost() -> None:
    assert [kind_of(f"{column}: something") for column in COLUMNS] == list(COLUMNS)
    assert kind_of("log: it tells of a deed that there is not") == "hidden"
    assert kind_of("without its grant: something") == "unapproved"
    assert kind_of("asked twice: something") == "doubled"
    assert kind_of("something nobody has thought of") == "lost"
