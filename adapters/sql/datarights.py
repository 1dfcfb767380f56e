"""Personal data in tables, described rather than programmed: which columns name a person, which ones they may see."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Row, Select, Table, and_, case, delete, or_, select, tuple_, update

from adapters.sql.metadata import Id, Moment
from adapters.sql.units import sql_of
from kernel.datarights import ExportPage, Record
from kernel.ids import MAX_PEER_SKEW_MS, floor_at, milliseconds_of
from kernel.units import Transaction, UnitsOfWork

ROWS_READ_AT_A_TIME = 500
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsAbout:
    """kernel.datarights.PersonalData of one table. A row goes when any of ``people`` names the person.

    ``shown`` is what goes into an archive, of rows in which ``own`` names them (None: any of ``people``): that
    somebody else has blocked them, for one, is not theirs to know; every other column is ``withheld``, for a reason.
    ``says`` tells them what it is. ``others`` are the remaining columns with ids, which name no person.
    """

    name: str
    table: Table
    people: Sequence[str]
    says: str = ""
    shown: Sequence[str] = ()
    withheld: Mapping[str, str] = field(default_factory=dict)
    own: Sequence[str] | None = None
    others: Sequence[str] = ()

    def __post_init__(self) -> None:
        ids = [*self.people, *self.others]
        _check(self.table, ids=ids, named=[*self.shown, *self.withheld, *(self.own or ())])

    @property
    def tables(self) -> frozenset[str]:
        return frozenset({self.table.name})

    @property
    def undecided(self) -> frozenset[str]:
        """Columns of which nobody said whether they go into an archive."""
        return frozenset(self.table.c.keys()) - {*self.people, *self.shown, *self.withheld}

    async def export(self, unit: Transaction, person: UUID, *, after: object | None, most: int) -> ExportPage:
        own = self.people if self.own is None else self.own
        return await _page(unit, self.table, self.shown, _naming(self.table, own, person), after=after, most=most)

    async def erase(self, unit: Transaction, person: UUID, *, most: int) -> int:
        some = _some(self.table, _naming(self.table, self.people, person), most)
        return (await sql_of(unit).connection.execute(delete(self.table).where(some))).rowcount


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsRenamed:
    """kernel.datarights.PersonalData of a table whose rows stay: where one of ``people`` names the person, a pseudonym
    does from then on (in text), or nobody. Else it is as RowsAbout."""

    name: str
    table: Table
    people: Sequence[str]
    pseudonym: Callable[[UUID], str] | None
    says: str = ""
    shown: Sequence[str] = ()
    withheld: Mapping[str, str] = field(default_factory=dict)
    others: Sequence[str] = ()

    def __post_init__(self) -> None:
        _check(self.table, ids=[*self.people, *self.others], named=[*self.shown, *self.withheld])

    @property
    def tables(self) -> frozenset[str]:
        return frozenset({self.table.name})

    @property
    def undecided(self) -> frozenset[str]:
        """As RowsAbout's."""
        return frozenset(self.table.c.keys()) - {*self.people, *self.shown, *self.withheld}

    async def export(self, unit: Transaction, person: UUID, *, after: object | None, most: int) -> ExportPage:
        naming = _naming(self.table, self.people, person)
        return await _page(unit, self.table, self.shown, naming, after=after, most=most)

    async def erase(self, unit: Transaction, person: UUID, *, most: int) -> int:
        columns = [self.table.c[name] for name in self.people]
        instead = None if self.pseudonym is None else self.pseudonym(person)
        renamed = {column: case((column == _named(column, person), instead), else_=column) for column in columns}
        some = _some(self.table, _naming(self.table, self.people, person), most)
        return (await sql_of(unit).connection.execute(update(self.table).where(some).values(renamed))).rowcount


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """kernel.datarights.PersonalData that tells in an archive, with the names that a reader knows, what other parts
    erase. ``rows`` has a column ``id``, different in each."""

    name: str
    says: str
    rows: Callable[[UUID], Select[Any]]
    tables: frozenset[str] = frozenset()

    async def export(self, unit: Transaction, person: UUID, *, after: object | None, most: int) -> ExportPage:
        rows = self.rows(person).subquery("told")
        page = select(rows).order_by(rows.c.id).limit(most)
        if after is not None:
            page = page.where(rows.c.id > after)
        found = (await sql_of(unit).connection.execute(page)).all()
        records = [{column.name: _readable(column, getattr(row, column.name)) for column in rows.c} for row in found]
        return ExportPage(records, found[-1].id if len(found) == most else None)

    async def erase(self, unit: Transaction, person: UUID, *, most: int) -> int:
        return 0


