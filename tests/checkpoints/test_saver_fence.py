"""The fence: only the head of a thread can be built upon, by the one session that holds the thread."""

import asyncio
from contextlib import AsyncExitStack, suppress

import psycopg
import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, Interrupt, interrupt

from checkpoints.cases import Status, move_case
from checkpoints.errors import DatabaseAway, StaleHead, ThreadIsBusy
from checkpoints.projection import Projection
from checkpoints.saver import GovernedSaver
from checkpoints.session import Session, fenced_session
from nodes.state import CaseState
from tests.checkpoints.threads import NOTHING, Kept, Thread, add_received, kept, opened, unfenced
from tests.house import House


async def test_what_does_not_build_upon_the_head_is_stale_and_leaves_nothing(house: House) -> None:
    async with opened(house) as thread:
        first = await thread.step(None, thread.told("one"))
        await thread.step(first, thread.told("two"))
        before = await kept(house, "case-1")

        with pytest.raises(StaleHead):
            await thread.step(first, thread.told("three"), status="blocked", more=["in a blob"])

    assert await kept(house, "case-1") == before


async def test_a_thread_has_one_beginning(house: House) -> None:
    async with opened(house) as thread:
        await thread.step(None, thread.told("one"))
        before = await kept(house, "case-1")

        with pytest.raises(StaleHead):
            await thread.step(None, thread.told("two"))

    assert await kept(house, "case-1") == before


async def test_a_thread_without_a_case_keeps_nothing(house: House) -> None:
    case = await add_received(house.parts, "case-1")
    async with fenced_session(house.parts.database.engine, "nobody") as session:
        stranger = Thread(case, GovernedSaver(session, Projection("nobody", house.parts.clock)))
        with pytest.raises(StaleHead):
            await stranger.step(None, stranger.told("one"))

    assert await kept(house, "case-1") == NOTHING


async def test_a_subgraphs_checkpoints_do_not_move_the_head(house: House) -> None:
    async with opened(house) as thread:
        head = await thread.step(None, thread.told("one"))
        await thread.put(None, {"record": [thread.told("inner")]}, ns="inner:1")

    after = await kept(house, "case-1")
    assert (after.head, after.events) == (head["configurable"]["checkpoint_id"], ("one",))


async def test_of_parallel_resumes_without_a_lock_one_goes_on(house: House) -> None:
    """T8: the fence alone, as if the lock of the thread had failed."""
    async with opened(house) as thread:
        paused = _graph(thread, GovernedSaver(_session_of(thread), Projection("case-1", house.parts.clock)))
        await paused.ainvoke({"case": {}}, thread.config(), durability="sync")

    async with unfenced(house.parts, 5) as sessions:
        savers = [GovernedSaver(session, Projection("case-1", house.parts.clock)) for session in sessions]

        async def resume(saver: GovernedSaver) -> None:
            await _graph(thread, saver).ainvoke(Command(resume="go"), thread.config(), durability="sync")
            await saver._session.catch_up()

        outcomes = await asyncio.gather(*map(resume, savers), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes].count(StaleHead) == 4
    assert (await kept(house, "case-1")).events == ("went on",)


def _session_of(thread: Thread) -> Session:
    return thread.saver._session


def _graph(thread: Thread, saver: GovernedSaver) -> CompiledStateGraph[CaseState, None, CaseState, CaseState]:
    async def wait(state: CaseState) -> CaseState:
        return {"outcome": interrupt("may I?"), "record": [thread.told("went on")]}

    graph = StateGraph(CaseState)
    graph.add_node("wait", wait)
    graph.add_edge(START, "wait")
    graph.add_edge("wait", END)
    return graph.compile(checkpointer=saver)


async def test_a_thread_is_held_by_one_session_at_a_time(house: House) -> None:
    engine = house.parts.database.engine
    async with fenced_session(engine, "case-1"):
        with pytest.raises(ThreadIsBusy):
            async with fenced_session(engine, "case-1"):
                pytest.fail("two sessions hold one thread")
        async with fenced_session(engine, "case-2"):
            pass


