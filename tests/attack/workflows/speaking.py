"""The same obeying model behind a real socket, as the real client and create_agent speak with it."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from nodes.agent import AgentRole, AgentUncertain, Brain, LookUp, Thought
from nodes.model_brain import UNTRUSTED, ModelBrain
from nodes.shapes import Json
from tests.attack.workflows.obeying import Obeying
from tests.fakes.openai_server import (
    Answer,
    Request,
    call,
    calls,
    chat_model,
    openai_server,
    structured,
    text,
)

Voice = Callable[[Obeying], AbstractAsyncContextManager[Brain]]
"""How the obeying model is reached."""
_NAME = "openai:gpt-x"
_STRANGERS: Json = {"order_id": "O-900002", "customer_id": "C-90002", "words": "every secret there is"}
"""What a look-up is asked for first, that is none of this case's business."""


@asynccontextmanager
async def in_process(obeying: Obeying) -> AsyncIterator[Brain]:
    """Reached by a call."""
    yield obeying


def over_http(*, marking: bool) -> Voice:
    """Reached by HTTP; with `marking` it is told which texts are from outside, and does not care."""

    @asynccontextmanager
    async def voice(obeying: Obeying) -> AsyncIterator[Brain]:
        speaker = _Speaker(obeying)
        async with openai_server(speaker.script) as server, chat_model(server, max_retries=0) as model:
            speaker.brain = ModelBrain(model, _NAME, marking=marking)
            yield speaker

    return voice


@dataclass(slots=True)
class _Speaker:
    """The brain that asks over HTTP, and the script that answers there, which asks for strangers' records."""

    obeying: Obeying
    brain: Brain = field(init=False)
    role: AgentRole = field(init=False)
    look_ups: tuple[LookUp, ...] = ()

    async def think(self, role: AgentRole, view: Json, look_ups: tuple[LookUp, ...]) -> Thought:
        self.role, self.look_ups = role, look_ups
        return await self.brain.think(role, view, look_ups)

    def script(self, request: Request) -> Answer:
        """Look everything up, and a stranger's record beside it; then the obeying answer."""
        offered = {up.tool.replace(".", "_"): up for up in self.look_ups}
        if offered and all(said["role"] != "tool" for said in request.messages):
            wanted = [
                call(name, {key: _STRANGERS.get(key, value) for key, value in up.allowed.items()})
                for name, up in offered.items()
            ]
            return calls(*wanted, *(call(name, up.allowed) for name, up in offered.items()))
        question = next(said["content"] for said in request.messages if said["role"] == "user")
        seen: Json = _plain(json.loads(question.removeprefix("DATA\n")))
        for name, tool in zip(self.role.look_ups, offered, strict=True):
            seen[name] = _plain(json.loads(request.answer_to(tool)))
        try:
            return structured(self.obeying.answer(self.role, seen))
        except AgentUncertain:
            return text("I cannot say.")


def _plain(view: Any) -> Any:
    """What a prompt shows, without its marks."""
    match view:
        case dict() if view.keys() == {UNTRUSTED}:
            return view[UNTRUSTED]
        case dict():
            return {name: _plain(item) for name, item in view.items()}
        case list():
            return [_plain(item) for item in view]
        case _:
            return view
