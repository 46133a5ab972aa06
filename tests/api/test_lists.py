"""Lists come in pages: newest first, each row once, whatever the size of a page."""

import base64

import pytest

from tests.api.door import Door, Json, problem

SCENES = ("clean_29_90_1", "clean_29_90_2", "clean_120_00_1", "clean_120_00_2", "clean_640_00_1", "usd")
CURSORS = {
    "words": "nonsense",
    "letters of other alphabets": "ü",
    "nothing": "",
    "NUL": "\x00",
    "base64 of words": base64.urlsafe_b64encode(b"yesterday|x").decode(),
    "a time without a zone": base64.urlsafe_b64encode(b"2026-11-20T12:00:00|x").decode(),
    "a time that is none": base64.urlsafe_b64encode(b"2026-13-20T12:00:00+00:00|x").decode(),
    "NUL in the id": base64.urlsafe_b64encode(b"2026-11-20T12:00:00+00:00|\x00").decode(),
    "bytes that are no UTF-8": base64.urlsafe_b64encode(b"\xff\xfe|x").decode(),
}


async def test_pages_of_any_size_hold_every_case_once_newest_first(door: Door) -> None:
    """The clock stands still, so that all cases are of the same instant: ids decide between them."""
    opened = [await door.opened(scene) for scene in SCENES]

    for limit in range(1, len(SCENES) + 2):
        pages = await _pages(door, "/cases", limit)
        assert [item["id"] for page in pages for item in page] == sorted(opened, reverse=True)
        assert all(len(page) == limit for page in pages[:-1])
        assert pages[-1]


async def test_rows_that_are_added_meanwhile_do_not_move_the_pages(door: Door) -> None:
    opened = [await door.opened(scene) for scene in SCENES[:3]]
    first = await door.get("lee", "/cases", limit=2)
    await door.opened(SCENES[3])
    second = await door.get("lee", "/cases", limit=2, after=first["next"])

    assert [item["id"] for item in first["items"] + second["items"]] == sorted(opened, reverse=True)


async def test_reviews_and_timelines_come_in_pages_too(door: Door) -> None:
    reviews = [await door.waiting(scene) for scene in ("clean_120_00_1", "clean_120_00_2", "clean_640_00_1")]
    listed = [item["id"] for page in await _pages(door, "/reviews", 1) for item in page]
    assert listed == sorted((review["id"] for review in reviews), reverse=True)

    path = f"/cases/{reviews[0]['case_id']}/timeline"
    whole = (await door.get("lee", path))["items"]
    for limit in (1, 2, len(whole), len(whole) + 1):
        assert [event for page in await _pages(door, path, limit) for event in page] == whole


async def test_cases_are_filtered_by_status_and_workflow(door: Door) -> None:
    waiting = (await door.waiting("clean_120_00_1"))["case_id"]
    closed = await door.opened("clean_29_90_1")
    await door.house.work()

    assert await _ids(door, status="waiting_review") == [waiting]
    assert await _ids(door, status="closed") == [closed]
    assert await _ids(door, status="failed") == []
    assert await _ids(door, workflow="refund", status="closed") == [closed]
    assert await _ids(door, workflow="vendor") == []


async def test_filters_hold_on_every_page(door: Door) -> None:
    for scene in ("clean_29_90_1", "clean_120_00_1", "clean_29_90_2", "clean_120_00_2"):
        await door.opened(scene)
    await door.house.work()

    pages = await _pages(door, "/cases", 1, status="closed")
    assert [item["status"] for page in pages for item in page] == ["closed", "closed"]


async def test_an_empty_list_is_one_empty_page(door: Door) -> None:
    assert await door.get("lee", "/cases") == {"items": [], "next": None}
    assert await door.get("lee", "/reviews") == {"items": [], "next": None}
    assert await door.get("lee", "/notifications") == {"items": [], "next": None}


async def test_a_cursor_that_is_none_is_a_bad_request(door: Door, subtests: pytest.Subtests) -> None:
    case_id = await door.opened(SCENES[0])
    for path in ("/cases", "/reviews", "/notifications", f"/cases/{case_id}/timeline"):
        for name, cursor in CURSORS.items():
            with subtests.test(f"{name} after {path}"):
                response = await door.ask("lee", "GET", path, params={"after": cursor})
                assert "cursor" in problem(response, 400, "unknown-cursor")["detail"]


async def test_a_timeline_has_no_place_that_is_no_number(door: Door, subtests: pytest.Subtests) -> None:
    path = f"/cases/{await door.opened(SCENES[0])}/timeline"
    for place in ("-1", "1.5", "1e3", "\u0661", "9" * 30, "0x1", " 1"):
        with subtests.test(place):
            problem(await door.ask("lee", "GET", path, params={"after": place}), 400, "unknown-cursor")
    assert (await door.get("lee", path, after=str(2**62)))["items"] == []


async def test_what_is_out_of_range_does_not_fit(door: Door, subtests: pytest.Subtests) -> None:
    wrong = [
        ("/cases", "limit", "0"),
        ("/cases", "limit", "201"),
        ("/cases", "limit", "-1"),
        ("/cases", "limit", "many"),
        ("/cases", "limit", "1.5"),
        ("/cases", "limit", "9" * 30),
        ("/cases", "after", "x" * 201),
        ("/cases", "status", "open"),
        ("/cases", "status", "closed' OR true --"),
        ("/cases", "workflow", "Refund!"),
        ("/cases", "workflow", "x" * 41),
        ("/reviews", "limit", "0"),
        ("/reviews", "limit", "201"),
        ("/reviews", "status", "closed"),
        ("/notifications", "limit", "201"),
        ("/notifications", "state", "lost"),
    ]
    for path, name, value in wrong:
        with subtests.test(f"{path}?{name}={value[:20]}"):
            response = await door.ask("lee", "GET", path, params={name: value})
            (field,) = problem(response, 422, "request-unfit")["fields"]
            assert field["field"] == f"query.{name}"


async def _pages(door: Door, path: str, limit: int, **filters: str) -> list[list[Json]]:
    page = await door.get("lee", path, limit=limit, **filters)
    pages = [page["items"]]
    while page["next"] is not None:
        page = await door.get("lee", path, limit=limit, after=page["next"], **filters)
        pages.append(page["items"])
    return pages


async def _ids(door: Door, **filters: str) -> list[str]:
    return [case["id"] for case in (await door.get("lee", "/cases", **filters))["items"]]
