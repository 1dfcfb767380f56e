"""What is known about a person, and where: every room registers what it keeps, so that all of it can be handed out and
all of it can be erased. A test walks tables, channels, short-lived keys and objects for what nobody registered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeGuard
from uuid import UUID

from kernel.units import Transaction

Record = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ExportPage:
    """Some records, and where the next page begins: None after the last."""

    records: Sequence[Record]
    next: object | None


@dataclass(frozen=True, slots=True)
class NamedObject:
    """An object of the object store, and what it is called in an archive (without the extension of its type);
    ``says`` what it is."""

    file_name: str
    key: str
    says: str


class PersonalData(Protocol):
    """What a room keeps about people in the relational store. ``name`` names its file in an archive, ``says`` tells the
    person what is in it."""

    @property
    def name(self) -> str: ...

    @property
    def says(self) -> str: ...

    @property
    def tables(self) -> frozenset[str]: ...

    async def export(self, unit: Transaction, person: UUID, *, after: object | None, most: int) -> ExportPage:
        """What the person may see of it, ``most`` records at a time, from the start or from where a page said that
        the next begins. No secrets, and nothing that is known about others only."""
        ...

    async def erase(self, unit: Transaction, person: UUID, *, most: int) -> int:
        """Erase at most ``most`` rows, or whatever names the person in them; answers how many: 0 when nothing is
        left. Ended between two calls, it goes on where it was."""
        ...


class PersonalThings(Protocol):
    """What is kept elsewhere: objects, short-lived keys, files, or rows that are found by reading them."""

    @property
    def name(self) -> str: ...

    async def objects(self, person: UUID) -> Sequence[NamedObject]:
        """What of it goes into an archive."""
        ...

    async def erase(self, person: UUID) -> int:
        """Erase all of it, in bounded steps; answers how much there was: 0 when nothing is left. May be cut short
        at any moment and called again."""
        ...


Part = PersonalData | PersonalThings


def is_in_tables(part: Part) -> TypeGuard[PersonalData]:
    return hasattr(part, "tables")


def is_elsewhere(part: Part) -> TypeGuard[PersonalThings]:
    return hasattr(part, "objects")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataMap:
    """Everything there is. ``parts`` are erased in their order, so what finds others by a row comes before that row;
    the account itself is the last.

    The mappings say why: of tables that are about nobody, and of channels, short-lived keys and objects (by prefix) and
    of jobs (by kind), what becomes of them when a person is erased.
    """

    parts: Sequence[Part]
    impersonal_tables: Mapping[str, str]
    channels: Mapping[str, str]
    short_lived: Mapping[str, str]
    objects: Mapping[str, str]
    jobs: Mapping[str, str]

    def __post_init__(self) -> None:
        names = Counter(part.name for part in self.parts)
        tables = Counter(table for data in self.in_tables for table in data.tables)
        tables.update(self.impersonal_tables.keys())
        twice = [name for counted in (names, tables) for name, times in counted.items() if times > 1]
        if twice:
            raise ValueError(f"registered more than once: {', '.join(sorted(twice))}")

    @property
    def in_tables(self) -> Sequence[PersonalData]:
        return [part for part in self.parts if is_in_tables(part)]

    @property
    def elsewhere(self) -> Sequence[PersonalThings]:
        return [part for part in self.parts if is_elsewhere(part)]

    @property
    def tables(self) -> frozenset[str]:
        """Every table that somebody registered, as personal or as not."""
        return frozenset(self.impersonal_tables).union(*(data.tables for data in self.in_tables))
