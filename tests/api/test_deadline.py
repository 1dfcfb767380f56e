"""One timer for every request's deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable

import pytest

from api.http.deadline import SWEEP_SECONDS, RequestDeadline
from kernel.errors import Overloaded

# What a loaded machine may add to a timer.
SLACK = 0.4
# The loop tells time in whole milliseconds.
EARLY = 0.005


async def answer() -> str:
    return "answer"


async def hang() -> None:
    await asyncio.Event().wait()


async def expired(deadline: RequestDeadline, work: Awaitable[object]) -> float:
    started = time.monotonic()
    with pytest.raises(Overloaded) as caught:
        await deadline.bound(work)
    assert caught.value.code == "request_timeout"
    return time.monotonic() - started


def is_at_rest(deadline: RequestDeadline) -> bool:
    return not deadline._running and not deadline._expired and deadline._timer is None


async def settled(deadline: RequestDeadline) -> None:
    """Until the sweep after the last request has been."""
    async with asyncio.timeout(SWEEP_SECONDS + SLACK):
        while deadline._timer is not None:
            await asyncio.sleep(SWEEP_SECONDS / 10)
    assert is_at_rest(deadline)


async def test_what_is_done_in_time_is_answered() -> None:
    deadline = RequestDeadline(5.0)
    assert await deadline.bound(answer()) == "answer"
    assert not deadline._running


@pytest.mark.parametrize("seconds", [0.05, 0.2])
async def test_what_is_not_is_cancelled_within_a_sweep_of_its_deadline(seconds: float) -> None:
    took = await expired(RequestDeadline(seconds), hang())
    assert seconds - EARLY <= took < seconds + SWEEP_SECONDS + SLACK


async def test_the_work_hears_of_it_and_may_clean_up() -> None:
    cleaned: list[str] = []

    async def work() -> None:
        try:
            await hang()
        finally:
            await asyncio.sleep(0)
            cleaned.append("up")

    await expired(RequestDeadline(0.05), work())
    assert cleaned == ["up"]


async def test_an_error_of_the_work_is_its_own() -> None:
    async def fail() -> None:
        raise KeyError("mine")

    deadline = RequestDeadline(5.0)
    with pytest.raises(KeyError, match="mine"):
        await deadline.bound(fail())
    assert not deadline._running


async def test_being_cancelled_by_someone_else_is_passed_on() -> None:
    deadline = RequestDeadline(5.0)
    task = asyncio.create_task(deadline.bound(hang()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
    await settled(deadline)


async def test_being_cancelled_by_someone_else_as_well_is_passed_on() -> None:
    deadline = RequestDeadline(0.05)
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def slow_to_leave() -> None:
        try:
            await hang()
        finally:
            entered.set()
            await go_on.wait()

    task = asyncio.create_task(deadline.bound(slow_to_leave()))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await settled(deadline)


async def test_after_a_deadline_the_task_goes_on_as_if_nothing_had_been() -> None:
    deadline = RequestDeadline(0.05)
    task = asyncio.current_task()
    assert task is not None
    for _ in range(2):
        await expired(deadline, hang())
        assert task.cancelling() == 0
    async with asyncio.timeout(5.0):
        assert await deadline.bound(answer()) == "answer"


async def test_work_that_hides_its_cancellation_leaves_the_task_as_it_was() -> None:
    async def answers_late() -> str:
        try:
            await hang()
        except asyncio.CancelledError:
            return "late"
        raise AssertionError("it was to be cancelled")

    async def fails_late() -> None:
        try:
            await hang()
        except asyncio.CancelledError as error:
            raise KeyError("broken pipe") from error

    deadline = RequestDeadline(0.05)
    task = asyncio.current_task()
    assert task is not None
    assert await deadline.bound(answers_late()) == "late"
    assert task.cancelling() == 0
    with pytest.raises(KeyError):
        await deadline.bound(fails_late())
    assert task.cancelling() == 0
    await expired(deadline, hang())


async def test_a_thousand_at_once_end_each_by_its_own_deadline() -> None:
    deadline = RequestDeadline(0.3)
    quick = [asyncio.create_task(deadline.bound(answer())) for _ in range(1_000)]
    slow = [asyncio.create_task(expired(deadline, hang())) for _ in range(1_000)]
    assert await asyncio.gather(*quick) == ["answer"] * 1_000
    times = await asyncio.gather(*slow)
    assert min(times) >= 0.3 - EARLY
    assert max(times) < 0.3 + SWEEP_SECONDS + 2 * SLACK
    await settled(deadline)


async def test_a_later_request_is_not_ended_with_an_earlier_one() -> None:
    deadline = RequestDeadline(0.3)
    first = asyncio.create_task(expired(deadline, hang()))
    await asyncio.sleep(0.2)
    assert await expired(deadline, hang()) >= 0.3 - EARLY
    await first


async def test_with_nothing_to_watch_the_timer_rests_and_wakes_for_the_next() -> None:
    deadline = RequestDeadline(5.0)
    assert is_at_rest(deadline)
    await deadline.bound(answer())
    await settled(deadline)
    running = asyncio.create_task(deadline.bound(asyncio.sleep(3 * SWEEP_SECONDS)))
    await asyncio.sleep(2 * SWEEP_SECONDS)
    assert deadline._timer is not None
    await running
    await settled(deadline)


async def test_a_deadline_ends_a_task_that_is_stuck_in_cleaning_up_only_once() -> None:
    deadline = RequestDeadline(0.05)
    cancelled = 0

    async def lingers() -> None:
        nonlocal cancelled
        try:
            await hang()
        except asyncio.CancelledError:
            cancelled += 1
            await asyncio.sleep(3 * SWEEP_SECONDS)
            raise

    await expired(deadline, lingers())
    assert cancelled == 1
