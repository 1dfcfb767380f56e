"""One deadline for every request, at the price of a dictionary entry.

``asyncio.timeout`` costs a timer a request, a twentieth of what answering a small one costs in all. Requests
share one bound, so their deadlines come in the order in which they started, and one timer serves them all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from kernel.errors import Overloaded

Result = TypeVar("Result")

# Deadlines are looked at this often: a request may run over by this much.
SWEEP_SECONDS = 0.1


class RequestDeadline:
    """Cancels what runs longer than ``seconds`` and turns that into Overloaded ``request_timeout``."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: dict[asyncio.Task[object], float] = {}
        self._expired: set[asyncio.Task[object]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def bound(self, work: Awaitable[Result]) -> Result:
        """``work`` is awaited in the calling task, which must be the request's own."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("a deadline needs a task to cancel")
        self._running[task] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_later(min(self._seconds, SWEEP_SECONDS), self._sweep)
        try:
            return await work
        except asyncio.CancelledError as error:
            if task in self._expired and task.cancelling() == 1:
                detail = f"No answer within {self._seconds:g} s; try again."
                raise Overloaded(detail, code="request_timeout") from error
            raise
        finally:
            self._running.pop(task, None)
            if task in self._expired:
                # Ours is taken back however the work took it: the task goes on to answer, and to the next request.
                self._expired.discard(task)
                task.uncancel()

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for task, deadline in self._running.items():
            if deadline > now:
                break
            if task not in self._expired:
                self._expired.add(task)
                task.cancel()
        # With nothing to watch the timer rests, so that an idle server sleeps.
        self._timer = loop.call_later(min(self._seconds, SWEEP_SECONDS), self._sweep) if self._running else None
