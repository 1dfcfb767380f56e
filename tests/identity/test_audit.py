"""The audit log: what is in it stays, newest first, by who did what to whom and when."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from adapters.sql.identity import datarights_texts
from adapters.sql.identity.datarights_texts import AuditDetails
from adapters.sql.units import sql_of
from identity.audit import AuditFilter
from kernel.errors import Malformed
from kernel.units import Transaction
from tests.identity.bench import Bench, bench
from tests.identity.crowds import plan_of
from tests.services.postgres import PostgresService
from tests.worlds import world

ROOT = Path(__file__).resolve().parents[2]


async def recorded(here: Bench, *acts: tuple[str, str, str]) -> None:
    async def work(unit: Transaction) -> None:
        for actor, action, subject in acts:
            here.clock.advance(1.0)
            await here.people.audit.record(unit, actor=actor, action=action, subject=subject, details={"n": action})

    await here.platform.database.units.write(work)


async def found(here: Bench, wanted: AuditFilter, *, limit: int = 100) -> list[str]:
    """The actions, over as many pages as it takes."""
    actions: list[str] = []
    cursor: str | None = None
    while True:
        page = await here.people.audit.page(wanted, cursor=cursor, limit=limit)
        assert len(page.items) <= limit
        actions += [entry.action for entry in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return actions


async def filters_and_pages(here: Bench) -> None:
    await recorded(here, ("ada", "a1", "bob"), ("ada", "a2", "eve"))
    middle = here.clock.now()
    await recorded(here, ("bob", "b1", "ada"), ("ada", "a3", "bob"))
    for limit in (1, 2, 3, 4, 100):
        assert await found(here, AuditFilter(), limit=limit) == ["a3", "b1", "a2", "a1"]
        assert await found(here, AuditFilter(actor="ada"), limit=limit) == ["a3", "a2", "a1"]
        assert await found(here, AuditFilter(actor="ada", subject="bob"), limit=limit) == ["a3", "a1"]
        assert await found(here, AuditFilter(action="b1"), limit=limit) == ["b1"]
        assert await found(here, AuditFilter(since=middle), limit=limit) == ["a3", "b1", "a2"]
        assert await found(here, AuditFilter(until=middle), limit=limit) == ["a1"]
        assert await found(here, AuditFilter(since=middle, until=middle + 1.0), limit=limit) == ["a2"]
        assert await found(here, AuditFilter(since=middle + 1.0, until=middle), limit=limit) == []


async def test_it_is_filtered_and_paged(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        await filters_and_pages(here)


async def test_it_is_filtered_and_paged_on_postgresql(tmp_path: Path, postgres: PostgresService) -> None:
    async with bench(tmp_path, database_url=postgres.create_database()) as here:
        await filters_and_pages(here)


async def test_pages_go_on_where_they_were_while_more_is_added(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        await recorded(here, *(("ada", f"a{number}", "bob") for number in range(4)))
        first = await here.people.audit.page(AuditFilter(), cursor=None, limit=2)
        await recorded(here, ("ada", "later", "bob"))
        second = await here.people.audit.page(AuditFilter(), cursor=first.next_cursor, limit=2)
        assert [entry.action for entry in (*first.items, *second.items)] == ["a3", "a2", "a1", "a0"]
        assert second.next_cursor is None


async def test_what_was_rolled_back_is_not_in_it(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:

        async def work(unit: Transaction) -> None:
            await here.people.audit.record(unit, actor="ada", action="x", subject="bob")
            raise LookupError

        with pytest.raises(LookupError):
            await here.platform.database.units.write(work)
        assert await found(here, AuditFilter()) == []


async def test_an_entry_tells_when_and_with_what(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        await recorded(here, ("ada", "a1", "bob"))
        [entry] = (await here.people.audit.page(AuditFilter(), cursor=None, limit=1)).items
        assert entry.at == pytest.approx(here.clock.now(), abs=0.001)
        assert entry.details == {"n": "a1"}


async def test_a_cursor_of_another_list_is_refused(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        with pytest.raises(Malformed):
            await here.people.audit.page(AuditFilter(), cursor="bm90IG91cnM", limit=2)


async def test_over_http_by_time_and_subject(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        root, ada = await here.admin("root.one"), await here.person("ada")
        before = quote(datetime.now(UTC).isoformat())
        assert (await root.patch(f"/v1/admin/users/{ada.id}", {"state": "disabled"})).status == 200
        assert (await root.patch(f"/v1/admin/users/{ada.id}", {"state": "active"})).status == 200
        told = (await root.get(f"/v1/admin/audit?subject={ada.id}&limit=1")).body
        [entry] = told["items"]
        assert (entry["actor"], entry["action"], entry["subject"]) == (str(root.id), "user.enable", str(ada.id))
        assert UUID(entry["id"]).version == 7
        rest = (await root.get(f"/v1/admin/audit?subject={ada.id}&limit=1&cursor={told['next_cursor']}")).body
        assert [item["action"] for item in rest["items"]] == ["user.disable"]
        assert rest["next_cursor"] is None
        everything = (await root.get("/v1/admin/audit")).body["items"]
        assert [item["action"] for item in everything] == ["user.enable", "user.disable", "user.create"]
        since = (await root.get(f"/v1/admin/audit?since={before}")).body["items"]
        assert [item["action"] for item in since] == ["user.enable", "user.disable"]
        assert (await root.get(f"/v1/admin/audit?until={quote('0001-01-01T00:00:00+23:59')}")).body["items"] == []
        for wrong in (
            "since=2026-01-01T00:00:00.000",
            "until=0.5",
            "until=1767225600000000000000",
            "cursor=nonsense",
            "actor=",
            "acter=ada",
            "limit=101",
        ):
            assert (await root.get(f"/v1/admin/audit?{wrong}")).status == 400, wrong


def test_no_code_changes_or_removes_an_entry() -> None:
    """Statements on the table are made in its module, which has none but an insert and a select; besides it only what
    puts a pseudonym in place of an erased person knows it."""
    knowing = {
        path.relative_to(ROOT).as_posix()
        for room in ("adapters", "api", "chat", "identity", "kernel")
        for path in (ROOT / room).rglob("*.py")
        if "migrations" not in path.parts and re.search(r'\bAUDIT\b|"audit_log"', path.read_text())
    }
    home = "adapters/sql/identity/audit.py"
    assert knowing == {home, "adapters/sql/identity/datarights.py", "adapters/sql/identity/datarights_texts.py"}
    tree = ast.parse((ROOT / home).read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert not imported & {"update", "delete", "upsert", "text"}


# What no statement may do, whoever sends it.
REFUSED = (
    "UPDATE audit_log SET actor = 'eve'",
    "UPDATE audit_log SET subject = 'eve'",
    "UPDATE audit_log SET action = 'erased:1'",
    "UPDATE audit_log SET details = '{}'",
    "DELETE FROM audit_log",
)


async def entries_stay(here: Bench, *refused: str) -> None:
    await recorded(here, ("ada", "a1", "bob"))
    for statement in refused:
        with pytest.raises(DBAPIError, match="audit log"):
            await here.platform.database.units.write(partial(_execute, statement=statement))
    assert await found(here, AuditFilter(actor="ada", subject="bob", action="a1")) == ["a1"]
    # A pseudonym may take the place of a person.
    for column in ("actor", "subject"):
        renaming = f"UPDATE audit_log SET {column} = 'erased:1', details = '{{\"n\":\"erased:1\"}}'"
        await here.platform.database.units.write(partial(_execute, statement=renaming))
    assert await found(here, AuditFilter(actor="erased:1", subject="erased:1")) == ["a1"]


async def _execute(unit: Transaction, statement: str) -> None:
    await sql_of(unit).connection.execute(text(statement))


async def test_the_database_itself_keeps_entries_as_they_are(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        replacing = "REPLACE INTO audit_log SELECT id, 'eve', action, subject, details FROM audit_log"
        await entries_stay(here, *REFUSED, replacing)


async def test_postgresql_keeps_entries_as_they_are(tmp_path: Path, postgres: PostgresService) -> None:
    async with bench(tmp_path, database_url=postgres.create_database()) as here:
        await entries_stay(here, *REFUSED, "TRUNCATE audit_log")
        await details_of_any_day(here)


async def test_an_index_finds_what_is_asked_for(tmp_path: Path) -> None:
    wanted = {
        "ix_audit_log_actor_id": AuditFilter(actor="ada", since=1.0, until=2.0),
        "ix_audit_log_action_id": AuditFilter(action="a1", since=1.0),
        "ix_audit_log_subject_id": AuditFilter(subject="bob"),
        "sqlite_autoindex_audit_log_1": AuditFilter(since=1.0, until=2.0),
    }
    async with bench(tmp_path) as here:
        for index, filtered in wanted.items():
            asking = partial(here.people.audit.page, filtered, cursor=None, limit=20)
            plan = await plan_of(here.platform.database, "audit_log", asking)
            assert index in plan, plan
            assert "TEMP B-TREE" not in plan, plan
            assert "SCAN" not in plan, plan


async def details_of_any_day(here: Bench) -> None:
    ada = await here.account("ada")
    for _ in range(3):
        for said in (str(ada.id), ada.id.hex, "somebody else"):
            await here.platform.database.units.write(
                partial(here.people.audit.record, actor="eve", action="x", subject="y", details={"whom": said})
            )
        here.clock.advance(0.9 * 86400)
    details = AuditDetails(here.platform.database.units, lambda _person: "erased:1", here.clock)
    assert await details.erase(ada.id) == 6
    assert await details.erase(ada.id) == 0
    page = await here.people.audit.page(AuditFilter(action="x"), cursor=None, limit=100)
    assert sorted(entry.details["whom"] for entry in page.items) == ["erased:1"] * 6 + ["somebody else"] * 3


async def test_a_pseudonym_takes_the_place_of_a_person_in_details_of_any_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datarights_texts, "AT_A_TIME", 1)
    async with bench(tmp_path) as here:
        await details_of_any_day(here)
