"""A blocked event loop is seen from outside, with the stack that blocks it."""

from __future__ import annotations

import asyncio
import time

import pytest
from structlog.testing import capture_logs

from api.operations.stalls import StallWatch
from kernel.metrics import Metrics


def dawdle(seconds: float) -> None:
    time.sleep(seconds)


@pytest.mark.blocks_the_loop("that is what is watched for")
async def test_a_stalled_loop_is_logged_with_the_stack_it_stands_in() -> None:
    metrics = Metrics()
    with capture_logs() as lines:
        async with StallWatch(threshold=0.1, metrics=metrics).watching():
            await asyncio.sleep(0.15)
            dawdle(0.6)
            await asyncio.sleep(0.15)
    [line] = [line for line in lines if line["event"] == "event loop stalled"]
    assert any("dawdle" in frame for frame in line["frames"])
    assert line["stalled_seconds"] >= 0.1
    assert metrics.registry.get_sample_value("secureconnect_event_loop_stalls_total") == 1


async def test_a_loop_that_keeps_up_is_not_reported_and_its_lag_is_measured() -> None:
    metrics = Metrics()
    with capture_logs() as lines:
        async with StallWatch(threshold=0.4, metrics=metrics).watching():
            await asyncio.sleep(0.5)
    assert [line for line in lines if line["event"] == "event loop stalled"] == []
    assert (metrics.registry.get_sample_value("secureconnect_event_loop_lag_seconds_count") or 0) >= 3
