"""Into a chat room: blocks and a text, in which nothing from outside is markup."""

import json
from datetime import timedelta

import pytest

from tests.fakes.receiver import receiver
from tests.tools.notices.messages import HOSTILE, MESSAGE, NOW, about
from tools.notices.endpoint import Endpoint
from tools.notices.slack import SlackSender, as_slack

MOST_IN_A_BLOCK = 3000


async def test_a_room_is_sent_a_text_and_blocks() -> None:
    async with receiver() as running:
        endpoint = Endpoint.at(running.url, timedelta(seconds=20), allow_private=True)
        await SlackSender(endpoint=endpoint).send(MESSAGE, NOW)

    (request,) = running.requests
    assert request.headers["content-type"] == "application/json"
    assert request.json["text"] == f"{MESSAGE.headline}\n{MESSAGE.link}"
    head, facts = (block["text"] for block in request.json["blocks"])
    assert head["text"] == f"*{MESSAGE.headline}*\n<{MESSAGE.link}|Open the review>"
    assert (facts["type"], facts["text"]) == ("plain_text", MESSAGE.text)


def test_markup_in_a_title_is_text() -> None:
    said = json.dumps(as_slack(about("<!channel> <https://evil.example|click> & more")))

    assert "<!" not in said
    assert "<https://evil" not in said
    assert "&lt;!channel&gt; &lt;https://evil.example|click&gt; &amp; more" in said


@pytest.mark.parametrize("title", HOSTILE)
def test_nothing_in_a_title_is_a_command_or_invisible(title: str) -> None:
    said = as_slack(about(title))

    head, facts = (block["text"]["text"] for block in said["blocks"])
    for text in (said["text"], head, facts):
        assert text.replace("\n", "").isprintable()
        assert len(text) <= MOST_IN_A_BLOCK
    assert "<" not in said["text"] + facts
    assert head.count("<") == 1, "the one link is ours"


def test_nothing_that_is_linked_is_fetched_by_the_room() -> None:
    said = as_slack(MESSAGE)

    assert (said["unfurl_links"], said["unfurl_media"]) == (False, False)
