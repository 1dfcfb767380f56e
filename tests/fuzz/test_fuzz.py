"""Parsers against what fuzzing makes. Longer, one target alone: python -m tests.fuzz.run rtcp --seconds 300"""

from __future__ import annotations

import asyncio
import importlib.util
import re
import sys

import pytest

from media import sframe
from media.errors import BadPacket
from tests.fuzz import seeds
from tests.fuzz.targets import TARGETS, Target, check

ROOT = seeds.FOUND.parents[2]
SECONDS = 2
# Its start takes a second or two, and other tests run beside it.
PATIENCE = 60


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_read_and_what_once_was_a_fault_is_none(name: str) -> None:
    target = TARGETS[name]
    given = list(target.seeds())
    assert given
    for data in (*given, *seeds.found(name)):
        check(target, data)


def test_what_was_found_belongs_to_a_target() -> None:
    assert {path.name.split("-")[0] for path in seeds.FOUND.glob("*.hex")} <= set(TARGETS)


def test_a_broken_promise_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sframe, "build_header", lambda _key_id, _counter: b"\xff" * 17)
    with pytest.raises(AssertionError):
        check(TARGETS["sframe"], b"\x11")


def refusing(_: bytes) -> bytes:
    raise BadPacket("anything")


def refusing_its_own(_: bytes, value: bytes) -> None:
    refusing(value)


def broken(data: bytes) -> bytes:
    raise IndexError(data)


def test_refusing_is_right_at_first_and_wrong_for_what_was_written() -> None:
    check(Target(refusing, lambda _data, _value: None, list), b"")
    with pytest.raises(AssertionError, match="written itself"):
        check(Target(bytes, refusing_its_own, list), b"")
    with pytest.raises(IndexError):
        check(Target(broken, lambda _data, _value: None, list), b"")


needs_atheris = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris is installed on Linux with x86-64 only"
)


async def ended(*command: str) -> tuple[int | None, str]:
    """What a Python of its own returned, and said of errors: atheris changes the modules that it instruments."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *command),
        cwd=ROOT,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, said.decode(errors="replace")


@needs_atheris
@pytest.mark.slow(alone=False)
@pytest.mark.parametrize("name", TARGETS)
async def test_seconds_of_fuzzing_find_nothing(name: str) -> None:
    code, said = await ended("-m", "tests.fuzz.run", name, "--seconds", str(SECONDS))
    assert code == 0, said[-4000:]
    assert " runs in " in said


BROKEN = """
from tests.fuzz import run

def check(target, data):
    if len(data) > 3:
        raise IndexError(len(data))

run.check = check
run.main()
"""


@needs_atheris
@pytest.mark.slow(alone=False)
async def test_a_fault_ends_the_run_and_its_input_is_shown() -> None:
    code, said = await ended("-c", BROKEN, "sframe", "--seconds", "10")
    assert code not in (0, None)
    (shown,) = re.findall(r"fault in sframe by ([0-9a-f]+)", said)
    assert len(bytes.fromhex(shown)) > 3
