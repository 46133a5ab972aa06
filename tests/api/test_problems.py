"""Whatever goes wrong, the answer is a problem document that helps the caller and gives nothing away."""

import httpx
import pytest

from api.access import PERMISSIONS
from api.app import create_app
from api.errors import STATUS
from api.serve import listening
from checkpoints.errors import DatabaseAway, DatabaseUnusable
from graphs.settings import Settings
from graphs.wiring import Parts
from tests.api.door import Door, Json, problem
from tools.contract import ToolError

SECRET = "SELECT secret FROM /srv/app at db.internal.example"


async def test_an_address_that_is_not_there_says_where_to_look(door: Door) -> None:
    response = await door.ask("lee", "GET", "/nowhere")
    assert "/openapi.json" in problem(response, 404, "not-found")["detail"]


async def test_a_method_that_is_not_taken_says_which_is(door: Door) -> None:
    response = await door.ask("lee", "DELETE", "/cases")
    assert problem(response, 405, "method-not-allowed")["detail"] == "this address takes GET, not DELETE"
    assert response.headers["allow"] == "GET"


async def test_the_openapi_document_is_3_1_and_every_operation_says_what_it_answers(door: Door) -> None:
    document = (await door.http.get("/openapi.json")).json()

    assert document["openapi"].startswith("3.1.")
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert (
        len(operations)
        == len({one.on for role in PERMISSIONS.roles.values() for one in role.permissions}) - 1
    )  # the document does not list itself
    for operation in operations:
        for status, content in _contents(operation).items():
            assert content, f"{operation['operationId']} says nothing about {status}"
        assert {"4XX", "5XX"} <= operation["responses"].keys()
        assert "application/problem+json" in operation["responses"]["4XX"]["content"]
    assert "HTTPValidationError" not in document["components"]["schemas"]


async def test_every_reference_of_the_openapi_document_leads_somewhere(door: Door) -> None:
    response = await door.http.get("/openapi.json")
    schemas = response.json()["components"]["schemas"]
    references = {part.split('"')[0] for part in response.text.split('"#/components/schemas/')[1:]}
    assert references
    assert references <= schemas.keys()


async def test_what_fails_behind_us_is_503_and_the_log_alone_says_what(
    parts: Parts, settings: Settings, caplog: pytest.LogCaptureFixture, subtests: pytest.Subtests
) -> None:
    for error, kind in (
        (DatabaseAway(SECRET), "database-away"),
        (DatabaseUnusable(SECRET), "database-unusable"),
        (ToolError(SECRET), "tool-error"),
    ):
        with subtests.test(kind):
            caplog.clear()
            response = await _answer_after(parts, settings, error)
            detail = problem(response, 503, kind)["detail"]
            assert SECRET not in response.text
            said = "ToolError" if isinstance(error, ToolError) else SECRET  # what systems say stays there
            assert [record.getMessage() for record in caplog.records] == [f"{detail}: {said}"]


async def test_what_nobody_foresaw_is_500_without_a_word_about_it(
    parts: Parts, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    response = await _answer_after(parts, settings, RuntimeError(SECRET))

    assert problem(response, 500, "unforeseen")["detail"] == "this should not happen; it was logged"
    assert SECRET not in response.text
    (logged,) = [record.exc_info for record in caplog.records if record.exc_info]
    assert repr(logged[1]) == repr(RuntimeError(SECRET))


def test_no_two_states_of_affairs_have_the_same_name() -> None:
    assert len({kind.__name__ for kind in STATUS}) == len(STATUS)


async def _answer_after(parts: Parts, settings: Settings, error: Exception) -> httpx.Response:
    """What is answered when a route raises this; the route stands in for one that is open to all."""
    app = create_app(parts)

    @app.get("/failing", name="live")
    async def failing() -> None:
        raise error

    async with (
        listening(app, host="127.0.0.1", port=0) as url,
        httpx.AsyncClient(base_url=url, trust_env=False) as http,
    ):
        return await http.get("/failing")


def _contents(operation: Json) -> dict[str, Json]:
    """What the answers of an operation hold, by status."""
    found: dict[str, Json] = {}
    for status, answer in operation["responses"].items():
        (content,) = answer["content"].values()
        found[status] = content["schema"]
    return found
