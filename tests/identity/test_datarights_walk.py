"""Nothing is kept that nobody registered: tables, channels, short-lived keys and objects are looked for in the code."""

from __future__ import annotations

import ast
import pkgutil
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Table

from adapters import sql
from adapters.sql import migrations
from adapters.sql.datarights import RowsAbout, RowsRenamed
from adapters.sql.identity.datarights_texts import NAMED_IN
from adapters.sql.metadata import Id, metadata
from kernel.datarights import DataMap
from tests.worlds import world

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("kernel", "identity", "chat", "adapters", "api")

KEY = re.compile(r"[a-z_-]+(?::[a-z_-]+)*:")
OBJECT = re.compile(r"[a-z_-]+/")

# Texts that look like the beginning of a key or a channel, and what they are.
NO_KEYS = {
    "u:": "who a bucket below rate: is for",
    "a:": "who a bucket below rate: is for",
    "n:": "who a bucket below rate: is for",
    "friends:": "the name of a listing in its cursors",
    "erased:": "a pseudonym",
}


@dataclass(frozen=True)
class Code:
    """``beginnings`` are what texts begin with that go on with a value, such as ``f"user:{person}"``; ``channels`` the
    values of constants of that name, ``jobs`` of those that name a kind of job."""

    beginnings: frozenset[str]
    channels: frozenset[str]
    jobs: frozenset[str]


@pytest.fixture(scope="module")
def code() -> Code:
    files = [file for room in ROOMS for file in (ROOT / room).rglob("*.py")]
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text()))]
    return Code(
        beginnings=frozenset(text for node in nodes if (text := _beginning(node)) is not None),
        channels=frozenset(value for name, value in _constants(nodes) if name == "CHANNEL"),
        jobs=frozenset(value for name, value in _constants(nodes) if name.endswith("_JOB")),
    )


def _beginning(node: ast.AST) -> str | None:
    if isinstance(node, ast.JoinedStr) and len(node.values) > 1:
        head, then = node.values[:2]
        if isinstance(head, ast.Constant) and isinstance(then, ast.FormattedValue):
            return str(head.value)
    return None


def _constants(nodes: Sequence[ast.AST]) -> Iterator[tuple[str, str]]:
    for node in nodes:
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    yield target.id, str(node.value.value)


@pytest.fixture
async def data(tmp_path: Path) -> DataMap:
    async with world(tmp_path) as here:
        return here.started.rights.data


def test_the_search_finds_what_is_known_to_be_there(code: Code) -> None:
    assert {"user:", "identity:session:", "avatars/"} <= code.beginnings
    assert {"jobs", "cache"} <= code.channels
    assert {"mail", "erasure"} <= code.jobs


async def test_every_table_is_personal_or_says_why_not(data: DataMap) -> None:
    for module in pkgutil.walk_packages(sql.__path__, f"{sql.__name__}."):
        if not module.name.startswith(migrations.__name__):
            import_module(module.name)
    assert set(metadata.tables) == data.tables


async def test_every_key_and_channel_says_what_becomes_of_it(code: Code, data: DataMap) -> None:
    found = {text for text in code.beginnings if KEY.fullmatch(text)} | code.channels
    assert found - set(NO_KEYS) == {*data.channels, *data.short_lived}


async def test_every_kind_of_object_says_what_becomes_of_it(code: Code, data: DataMap) -> None:
    assert {text for text in code.beginnings if OBJECT.fullmatch(text)} == set(data.objects)


async def test_every_kind_of_job_says_whom_it_names(code: Code, data: DataMap) -> None:
    assert code.jobs == set(data.jobs)
    # Those whose payload names a person are the ones that are looked for in the table.
    assert set(NAMED_IN) == {kind for kind, why in data.jobs.items() if re.search("an address|an account", why)}


async def test_every_column_goes_into_an_archive_or_says_why_not(data: DataMap) -> None:
    parts = [part for part in data.in_tables if isinstance(part, RowsAbout | RowsRenamed)]
    assert {part.name: sorted(part.undecided) for part in parts if part.undecided} == {}
    assert [part.name for part in parts if part.shown and not part.says] == []


async def test_the_account_goes_last(data: DataMap) -> None:
    assert data.parts[-1].name == "account"


async def test_every_registered_reason_is_one(data: DataMap) -> None:
    for reasons in (data.impersonal_tables, data.channels, data.short_lived, data.objects, data.jobs):
        assert all(len(reason.split()) > 2 for reason in reasons.values())


@pytest.fixture
def probe() -> Iterator[Table]:
    table = Table("walk_probe", metadata, Column("id", Id, primary_key=True), Column("guest", Id))
    yield table
    metadata.remove(table)


def test_a_column_with_ids_that_nobody_explained_is_refused(probe: Table) -> None:
    RowsAbout(name="probe", table=probe, people=["id", "guest"])
    with pytest.raises(ValueError, match="guest"):
        RowsAbout(name="probe", table=probe, people=["id"])
    with pytest.raises(ValueError, match="guest"):
        RowsRenamed(name="probe", table=probe, people=["id"], pseudonym=None)


def test_a_column_that_is_not_there_is_refused(probe: Table) -> None:
    with pytest.raises(ValueError, match="nota"):
        RowsAbout(name="probe", table=probe, people=["id", "guest"], shown=["nota"])


def test_a_table_is_registered_once() -> None:
    table = metadata.tables["accounts"]
    account = RowsAbout(name="account", table=table, people=["id"])
    rest: Any = {"channels": {}, "short_lived": {}, "objects": {}, "jobs": {}}
    with pytest.raises(ValueError, match="accounts"):
        DataMap(parts=[account], impersonal_tables={"accounts": "no"}, **rest)
    with pytest.raises(ValueError, match="account"):
        DataMap(parts=[account, account], impersonal_tables={}, **rest)
