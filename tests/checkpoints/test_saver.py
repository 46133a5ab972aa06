"""The saver: LangGraph's own, on a segment's session, and what must hold of it beyond LangGraph's suite."""

from collections.abc import AsyncIterator

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.conformance.capabilities import Capability, DetectedCapabilities
from langgraph.checkpoint.conformance.report import CapabilityReport
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph

from checkpoints.projection import Projection
from checkpoints.saver import GovernedSaver
from checkpoints.session import fenced_session
from graphs.wiring import Parts
from nodes.shapes import Json
from nodes.state import CaseState
from tests.checkpoints.threads import Kept, Thread, kept, opened
from tests.counting import Counting
from tests.house import House


async def test_the_saver_conforms_to_langgraphs_own_suite(parts: Parts) -> None:
    @checkpointer_test(name="GovernedSaver")
    async def governed() -> AsyncIterator[BaseCheckpointSaver[str]]:
        async with fenced_session(parts.database.engine, "conformance") as session:
            yield GovernedSaver(session)

    report = await validate(governed)

    assert not _failures(report), "\n".join(_failures(report))
    assert report.passed_all_base()
    assert {name for name, result in report.results.items() if result.passed} == _known_to_upstream()


def _failures(report: CapabilityReport) -> list[str]:
    return [f"{name}: {failure}" for name, result in report.results.items() for failure in result.failures]


def _known_to_upstream() -> set[str]:
    """The capabilities that AsyncPostgresSaver has, extended ones too."""
    upstream = AsyncPostgresSaver.__new__(AsyncPostgresSaver)
    detected: frozenset[Capability] = DetectedCapabilities.from_instance(upstream).detected
    return {capability.value for capability in detected}


async def test_checkpoint_case_row_and_events_are_kept_together(house: House) -> None:
    async with opened(house) as thread:
        head = await thread.step(None, thread.told("one"), thread.told("two"), status="blocked")

    assert await kept(house, "case-1") == Kept(
        checkpoints=1,
        blobs=2,
        head=head["configurable"]["checkpoint_id"],
        status="blocked",
        events=("one", "two"),
    )


async def test_events_are_kept_in_the_order_they_were_told(house: House) -> None:
    told = [[f"{step}.{place}" for place in range(4)] for step in range(5)]
    async with opened(house) as thread:
        head = None
        for step in told:
            head = await thread.step(head, *(thread.told(kind) for kind in step))

    assert (await kept(house, "case-1")).events == tuple(kind for step in told for kind in step)


async def test_the_checkpoints_of_a_thread_are_one_line_without_forks(house: House) -> None:
    async with opened(house) as thread:
        head = None
        for _ in range(5):
            head = await thread.step(head)
        line = [item async for item in thread.saver.alist(thread.config())]

    ids = [item.checkpoint["id"] for item in line]
    parents = [item.parent_config and item.parent_config["configurable"]["checkpoint_id"] for item in line]
    assert ids == sorted(ids, reverse=True)
    assert parents == [*ids[1:], None]
    assert (await kept(house, "case-1")).head == ids[0]


async def test_a_step_that_tells_nothing_new_moves_the_head_alone(house: House) -> None:
    async with opened(house) as thread:
        first = await thread.step(None, thread.told("one"), status="blocked")
        second = await thread.put(first, {"other": "value"})

    assert (await kept(house, "case-1")).events == ("one",)
    assert (await kept(house, "case-1")).status == "blocked"
    assert (await kept(house, "case-1")).head == second["configurable"]["checkpoint_id"]


async def test_a_repeated_step_cannot_tell_its_story_twice(house: House) -> None:
    async with opened(house) as thread:
        first = await thread.step(None, thread.told("one", "event-1", take=1))
        await thread.step(first, thread.told("one", "event-1", take=2), thread.told("two", "event-2"))

    events = await house.rows("SELECT kind, data FROM audit_events WHERE case_id IS NOT NULL ORDER BY seq")
    assert events == [{"kind": "one", "data": {"take": 1}}, {"kind": "two", "data": {}}]


