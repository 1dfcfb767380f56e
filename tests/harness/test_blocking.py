"""A held-up event loop is noticed, with the stack that holds it up; a loop that merely waits is not."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Iterator

import pytest

from tests.blocking import LIMIT, LoopWatch


@pytest.fixture
def watch() -> Iterator[LoopWatch]:
    watch = LoopWatch()
    yield watch
    watch.close()


def the_culprit() -> None:
    time.sleep(2 * LIMIT)


def the_calculating_culprit() -> None:
    end = time.thread_time() + 2 * LIMIT
    while time.thread_time() < end:
        pass


@pytest.mark.blocks_the_loop(reason="that is what it is about")
@pytest.mark.parametrize("culprit", [the_culprit, the_calculating_culprit])
async def test_a_callback_that_holds_the_loop_up_is_shown(watch: LoopWatch, culprit: Callable[[], None]) -> None:
    with watch.watching(asyncio.get_running_loop()) as blocked:
        await asyncio.sleep(0.1)
        culprit()
        await asyncio.sleep(0)
    (stop,) = blocked
    assert stop.seconds >= LIMIT
    assert culprit.__name__ in stop.stack


async def test_waiting_is_not_blocking(watch: LoopWatch) -> None:
    with watch.watching(asyncio.get_running_loop()) as blocked:
        await asyncio.sleep(2 * LIMIT)
        await asyncio.to_thread(time.sleep, 2 * LIMIT)
    assert blocked == []


@pytest.mark.blocks_the_loop(reason="that is what it is about")
async def test_garbage_collection_is_nobodys_fault(watch: LoopWatch) -> None:
    def slowly(phase: str, _info: dict[str, int]) -> None:
        if phase == "stop":
            time.sleep(2 * LIMIT)

    # Before the watch's own, so that its sleep is part of what the watch takes for collecting.
    gc.callbacks.insert(0, slowly)
    try:
        with watch.watching(asyncio.get_running_loop()) as blocked:
            await asyncio.sleep(0.1)
            gc.collect()
            await asyncio.sleep(0.1)
    finally:
        gc.callbacks.remove(slowly)
    assert blocked == []


def test_a_resting_loop_owes_nothing(watch: LoopWatch) -> None:
    with asyncio.Runner() as runner, watch.watching(runner.get_loop()) as blocked:
        runner.run(asyncio.sleep(0.1))
        time.sleep(2 * LIMIT)
        runner.run(asyncio.sleep(0.1))
    assert blocked == []
