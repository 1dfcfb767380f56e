"""Finds whoever blocks the event loop: measures its lag, and while it stands still logs the stack it stands in."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from kernel.metrics import Metrics

_log = structlog.stdlib.get_logger("api.stalls")

BEAT_SECONDS = 0.1
# One report per stall, and at most one a second: a loop that stutters must not drown the log as well.
REPORT_EVERY = 1.0
FRAMES_SHOWN = 12


class StallWatch:
    """A heartbeat on the loop and a thread that misses it. Only the thread can see a loop that stands still."""

    def __init__(self, *, threshold: float, metrics: Metrics) -> None:
        self._threshold = threshold
        self._lag = metrics.histogram("event_loop_lag_seconds", "How late the event loop runs what is due")
        self._stalls = metrics.counter("event_loop_stalls_total", "Times the event loop stood still past the threshold")
        self._beat_at = time.monotonic()
        self._stop = threading.Event()
        self._loop_thread = threading.get_ident()

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        self._loop_thread = threading.get_ident()
        self._beat_at = time.monotonic()
        heart = asyncio.create_task(self._beat(), name="event-loop heartbeat")
        watcher = threading.Thread(target=self._watch, name="stall-watch", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            self._stop.set()
            heart.cancel()
            with suppress(asyncio.CancelledError):
                await heart
            await asyncio.to_thread(watcher.join, 2.0)

    async def _beat(self) -> None:
        while True:
            due = time.monotonic() + BEAT_SECONDS
            await asyncio.sleep(BEAT_SECONDS)
            self._beat_at = time.monotonic()
            self._lag.observe(max(0.0, self._beat_at - due))

    def _watch(self) -> None:
        reported_at = float("-inf")
        reported_beat = float("-inf")
        while not self._stop.wait(self._threshold / 4):
            beat, now = self._beat_at, time.monotonic()
            late = now - beat - BEAT_SECONDS
            if late < self._threshold or beat == reported_beat or now - reported_at < REPORT_EVERY:
                continue
            reported_at, reported_beat = now, beat
            self._stalls.inc()
            _log.warning("event loop stalled", stalled_seconds=round(late, 3), frames=self._frames())

    def _frames(self) -> list[str]:
        frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001 - the documented way to see another thread
        if frame is None:
            return []
        frames = traceback.extract_stack(frame)[-FRAMES_SHOWN:]
        return [f"{item.filename}:{item.lineno} {item.name}" for item in frames]
