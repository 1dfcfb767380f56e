"""Parts that are not Python are built when they changed, and only then; a missing tool is said, not fatal."""

from __future__ import annotations

from pathlib import Path

import pytest

from tooling.parts import Part, build, main


@pytest.fixture
def part(tmp_path: Path) -> Part:
    (tmp_path / "native").mkdir()
    (tmp_path / "native" / "source").write_text("one")
    steps = (("sh", "-c", "mkdir -p target && echo built >> target/log"),)
    return Part(folder="native", tool="sh", steps=steps, cost="nothing is fast")


def builds(root: Path) -> int:
    return len((root / "native" / "target" / "log").read_text().splitlines())


def test_it_is_built_again_only_when_its_sources_change(tmp_path: Path, part: Part) -> None:
    assert build(tmp_path, part)
    assert build(tmp_path, part)
    assert builds(tmp_path) == 1
    (tmp_path / "native" / "source").write_text("another")
    assert build(tmp_path, part)
    assert builds(tmp_path) == 2


def test_a_missing_tool_is_said_with_its_cost(tmp_path: Path, part: Part, capsys: pytest.CaptureFixture[str]) -> None:
    lacking = Part(folder=part.folder, tool="no-such-tool", steps=part.steps, cost=part.cost)
    assert not build(tmp_path, lacking)
    assert "no-such-tool is not installed: nothing is fast" in capsys.readouterr().out


def test_a_failed_build_is_tried_again(tmp_path: Path, part: Part, capsys: pytest.CaptureFixture[str]) -> None:
    broken = Part(folder=part.folder, tool="sh", steps=(("sh", "-c", "exit 1"),), cost=part.cost)
    assert not build(tmp_path, broken)
    assert "could not be built" in capsys.readouterr().out
    assert build(tmp_path, part)


def test_where_there_are_no_parts_nothing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(tmp_path)
    assert capsys.readouterr().out == ""
