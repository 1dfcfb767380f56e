"""The page in ``web/built`` is what ``web/src`` builds to, so that a start needs no Node."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.web.building import BUILT, LOCK, WEB, Toolchain


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_built_page_is_not_stale(toolchain: Toolchain, tmp_path: Path) -> None:
    toolchain.build(tmp_path / "built")
    fresh, kept = contents(tmp_path / "built"), contents(BUILT)
    assert sorted(fresh) == sorted(kept), "build it anew: cd web && npm ci && npm run build"
    assert fresh == kept


@pytest.mark.parametrize("project", ["tsconfig.json", "tsconfig.worker.json", "tsconfig.tests.json"])
def test_types_hold(toolchain: Toolchain, project: str) -> None:
    done = toolchain.run("typescript/bin/tsc", "-p", project)
    assert done.returncode == 0, done.stdout


def test_the_source_is_formatted(toolchain: Toolchain) -> None:
    done = toolchain.run("prettier/bin/prettier.cjs", "--check", "src", "tests", "*.{ts,json,html}")
    assert done.returncode == 0, done.stdout + "write it anew: cd web && npm run format"


def test_what_can_be_tested_without_a_browser_does_what_its_tests_say(toolchain: Toolchain) -> None:
    done = toolchain.run("vitest/vitest.mjs", "run", "--reporter=default", "--no-color")
    assert done.returncode == 0, done.stdout
    assert re.search(r"Tests +\d{2,} passed", done.stdout), done.stdout


def test_the_lock_names_versions_and_digests_and_nobodys_address() -> None:
    text = LOCK.read_text()
    assert "http" not in text
    packages = json.loads(text)["packages"]
    pinned = [one for name, one in packages.items() if name]
    assert len(pinned) > 10
    assert all("integrity" in one and "resolved" not in one for one in pinned)


def test_the_page_asks_nobody_else_and_has_no_inline_code() -> None:
    page = (BUILT / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page)
    for name, content in contents(BUILT).items():
        addresses = set(re.findall(rb"(?:https?|wss?)://[a-z0-9.-]+", content))
        # The one is the name of a vocabulary, and fetched by nobody.
        assert addresses <= {b"http://www.w3.org"}, name


def test_nothing_that_only_tests_use_is_in_the_page() -> None:
    everything = b"".join(contents(BUILT).values())
    assert b"OscillatorNode" not in everything
    assert b"Lovelace" not in everything
    assert not list((WEB / "src").rglob("*.test.ts"))