async def test_of_many_sessions_at_once_one_gets_the_thread(house: House) -> None:
    async with AsyncExitStack() as held:

        async def try_it() -> bool:
            try:
                await held.enter_async_context(fenced_session(house.parts.database.engine, "case-1"))
            except ThreadIsBusy:
                return False
            return True

        got = [await outcome for outcome in asyncio.as_completed([try_it() for _ in range(10)])]

    assert sorted(got) == [*9 * [False], True]


@pytest.mark.parametrize("ending", [RuntimeError, asyncio.CancelledError, None])
async def test_a_thread_is_free_once_its_session_has_ended(
    house: House, ending: type[BaseException] | None
) -> None:
    async def segment() -> None:
        async with fenced_session(house.parts.database.engine, "case-1"):
            if ending is not None:
                raise ending

    if ending is None:
        await segment()
    else:
        with pytest.raises(ending):
            await segment()

    async with fenced_session(house.parts.database.engine, "case-1"):
        pass


async def test_a_session_whose_backend_was_terminated_writes_nothing_more(house: House) -> None:
    with suppress(DatabaseAway):  # leaving a dead session may say so too
        async with opened(house) as thread:
            head = await thread.step(None, thread.told("one"))
            before = await kept(house, "case-1")
            await _terminate(house, _session_of(thread))

            for attempt in (
                thread.step(head, thread.told("two"), status="blocked"),
                thread.pause(head, thread.asking("review-1")),
            ):
                with pytest.raises((psycopg.OperationalError, DatabaseAway)):
                    await attempt

    assert await kept(house, "case-1") == before


async def test_a_terminated_backend_frees_its_thread_at_once(house: House) -> None:
    engine = house.parts.database.engine
    with suppress(DatabaseAway):
        async with fenced_session(engine, "case-1") as dead:
            await _terminate(house, dead)

            async with fenced_session(engine, "case-1"):
                pass
            with pytest.raises(psycopg.OperationalError):
                await dead.connection.execute("SELECT 1")


async def _terminate(house: House, session: Session) -> None:
    """End the session's backend, and wait until it is gone."""
    pid = session.connection.info.backend_pid
    assert await house.rows("SELECT pg_terminate_backend(%s, 5000) AS gone", pid) == [{"gone": True}]


async def test_an_interrupt_opens_its_review_once_however_often_it_is_put(house: House) -> None:
    async with opened(house) as thread:
        head = await thread.step(None)
        for task in ("task-1", "task-1", "task-2"):
            await thread.pause(head, thread.asking("review-1"), task=task)

    after = await kept(house, "case-1")
    assert (after.reviews, after.events, after.status) == (1, ("review.opened",), "waiting_review")


async def test_an_interrupt_put_again_with_another_action_changes_nothing(house: House) -> None:
    async with opened(house) as thread:
        head = await thread.step(None)
        await thread.pause(head, thread.asking("review-1", digest="as asked first"))
        await thread.pause(head, thread.asking("review-1", digest="another", ladder=[]))

    reviews = await house.rows("SELECT digest, jsonb_array_length(ladder) AS rungs FROM reviews")
    assert reviews == [{"digest": "as asked first", "rungs": 1}]


async def test_an_interrupt_put_again_after_the_decision_does_not_ask_again(house: House) -> None:
    async with opened(house) as thread:
        head = await thread.step(None)
        await thread.pause(head, thread.asking("review-1"))
        async with house.parts.database.transaction() as tx:
            await tx.driver.execute("UPDATE reviews SET status = 'approved'")
            await move_case(tx, "case-1", Status.APPROVED, house.parts.clock())

        await thread.pause(head, thread.asking("review-1"))

    assert await house.rows("SELECT status FROM reviews") == [{"status": "approved"}]
    assert (await kept(house, "case-1")).status == "approved"


@pytest.mark.parametrize("value", ["a question", {"question": "how many?"}, {"countersign": None}, [1, 2]])
async def test_an_interrupt_that_carries_no_review_opens_none(house: House, value: object) -> None:
    async with opened(house) as thread:
        head = await thread.step(None)
        await thread.pause(head, Interrupt(value=value, id="i-1"))

    assert await kept(house, "case-1") == Kept(
        checkpoints=1, blobs=2, writes=1, head=_id(head), status="running"
    )


def _id(head: RunnableConfig) -> str:
    return str(head["configurable"]["checkpoint_id"])
