"""Which tests run side by side when there are several processes (``--dist=loadscope``).

Fast ones go file by file to whichever process is free. Beside them one process, always the same so that every service
is started once, runs those that need a real service. What needs the machine to itself comes last, one test at a time in
that same process, while all others stand still. The groups of pytest-xdist would not do: they do not wait for each
other, and it tells its processes of them in the tests' ids, which pytest 9 no longer lets it change.
"""

from __future__ import annotations

import shutil
import tempfile
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from tests.services import SERVICE_ORDER

# Where the first process writes down, for the one that schedules and collects nothing, which tests wait their turn.
LIST = "tests_that_wait_their_turn"
FIRST = "gw0"
FOLDER = pytest.StashKey[Path]()


class Turn(IntEnum):
    FAST = 0
    WITH_SERVICES = 1
    ALONE = 2


def turn_of(item: pytest.Item) -> Turn:
    slow = item.get_closest_marker("slow")
    if slow is not None and slow.kwargs.get("alone", True):
        return Turn.ALONE
    return Turn.WITH_SERVICES if any(item.iter_markers("service")) else Turn.FAST


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_position)


def _position(item: pytest.Item) -> tuple[Turn, int, bool]:
    """In each turn by the service that takes longest to be had, and what takes long first."""
    names = [mark.args[0] for mark in item.iter_markers("service")]
    service = max((SERVICE_ORDER.index(name) + 1 for name in names), default=0)
    return turn_of(item), service, item.get_closest_marker("slow") is None


# The library has no types.
class Turns(LoadScopeScheduling):  # type: ignore[misc]
    """Its units of work are the files of the fast tests, the tests with services, and those that run alone."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False
        self._waiting: dict[str, str] | None = None

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:
        super().mark_test_complete(node, item_index, duration)
        if Turn.ALONE.name in self.workqueue:
            self._reschedule(self.nodes[0])

    def _split_scope(self, nodeid: str) -> str:
        if self._waiting is None:
            lines = (self.config.stash[FOLDER] / LIST).read_text().splitlines()
            self._waiting = {identifier: turn for turn, _, identifier in (line.partition(" ") for line in lines)}
        return self._waiting.get(nodeid) or nodeid.partition("::")[0]

    def _assign_work_unit(self, node: WorkerController) -> None:
        scope = self._next_for(node)
        if scope is not None:
            self.workqueue.move_to_end(scope, last=False)
            super()._assign_work_unit(node)

    def _reschedule(self, node: WorkerController) -> None:
        # A process runs its last test only when it knows what comes after it.
        if node.shutting_down or self._pending_of(self.assigned_work[node]) > 2:
            return
        if self._next_for(node) is not None:
            self._assign_work_unit(node)
        elif node is not self.nodes[0] or not self.workqueue:
            node.shutdown()

    def _next_for(self, node: WorkerController) -> str | None:
        files = (scope for scope in self.workqueue if scope not in Turn.__members__)
        if node is not self.nodes[0]:
            return next(files, None)
        if Turn.WITH_SERVICES.name in self.workqueue:
            return Turn.WITH_SERVICES.name
        others = [work for other, work in self.assigned_work.items() if other is not node]
        found = next(files, None)
        if found is None and Turn.ALONE.name in self.workqueue and not any(map(self._pending_of, others)):
            return Turn.ALONE.name
        return found


def pytest_configure(config: pytest.Config) -> None:
    if getattr(config.option, "numprocesses", None):
        config.stash[FOLDER] = Path(tempfile.mkdtemp(prefix="secureconnect-turns-"))


def pytest_unconfigure(config: pytest.Config) -> None:
    if FOLDER in config.stash:
        shutil.rmtree(config.stash[FOLDER], ignore_errors=True)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerController) -> None:
    node.workerinput[LIST] = str(node.config.stash[FOLDER])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Turns | None:
    return Turns(config, log) if config.getoption("dist") == "loadscope" else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    told: dict[str, Any] = getattr(session.config, "workerinput", {})
    if told.get("workerid") == FIRST:
        waiting = [f"{turn_of(item).name} {item.nodeid}" for item in session.items if turn_of(item) is not Turn.FAST]
        (Path(told[LIST]) / LIST).write_text("\n".join(waiting))
