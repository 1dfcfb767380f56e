"""Which tests run side by side: pytest spreads some over three processes; each writes down when and where it ran."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EACH = """
import json, os, time
import pytest

@pytest.fixture(autouse=True)
def noted(request):
    began = time.monotonic()
    time.sleep(SECONDS)
    yield
    line = [request.node.name, os.environ["PYTEST_XDIST_WORKER"], began, time.monotonic()]
    with open("ran", "a") as log:
        log.write(json.dumps(line) + "\\n")
"""
FAST = (
    EACH
    + """
SECONDS = 0.2

@pytest.mark.parametrize("number", range(6))
def test_fast(number):
    pass
"""
)
MIXED = (
    EACH
    + """
SECONDS = 0.05

@pytest.mark.slow
@pytest.mark.parametrize("number", range(3))
def test_alone(number):
    pass

@pytest.mark.service("postgres")
@pytest.mark.parametrize("number", range(3))
def test_service(number):
    pass

@pytest.mark.slow(alone=False)
def test_long():
    pass

@pytest.mark.slow
@pytest.mark.service("postgres")
def test_service_alone():
    pass
"""
)


@dataclass(frozen=True)
class Run:
    name: str
    process: str
    began: float
    ended: float

    @property
    def kind(self) -> str:
        return self.name.partition("[")[0]

    def beside(self, other: Run) -> bool:
        return self.began < other.ended and other.began < self.ended


@pytest.mark.slow(alone=False)
def test_each_has_its_turn(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n  slow\n  service\n")
    for number in range(2):
        (tmp_path / f"test_fast_{number}.py").write_text(FAST)
    (tmp_path / "test_mixed.py").write_text(MIXED)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.turns", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "--numprocesses=3", "--dist=loadscope"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    runs = [Run(*json.loads(line)) for line in (tmp_path / "ran").read_text().splitlines()]

    assert len(runs) == 2 * 6 + 3 + 3 + 1 + 1, "every test once"
    side_by_side = {frozenset((one.kind, other.kind)) for one, other in combinations(runs, 2) if one.beside(other)}
    assert frozenset({"test_fast"}) in side_by_side
    assert frozenset({"test_fast", "test_service"}) in side_by_side
    assert not [pair for pair in side_by_side if pair & {"test_alone", "test_service_alone"}]
    assert len({run.process for run in runs if run.kind.startswith("test_service")}) == 1, "services start once"
    assert max(run.ended for run in runs if "alone" not in run.name) < min(
        run.began for run in runs if "alone" in run.name
    )
