"""Which tests run side by side when there are several processes (``--dist=loadscope``).

Fast ones go file by file to whichever process is free. What needs a real service, or the machine to itself, comes
after them: one test at a time, all in one process, so that every service is started once. The groups of pytest-xdist
would do, but it tells its processes of them in the tests' ids, which pytest 9 no longer lets it change.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from tests.services import SERVICE_ORDER

ALONE = "one at a time"
# Where the first process writes down, for the one that schedules and collects nothing, which tests these are.
LIST = "tests_that_run_alone"
FIRST = "gw0"
FOLDER = pytest.StashKey[Path]()


def runs_alone(item: pytest.Item) -> bool:
    return any(item.iter_markers("service")) or item.get_closest_marker("slow") is not None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> tuple[bool, int]:
    """The fast ones, then by the service that takes longest to be had."""
    names = [mark.args[0] for mark in item.iter_markers("service")]
    return runs_alone(item), max((SERVICE_ORDER.index(name) + 1 for name in names), default=0)


# The library has no types.
class FastOnesFirst(LoadScopeScheduling):  # type: ignore[misc]
    """Units of work in the order of the tests: the files of the fast ones, then one unit of all others."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False
        self._alone: frozenset[str] | None = None

    def _split_scope(self, nodeid: str) -> str:
        if self._alone is None:
            self._alone = frozenset((self.config.stash[FOLDER] / LIST).read_text().splitlines())
        return ALONE if nodeid in self._alone else nodeid.partition("::")[0]


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
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FastOnesFirst | None:
    return FastOnesFirst(config, log) if config.getoption("dist") == "loadscope" else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    told: dict[str, Any] = getattr(session.config, "workerinput", {})
    if told.get("workerid") == FIRST:
        names = [item.nodeid for item in session.items if runs_alone(item)]
        (Path(told[LIST]) / LIST).write_text("\n".join(names))
