"""The environment is touched only when something that decides on it has changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tooling import environment
from tooling.environment import CannotInstall, Environment, digest, find_python


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """An environment whose every installing step would fail the test."""

    def refuse(*command: object) -> None:
        raise AssertionError(f"ran {command}")

    monkeypatch.setattr(environment, "require", refuse)
    there = Environment(tmp_path)
    there.python.parent.mkdir(parents=True)
    there.python.symlink_to("/bin/true")
    return there


def stamp(there: Environment, kind: str, seal: str) -> None:
    (there.directory / "installed.json").write_text(json.dumps({"kind": kind, "digest": seal}))


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [("runtime", "runtime"), ("dev", "dev"), ("dev", "runtime")],
)
def test_nothing_is_done_when_all_is_there(installed: Environment, kind: str, wanted: str) -> None:
    stamp(installed, kind, digest(kind))
    installed.provide(wanted)


@pytest.mark.parametrize(
    ("kind", "seal", "wanted"),
    [("runtime", digest("runtime"), "dev"), ("runtime", "of an older lock", "runtime"), ("dev", "old", "runtime")],
)
def test_it_installs_what_is_missing_or_old(installed: Environment, kind: str, seal: str, wanted: str) -> None:
    stamp(installed, kind, seal)
    with pytest.raises(AssertionError, match="ran"):
        installed.provide(wanted)
    assert installed.installed() == {}, "what was interrupted must not look complete"


def test_a_stamp_that_is_no_stamp_means_nothing(installed: Environment) -> None:
    (installed.directory / "installed.json").write_text("{")
    assert installed.installed() == {}


def test_a_chosen_interpreter_that_is_too_old_or_not_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    for chosen in (str(old), str(tmp_path / "nothing")):
        monkeypatch.setenv("PYTHON", chosen)
        with pytest.raises(CannotInstall, match=r"apt-get install python3 python3-venv"):
            find_python()
