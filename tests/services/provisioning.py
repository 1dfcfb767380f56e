"""Installs what the collected tests need in the background, and holds each test back until its services are there.

The waiting happens outside of the test's own time limit. What cannot be had is a skip with the reason; under CI it is
a failure, and so is every other skip for want of something (``unavailable``).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Generator, Iterable
from contextlib import nullcontext
from pathlib import Path

import pytest

from tooling import provision

UNAVAILABLE = "unavailable here: "
PROGRESS_EVERY = 15.0

# Its compilation takes minutes: outside CI the first run leaves its tests out rather than wait for it.
NOT_WORTH_WAITING = frozenset({"minio"})

COMMAND = [sys.executable, str(Path(provision.__file__))]


def under_ci() -> bool:
    return os.environ.get("CI") == "true"


def unavailable(reason: str) -> None:
    """Skips this test for want of a service or a tool; name what is missing and how to get it."""
    pytest.skip(f"{UNAVAILABLE}{reason}")


def services_of(item: pytest.Item) -> set[str]:
    return {mark.args[0] for mark in item.iter_markers("service")}


class Provisioning:
    def __init__(self) -> None:
        self._background: subprocess.Popen[bytes] | None = None
        self._announced: set[str] = set()
        self._reasons: dict[str, str] = {}
        self._settled: set[str] = set()

    def begin(self, names: Iterable[str]) -> None:
        self._announced.update(names)
        missing = [name for name in sorted(self._announced & provision.PIECES.keys()) if not _ready(name)]
        if missing:
            nothing = subprocess.DEVNULL
            self._background = subprocess.Popen([*COMMAND, *missing], stdin=nothing, stdout=nothing, stderr=nothing)

    def wait(self, name: str, terminal: pytest.TerminalReporter | None) -> None:
        """Returns when the piece is there, or will not be."""
        if name in self._settled or name not in provision.PIECES:
            return
        self._settled.add(name)
        if _ready(name):
            return
        if name in NOT_WORTH_WAITING and not under_ci():
            self._reasons[name] = f"{name} is not built yet: `make provision` builds it, once"
            return
        with subprocess.Popen([*COMMAND, name], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as waiting:
            started = time.monotonic()
            errors = None
            while errors is None:
                try:
                    _, errors = waiting.communicate(timeout=PROGRESS_EVERY)
                except subprocess.TimeoutExpired:
                    _tell(terminal, f"[{name}] being installed, {time.monotonic() - started:.0f} s so far")
        if waiting.returncode:
            self._reasons[name] = errors.strip()

    def require(self, name: str) -> None:
        """For a fixture: returns only when the service can be started."""
        if name not in self._announced:
            pytest.fail(f"a test that asks for it lazily has to say so: pytest.mark.service({name!r})", pytrace=False)
        if name in self._reasons:
            unavailable(self._reasons[name])

    def end(self) -> None:
        if self._background is not None:
            self._background.terminate()
            self._background.wait()


def _tell(terminal: pytest.TerminalReporter | None, line: str) -> None:
    if terminal is not None:
        terminal.write_line(line)
    else:  # whoever waits for several processes sees their standard error
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def _ready(name: str) -> bool:
    return provision.PIECES[name].ready()


PROVISIONING = pytest.StashKey[Provisioning]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[PROVISIONING] = Provisioning()


def pytest_collection_finish(session: pytest.Session) -> None:
    if not session.config.option.collectonly:
        session.config.stash[PROVISIONING].begin({name for item in session.items for name in services_of(item)})


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    is_one_of_several = hasattr(item.config, "workerinput")  # whose reporter writes to nobody
    terminal = None if is_one_of_several else item.config.pluginmanager.get_plugin("terminalreporter")
    capture = item.config.pluginmanager.get_plugin("capturemanager")
    for name in sorted(services_of(item)):
        # Without it, the progress would be shown when the test is over.
        with capture.global_and_fixture_disabled() if capture is not None else nullcontext():
            item.config.stash[PROVISIONING].wait(name, terminal)
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and under_ci() and call.excinfo is not None and UNAVAILABLE in str(call.excinfo.value):
        report.outcome = "failed"
        report.longrepr = f"skipped for want of something, which CI must have: {call.excinfo.value}"
    return report


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[PROVISIONING].end()
