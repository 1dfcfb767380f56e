"""``@pytest.mark.virtual_time``: the test's event loop jumps to its next timer when nothing else is left to do.

A wait of an hour takes no time and ends exactly when it should. Real sockets and worker threads still work: while a
thread is busy for the loop, time stands still.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

import pytest

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")

# Timers due within the clock's resolution run together; a jump has to land beyond the timer, never just short of it.
RESOLUTION = 1e-9
# How long a busy worker thread is listened for before looking again whether it is still busy.
LISTENING = 0.05
START = 1_000.0


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual_now = START
        self._busy_threads = 0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self._virtual_now

    def advance(self, seconds: float) -> None:
        self._virtual_now += seconds + RESOLUTION

    @property
    def waits_for_a_thread(self) -> bool:
        return self._busy_threads > 0

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Arguments], Result], *args: *Arguments
    ) -> asyncio.Future[Result]:
        self._busy_threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._thread_is_done)
        return future

    def _thread_is_done(self, _future: asyncio.Future[Any]) -> None:
        self._busy_threads -= 1


class _JumpingSelector(selectors.DefaultSelector):
    """Where a loop waits for the next event or timer; waiting for a timer alone is what gets skipped."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self._loop.waits_for_a_thread:
            return super().select(LISTENING if timeout is None else min(timeout, LISTENING))
        if timeout is None:
            return super().select(None)
        ready = super().select(0)
        if not ready and timeout > 0:
            self._loop.advance(timeout)
        return ready


class VirtualClock:
    """kernel.clock.Clock in the loop's time: what sleeps on the loop and what asks the clock agree."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        self._loop = loop

    def now(self) -> float:
        return 1_750_000_000.0 + self._loop.time() - START

    def monotonic(self) -> float:
        return self._loop.time()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "virtual_time: the event loop jumps from timer to timer instead of waiting")


@pytest.hookimpl(tryfirst=True)
def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]] | None:
    return {"virtual_time": VirtualTimeLoop} if item.get_closest_marker("virtual_time") else None


@pytest.fixture
async def virtual_clock() -> VirtualClock:
    """The clock of a test marked virtual_time."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop), "mark the test virtual_time"
    return VirtualClock(loop)