async def rows_since(
    units: UnitsOfWork, person: UUID, key: Column[UUID], columns: Sequence[Column[Any]], *where: ColumnElement[bool]
) -> AsyncIterator[Sequence[Row[Any]]]:
    """Pages of what was written since somebody's account was: for text and bytes, which no index looks into. ``key``
    is a time-ordered id."""
    after = _just_before(person)
    while True:
        page = select(key, *columns).where(key > after, *where).order_by(key).limit(ROWS_READ_AT_A_TIME)

        async def read(unit: Transaction, page: Any = page) -> Sequence[Row[Any]]:
            return (await sql_of(unit).connection.execute(page)).all()

        rows = await units.read(read)
        yield rows
        if len(rows) < ROWS_READ_AT_A_TIME:
            return
        after = rows[-1][0]


def days_since(person: UUID, now: float) -> Iterator[tuple[UUID, UUID | None]]:
    """Between which time-ordered ids lies each day since somebody's account was made: the first is included, the second
    is not. The last day has no end."""
    begun = milliseconds_of(_just_before(person))
    today = max(round(now * 1000), begun + 1)
    for day in range(begun, today, DAY_MS):
        yield floor_at(day), floor_at(day + DAY_MS) if day + DAY_MS < today else None


def _just_before(person: UUID) -> UUID:
    """Below every id made since: clocks of other nodes may have been behind."""
    if person.version != 7:
        return UUID(int=0)
    return floor_at(max(0, milliseconds_of(person) - MAX_PEER_SKEW_MS))


def _check(table: Table, *, ids: Sequence[str], named: Sequence[str]) -> None:
    there = {column.name for column in table.c if isinstance(column.type, Id)}
    if unexplained := there - set(ids):
        raise ValueError(f"{table.name}: do these columns name a person? {sorted(unexplained)}")
    if unknown := {*ids, *named} - set(table.c.keys()):
        raise ValueError(f"{table.name} has no columns {sorted(unknown)}")


async def _page(
    unit: Transaction,
    table: Table,
    shown: Sequence[str],
    rows: ColumnElement[bool],
    *,
    after: object | None,
    most: int,
) -> ExportPage:
    if not shown:
        return ExportPage([], None)
    key = list(table.primary_key.columns)
    page = select(table).where(rows).order_by(*key).limit(most)
    if after is not None:
        page = page.where(_beyond(key, cast(Sequence[Any], after)))
    found = (await sql_of(unit).connection.execute(page)).all()
    last = [getattr(found[-1], column.name) for column in key] if len(found) == most else None
    return ExportPage([_record(row, table, shown) for row in found], last)


def _record(row: Row[Any], table: Table, shown: Sequence[str]) -> Record:
    record = {name: _readable(table.c[name], getattr(row, name)) for name in shown}
    if "id" not in shown or any(isinstance(table.c[name].type, Moment) for name in shown):
        return record
    # An id says when; people should not have to take it apart.
    return {"at": datetime.fromtimestamp(milliseconds_of(row.id) / 1000, UTC), **record}


def _readable(column: ColumnElement[Any], value: Any) -> object:
    if value is not None and isinstance(column.type, Moment):
        return datetime.fromtimestamp(value, UTC)
    return value


def _some(table: Table, rows: ColumnElement[bool], most: int) -> ColumnElement[bool]:
    """``most`` of them at most: DELETE and UPDATE have no limit of their own everywhere."""
    key = list(table.primary_key.columns)
    place: ColumnElement[Any] = key[0] if len(key) == 1 else tuple_(*key)
    return place.in_(select(*key).where(rows).limit(most))


def _naming(table: Table, columns: Sequence[str], person: UUID) -> ColumnElement[bool]:
    return or_(*(table.c[name] == _named(table.c[name], person) for name in columns))


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
