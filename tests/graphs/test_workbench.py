"""The workbench of notebooks: a database of its own, the same use cases as the API, and no powers beside."""

from datetime import timedelta
from pathlib import Path

import pytest

from checkpoints.cases import Status
from checkpoints.errors import ReviewAlreadyDecided
from graphs.closing import NotEligible
from graphs.notebook import NothingToDecide, Workbench, open_workbench, workbench
from graphs.views.cases import CaseView
from nodes.event import EventRefused
from nodes.shapes import Json
from tests.house import House

REFUND = "com.countersign.refund.requested"


def refund(number: int, **data: str) -> Json:
    asked = {"order_id": f"O-{number}", "customer_id": f"C-{number - 810_000}", "ticket_id": f"T-{number}"}
    return {**asked, "reason_code": "damaged", **data}


async def decided(bench: Workbench) -> tuple[CaseView, str]:
    """A refund that waited for a person, and all that is shown of it on the way."""
    case = await bench.after(REFUND, refund(900_014))
    review = await bench.review(case.id, "lee")
    bench.wait(timedelta(minutes=5))
    case = await bench.vote(review, "lee", "approve", comment="It is broken.")
    views = (review, case, *await bench.verdicts(case.id), await bench.timeline(case.id))
    return case, "\n".join(map(repr, (*views, await bench.record(case.id))))


async def test_a_bench_has_a_database_of_its_own_whatever_is_configured(
    house: House, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("COUNTERSIGN_SANDBOX_URL", database_url)

    bench = await open_workbench()
    home = Path(bench.parts.people._path).parent
    case, first = await decided(bench)
    await bench.close()

    assert case.case.status is Status.CLOSED
    assert [effect.tool for effect in case.effects] == ["payments.refund", "tickets.reply"]
    assert await house.rows("SELECT id FROM cases") == []
    assert not home.exists()
    async with workbench() as again:
        assert (await decided(again))[1] == first


async def test_nobody_decides_on_a_bench_who_could_not_elsewhere() -> None:
    async with workbench(people={"lee": ["support_lead"], "max": ["support_lead"], "nora": []}) as bench:
        case = await bench.after(REFUND, refund(900_015))
        review = await bench.review(case.id, "lee")
        for who in ("nora", "stranger"):
            theirs = await bench.review(case.id, who)
            assert theirs.may.startswith(f"{who} may not: ")
            assert "arrived damaged" not in repr(theirs)
            with pytest.raises(NotEligible):
                await bench.vote(review, who, "approve")
        assert "arrived damaged" in repr(review)
        assert [event.kind for event in (await bench.timeline(case.id)).events].count("vote.denied") == 2

        difference = await bench.preview(review, "lee", amount_minor=9000)
        assert difference.changes == ({"field": "arguments.amount_minor", "before": 12000, "after": 9000},)
        await bench.edit(review, "lee", "Only a part.", amount_minor=9000)
        with pytest.raises(ReviewAlreadyDecided):
            await bench.vote(review, "max", "approve")
        with pytest.raises(NotEligible):
            await bench.vote(await bench.review(case.id, "lee"), "lee", "approve")
        case = await bench.vote(await bench.review(case.id, "max"), "max", "approve")
        assert case.effects[0].arguments["amount_minor"] == 9000
        with pytest.raises(NothingToDecide):
            await bench.review(case.id, "max")
        with pytest.raises(EventRefused):
            await bench.send(REFUND, refund(900_016, customer_id="C-90001"))
