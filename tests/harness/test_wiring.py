"""The harness at work: pytest runs tests that misbehave, and has to fail every one of them for its own reason."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MISBEHAVING = """
import asyncio, socket, threading, time
import pytest
from tests.services.provisioning import unavailable

kept = []

async def test_task():
    kept.append(asyncio.create_task(asyncio.sleep(60)))

def test_descriptor():
    kept.append(socket.socket())

def test_thread():
    thread = threading.Thread(target=time.sleep, args=(3,), daemon=True)
    thread.start()

async def test_blocking():
    await asyncio.sleep(0.1)
    time.sleep(0.5)
    await asyncio.sleep(0)

def test_unavailable():
    unavailable("no such tool: install it")

def test_lazy(request):
    request.getfixturevalue("redis_server")

@pytest.mark.leaks("descriptors", reason="to see that it is excused")
def test_excused():
    kept.append(socket.socket())

def test_good():
    pass
"""


def outcomes(directory: Path, *, ci: bool) -> str:
    shutil.copy(ROOT / "pyproject.toml", directory)
    (directory / "test_misbehaving.py").write_text(MISBEHAVING)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CI": "true" if ci else ""}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "test_misbehaving.py"]
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.slow(alone=False)
@pytest.mark.parametrize("ci", [False, True])
def test_each_misbehaviour_fails_for_its_own_reason(tmp_path: Path, *, ci: bool) -> None:
    said = outcomes(tmp_path, ci=ci)
    for name, reason in {
        "test_task": r"left behind: task .*sleep",
        "test_descriptor": r"left behind: descriptor socket:",
        "test_thread": r"left behind: thread 'Thread-",
        "test_blocking": r"stood still for [\d.]+ s",
        "test_lazy": r"pytest\.mark\.service\('redis'\)",
    }.items():
        assert re.search(rf"(ERROR|FAILED) test_misbehaving\.py::{name}\b", said), said
        assert re.search(reason, said), said
    verdict = r"FAILED test_misbehaving\.py::test_unavailable" if ci else r"SKIPPED .*no such tool: install it"
    assert re.search(verdict, said), said
    assert not re.search(r"(ERROR|FAILED) test_misbehaving\.py::test_(good|excused)", said), said