async def test_steps_between_which_nothing_was_written_are_one_commit(house: House) -> None:
    async with opened(house) as thread:
        with Counting() as counting:
            await thread.walk(_steps(thread, 5))
        assert counting.all.commits == 0
        assert await kept(house, "case-1") == Kept()

        with Counting() as counting:
            await thread.catch_up()
        assert counting.all.commits == 1
    after = await kept(house, "case-1")
    assert (after.checkpoints, after.events) == (7, tuple(f"step {n}" for n in range(5)))


async def test_what_a_crash_took_before_it_was_stored_is_done_and_told_once_more(house: House) -> None:
    async with opened(house) as thread:
        await thread.walk(_steps(thread, 5))
    assert await kept(house, "case-1") == Kept()

    async with fenced_session(house.parts.database.engine, "case-1") as session:
        again = Thread(thread.case, GovernedSaver(session, Projection("case-1", house.parts.clock)))
        await again.walk(_steps(again, 5))
        await again.catch_up()
    assert (await kept(house, "case-1")).events == tuple(f"step {n}" for n in range(5))


async def test_whatever_a_segment_reads_of_its_thread_it_finds_every_step(house: House) -> None:
    async with opened(house) as thread:
        await thread.walk(_steps(thread, 3))
        found = await thread.saver.aget_tuple(thread.config())
        assert found is not None
        assert found.checkpoint["channel_values"]["record"] == [thread.told("step 2")]
        assert (await kept(house, "case-1")).events == ("step 0", "step 1", "step 2")


def _steps(thread: Thread, count: int) -> list[Json]:
    return [thread.told(f"step {number}") for number in range(count)]


class _Once:
    """Something that fails the first time."""

    def __init__(self) -> None:
        self.failed = False

    def __call__(self) -> None:
        if not self.failed:
            self.failed = True
            raise RuntimeError("the first time")


async def test_the_events_of_a_failed_step_never_appear(house: House) -> None:
    async with opened(house) as thread:
        fails_once = _Once()
        takes: list[str] = []

        async def quick(state: CaseState) -> CaseState:
            takes.append("quick")
            return {"record": [thread.told("quick", f"quick {len(takes)}")]}

        async def lame(state: CaseState) -> CaseState:
            fails_once()
            return {"record": [thread.told("lame")]}

        graph = StateGraph(CaseState)
        graph.add_node("quick", quick)
        graph.add_node("lame", lame)
        for name in ("quick", "lame"):
            graph.add_edge(START, name)
            graph.add_edge(name, END)
        governed = graph.compile(checkpointer=thread.saver)

        with pytest.raises(RuntimeError, match="the first time"):
            await governed.ainvoke({"case": {}}, thread.config(), durability="sync")
        assert (await kept(house, "case-1")).events == ()

        await governed.ainvoke(None, thread.config(), durability="sync")
        await thread.catch_up()
        assert sorted((await kept(house, "case-1")).events) == ["lame", "quick"]


async def test_the_record_holds_the_last_step_only(house: House) -> None:
    """T5: a list that grows by appending would be stored again with each of 40 steps."""
    steps = 40
    async with opened(house) as thread:

        async def say(state: CaseState) -> CaseState:
            number = int(state.get("outcome", "0")) + 1
            return {"outcome": str(number), "record": [thread.told(f"step {number}")]}

        graph = StateGraph(CaseState)
        graph.add_node("say", say)
        graph.add_edge(START, "say")
        graph.add_conditional_edges(
            "say", lambda state: END if state["outcome"] == str(steps) else "say", ["say", END]
        )
        await graph.compile(checkpointer=thread.saver).ainvoke(
            {"case": {}}, {**thread.config(), "recursion_limit": 2 * steps}, durability="sync"
        )
        told = [
            len(item.checkpoint["channel_values"].get("record", []))
            async for item in thread.saver.alist(thread.config())
        ]

    assert max(told) == 1
    assert (await kept(house, "case-1")).events == tuple(f"step {number + 1}" for number in range(steps))
