"""What a test leaves behind is found and named; what it cleans up is not."""

from __future__ import annotations

import asyncio
import socket
import threading
from pathlib import Path

import pytest

from tests import leaks
from tests.leaks import Holdings, left_behind, tasks_left_behind


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "PATIENCE", 0.05)


@pytest.mark.usefixtures("impatient")
def test_an_open_socket_is_named() -> None:
    before = Holdings.now()
    with socket.socket():
        (found,) = left_behind(before)
    assert found.startswith("descriptor socket:[")
    assert left_behind(before) == []


@pytest.mark.usefixtures("impatient")
def test_an_open_file_is_named_by_its_path(tmp_path: Path) -> None:
    before = Holdings.now()
    with (tmp_path / "kept").open("w"):
        assert left_behind(before) == [f"descriptor {tmp_path / 'kept'}"]
        assert left_behind(before, excused={"descriptors"}) == []


@pytest.mark.usefixtures("impatient")
def test_a_running_thread_is_named_until_it_ends() -> None:
    before = Holdings.now()
    end = threading.Event()
    thread = threading.Thread(target=end.wait, name="forgotten")
    thread.start()
    try:
        assert left_behind(before) == ["thread 'forgotten'"]
        assert left_behind(before, excused={"threads"}) == []
    finally:
        end.set()
        thread.join()
    assert left_behind(before) == []


def test_what_is_on_its_way_out_is_waited_for() -> None:
    before = Holdings.now()
    thread = threading.Timer(0.05, lambda: None)
    thread.start()
    assert left_behind(before) == []


@pytest.mark.usefixtures("impatient")
async def test_a_pending_task_is_named_until_it_ends() -> None:
    before = asyncio.all_tasks()
    forgotten = asyncio.create_task(asyncio.Event().wait(), name="forgotten")
    (found,) = await tasks_left_behind(before)
    assert found.startswith("task 'forgotten'")
    forgotten.cancel()
    assert await tasks_left_behind(before) == []
