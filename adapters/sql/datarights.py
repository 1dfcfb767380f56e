"""Personal data in tables, described rather than programmed: which columns name a person, which ones they may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Table, and_, delete, or_, select, tuple_

from adapters.sql.metadata import Id, Moment
from adapters.sql.units import sql_of
from kernel.datarights import ExportPage, Record
from kernel.units import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsAbout:
    """kernel.datarights.PersonalData of one table. A row goes when any of ``people`` names the person.

    ``shown`` is what goes into an archive, of rows in which ``own`` names them (None: any of ``people``): that
    somebody else has blocked them, for one, is not theirs to know. ``others`` are the remaining columns with ids,
    which name no person.
    """

    name: str
    table: Table
    people: Sequence[str]
    shown: Sequence[str] = ()
    own: Sequence[str] | None = None
    others: Sequence[str] = ()

    def __post_init__(self) -> None:
        named = {*self.people, *self.others}
        ids = {column.name for column in self.table.c if isinstance(column.type, Id)}
        if unexplained := ids - named:
            raise ValueError(f"{self.table.name}: do these columns name a person? {sorted(unexplained)}")
        if unknown := {*named, *self.shown, *(self.own or ())} - set(self.table.c.keys()):
            raise ValueError(f"{self.table.name} has no columns {sorted(unknown)}")

    @property
    def tables(self) -> frozenset[str]:
        return frozenset({self.table.name})

    async def export(self, unit: Transaction, person: UUID, *, after: object | None, most: int) -> ExportPage:
        if not self.shown:
            return ExportPage([], None)
        own, key = self._rows_of(person, self.people if self.own is None else self.own), self._key
        page = select(self.table).where(own).order_by(*key).limit(most)
        if after is not None:
            page = page.where(_beyond(key, cast(Sequence[Any], after)))
        rows = (await sql_of(unit).connection.execute(page)).all()
        records = [plain(row, self.table, self.shown) for row in rows]
        last = [getattr(rows[-1], column.name) for column in key] if len(rows) == most else None
        return ExportPage(records, last)

    async def erase(self, unit: Transaction, person: UUID, *, most: int) -> int:
        key = self._key
        some = select(*key).where(self._rows_of(person, self.people)).limit(most)
        place: ColumnElement[Any] = key[0] if len(key) == 1 else tuple_(*key)
        return (await sql_of(unit).connection.execute(delete(self.table).where(place.in_(some)))).rowcount

    @property
    def _key(self) -> list[Column[Any]]:
        return list(self.table.primary_key.columns)

    def _rows_of(self, person: UUID, columns: Sequence[str]) -> ColumnElement[bool]:
        return or_(*(self.table.c[name] == _named(self.table.c[name], person) for name in columns))


def readable(column: Column[Any], value: Any) -> object:
    """As it stands in an archive."""
    if value is not None and isinstance(column.type, Moment):
        return datetime.fromtimestamp(value, UTC)
    return value


def plain(row: Any, table: Table, shown: Sequence[str]) -> Record:
    return {name: readable(table.c[name], getattr(row, name)) for name in shown}


def _named(column: Column[Any], person: UUID) -> UUID | str:
    """Ids, or text that may hold one of several kinds of things."""
    return person if isinstance(column.type, Id) else str(person)


def _beyond(key: Sequence[Column[Any]], position: Sequence[Any]) -> ColumnElement[bool]:
    """Rows that come after ``position`` in the order of ``key``, in words that every backend has."""
    return or_(
        *(
            and_(
                *(column == value for column, value in zip(key[:at], position[:at], strict=True)),
                key[at] > position[at],
            )
            for at in range(len(key))
        )
    )
