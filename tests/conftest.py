"""What every test of the project runs under: uvloop, its services last, and nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import inspect
from collections.abc import AsyncIterator, Callable, Iterator, Mapping

import pytest
import structlog
import uvloop
from hypothesis import settings

from tests.blocking import LIMIT, LoopWatch
from tests.leaks import KINDS, Holdings, left_behind, tasks_left_behind
from tests.services import SERVICE_OF_FIXTURE

pytest_plugins = ["tests.turns", "tests.services.provisioning", "tests.services.fixtures", "tests.virtual_time"]


@pytest.hookimpl(trylast=True)
def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "leaks(*kinds, reason): may leave tasks, threads or descriptors behind")
    config.addinivalue_line("markers", "blocks_the_loop(reason): may hold up its event loop")
    # Unconfigured, structlog paints every traceback with all its variables; that takes longer than most tests.
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], plain])
    # How long one example takes says how busy the machine is; the test as a whole has its timeout.
    settings.register_profile("patient", settings(deadline=None))
    settings.load_profile("patient")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            service = SERVICE_OF_FIXTURE.get(fixture)
            if service is not None:
                item.add_marker(pytest.mark.service(service))


def pytest_collection_finish() -> None:
    _set_aside()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    if nextitem is not None and nextitem.path != item.path:
        _set_aside()


def _set_aside() -> None:
    """Thousands of tests and what they imported stay until the end. A collector that walks through all of it stops
    the process for a third of a second, in the middle of tests that measure such times."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def loop_watch() -> Iterator[LoopWatch]:
    # The first loop of a process opens a pipe that stays: not something its test has left behind.
    uvloop.new_event_loop().close()
    watch = LoopWatch()
    yield watch
    watch.close()


def _excused(item: pytest.Item) -> set[str]:
    kinds: set[str] = set()
    for mark in item.iter_markers("leaks"):
        if not mark.kwargs.get("reason") or not KINDS.issuperset(mark.args):
            pytest.fail(f"leaks takes any of {sorted(KINDS)} and a reason", pytrace=False)
        kinds.update(mark.args)
    return kinds


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest, loop_watch: LoopWatch) -> Iterator[None]:
    """Set up before every other fixture of the test, so that it looks when all of them are gone, the loop too."""
    before = Holdings.now()
    yield
    leaks = left_behind(before, excused=_excused(request.node))
    if leaks:
        pytest.fail("left behind: " + "; ".join(leaks), pytrace=False)


@pytest.fixture(autouse=True)
def loop_behaves(request: pytest.FixtureRequest, nothing_left_behind: None) -> None:
    """Asked for here and not by every test, since it would make a loop for those that need none."""
    if inspect.iscoroutinefunction(getattr(request.node, "obj", None)):
        request.getfixturevalue("watched_loop")


@pytest.fixture
async def watched_loop(request: pytest.FixtureRequest, loop_watch: LoopWatch) -> AsyncIterator[None]:
    """Fails a test that holds its loop up, or leaves tasks on it."""
    before = asyncio.all_tasks()
    with loop_watch.watching(asyncio.get_running_loop()) as blocked:
        yield
    problems = []
    if "tasks" not in _excused(request.node):
        problems += [f"left behind: {task}" for task in await tasks_left_behind(before)]
    if blocked and not request.node.get_closest_marker("blocks_the_loop"):
        worst = blocked[0]
        problems.append(f"the event loop stood still for {worst.seconds:.2f} s (limit {LIMIT} s) in\n{worst.stack}")
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)
