"""A piece is built once, whole or not at all, by whoever comes first; a wrong one is refused."""

from __future__ import annotations

import hashlib
import threading
import time
from pathlib import Path

import pytest

from tooling import provision
from tooling.provision import CannotProvide, Piece, built, main, pinned, provide, run, verify


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "secureconnect-tests"


@pytest.fixture
def pin(tmp_path: Path) -> Path:
    pin = tmp_path / "pin.lock"
    pin.write_text("version 1")
    return pin


def offer(monkeypatch: pytest.MonkeyPatch, *pieces: Piece) -> None:
    monkeypatch.setattr(provision, "PIECES", {piece.name: piece for piece in pieces})


@pytest.mark.usefixtures("cache")
def test_of_many_who_want_a_piece_at_once_one_builds_it(pin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builds = []

    def build(directory: Path, _log: Path) -> None:
        builds.append(directory)
        time.sleep(0.1)
        (directory / "program").write_text("works")

    offer(monkeypatch, built("tool", [pin], build))
    everyone = [threading.Thread(target=provide, args=("tool",)) for _ in range(4)]
    for one in everyone:
        one.start()
    for one in everyone:
        one.join()
    assert len(builds) == 1
    assert (pinned("tool", pin) / "program").read_text() == "works"


@pytest.mark.usefixtures("cache")
def test_what_was_interrupted_is_not_taken_for_built(pin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(directory: Path, _log: Path) -> None:
        assert list(directory.iterdir()) == []
        (directory / "program").write_text("half")
        if interrupted:
            raise CannotProvide("the line went dead")

    offer(monkeypatch, built("tool", [pin], build))
    interrupted = True
    with pytest.raises(CannotProvide, match="the line went dead"):
        provide("tool")
    assert not pinned("tool", pin).exists()
    interrupted = False
    provide("tool")
    assert pinned("tool", pin).exists()


@pytest.mark.usefixtures("cache")
def test_another_pin_is_another_build(pin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, built("tool", [pin], lambda directory, _log: directory.joinpath("program").touch()))
    provide("tool")
    first = pinned("tool", pin)
    pin.write_text("version 2")
    provide("tool")
    assert pinned("tool", pin) != first
    assert {pinned("tool", pin).exists(), first.exists()} == {True}


def test_a_failing_step_is_told_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(CannotProvide, match="no space left"):
        run(["sh", "-c", "echo no space left; exit 3"], log=tmp_path / "log")


def test_only_what_the_checksums_say_passes(tmp_path: Path) -> None:
    jars = tmp_path / "jars"
    jars.mkdir()
    (jars / "one.jar").write_bytes(b"one")
    checksums = tmp_path / "checksums.sha256"
    checksums.write_text(f"{hashlib.sha256(b'one').hexdigest()}  one.jar\n")
    verify(jars, checksums)
    (jars / "stranger.jar").write_bytes(b"two")
    with pytest.raises(CannotProvide, match=r"stranger\.jar"):
        verify(jars, checksums)
    (jars / "stranger.jar").unlink()
    (jars / "one.jar").write_bytes(b"changed")
    with pytest.raises(CannotProvide, match=r"one\.jar"):
        verify(jars, checksums)


@pytest.mark.usefixtures("cache")
def test_one_that_cannot_be_had_does_not_hold_up_the_others(
    pin: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def impossible(_directory: Path, _log: Path) -> None:
        raise CannotProvide("no compiler: apt-get install one")

    fine = built("fine", [pin], lambda directory, _log: directory.joinpath("program").touch())
    offer(monkeypatch, built("impossible", [pin], impossible), fine)
    assert main([]) == 1
    assert "[impossible] no compiler: apt-get install one" in capsys.readouterr().err
    assert fine.ready()
