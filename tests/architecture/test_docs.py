"""Chapters that say where things are name files that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.architecture.test_rooms import OTHER_FOLDERS, ROOMS, ROOT, tracked

CHAPTERS = ("CONTRIBUTING.md", "docs/architecture.md", "docs/media-plane.md")
NAMED = re.compile(r"`([a-z0-9_./-]+(?:\.py|\.md|/))`")


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_file_that_a_chapter_names_is_there(chapter: str) -> None:
    """By its path, or by its name alone beside one that has it."""
    names = {path.name for path in tracked()}
    named = {name for name in NAMED.findall((ROOT / chapter).read_text()) if "<" not in name}
    paths = {name for name in named if name.split("/")[0] in {*ROOMS, *OTHER_FOLDERS}}
    assert len(paths) > 5
    assert sorted(name for name in paths if not (ROOT / name).exists()) == []
    # Folders by themselves may be rooms that are still to be built.
    assert {Path(name).name for name in named - paths if not name.endswith("/")} <= names
