"""The house: every top-level folder is a known room, resolves to this checkout, is held by the import rules and stays
small enough to read.
"""

from __future__ import annotations

import importlib.util
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

ROOMS = ("kernel", "config", "identity", "chat", "media", "sfu", "signaling", "adapters", "api", "secureconnect")
"""Packages of the product. A new one is added here, to the packages of the distribution and to the import rules."""

OTHER_FOLDERS = frozenset({"tests", "tooling", "requirements", "docs", "docker", "benchmarks", "examples", "web"})
# Not Python, and part of what is installed.
PAGES = "web.built"
LONGEST_FILE = 600


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout.decode()
    return [ROOT / name for name in filter(None, listed.split("\0")) if (ROOT / name).exists()]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_the_package_of_this_checkout(room: str) -> None:
    found = importlib.util.find_spec(room)
    assert found is not None
    assert found.origin is not None
    assert Path(found.origin).resolve() == ROOT / room / "__init__.py"


def test_every_top_level_folder_is_known() -> None:
    folders = {path.relative_to(ROOT).parts[0] for path in tracked() if path.parent != ROOT}
    assert {folder for folder in folders if not folder.startswith(".")} <= {*ROOMS, *OTHER_FOLDERS}


def test_the_import_rules_know_every_room() -> None:
    rules = PROJECT["tool"]["importlinter"]
    assert set(rules["root_packages"]) == set(ROOMS)
    named = {
        module.split(".")[0]
        for contract in rules["contracts"]
        for key in ("source_modules", "forbidden_modules", "modules", "layers")
        for module in contract.get(key, [])
    }
    assert set(ROOMS) <= named


def test_every_store_of_the_adapters_is_held_apart_from_the_others() -> None:
    (apart,) = [rule for rule in PROJECT["tool"]["importlinter"]["contracts"] if rule["type"] == "independence"]
    stores = {f"adapters.{path.parent.name}" for path in (ROOT / "adapters").glob("*/__init__.py")}
    assert stores <= set(apart["modules"])


def test_the_image_is_made_of_every_room() -> None:
    copied = {
        line.split()[1].rstrip("/")
        for line in (ROOT / "docker/Dockerfile").read_text().splitlines()
        if line[:5] == "COPY "
    }
    assert {*ROOMS, PAGES.replace(".", "/")} <= copied


def test_the_distribution_carries_every_room() -> None:
    assert set(PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]) == {f"{one}*" for one in (*ROOMS, PAGES)}
    assert set(ROOMS) <= set(PROJECT["tool"]["mypy"]["packages"])


def test_every_file_of_the_pages_is_of_a_kind_that_is_installed() -> None:
    kinds = PROJECT["tool"]["setuptools"]["package-data"]["*"]
    files = [path for path in tracked() if path.is_relative_to(ROOT / "web/built")]
    assert files
    assert [path.name for path in files if not any(path.match(kind) for kind in kinds)] == []


def test_every_room_says_that_it_is_typed() -> None:
    assert [room for room in ROOMS if not (ROOT / room / "py.typed").exists()] == []


def test_no_file_is_too_long_to_read() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in tracked()
        if path.suffix == ".py" and (lines := len(path.read_text().splitlines())) > LONGEST_FILE
    }
    assert long == {}
