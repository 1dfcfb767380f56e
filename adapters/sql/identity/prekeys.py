"""The key directory's tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    Index,
    PrimaryKeyConstraint,
    Row,
    ScalarSelect,
    Table,
    UniqueConstraint,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from adapters.sql.identity.accounts import ACCOUNTS
from adapters.sql.identity.blocks import unblocked
from adapters.sql.metadata import Bytes, Id, Integer, Moment, Text, metadata, upsert
from adapters.sql.units import sql_of
from identity.accounts import State
from identity.keychanges import ChangeKind, KeyChange
from identity.keydirectory import Device, RetiredKey, StockedDevice
from identity.prekeys import OneTimeKey, SignedKey
from kernel.errors import Conflict
from kernel.units import Transaction

DEVICES = Table(
    "key_devices",
    metadata,
    Column("account", Id, nullable=False),
    Column("device_id", Text, nullable=False),
    Column("identity_key", Bytes, nullable=False),
    Column("signed_key_id", Integer, nullable=False),
    Column("signed_key", Bytes, nullable=False),
    Column("signature", Bytes, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("rotated_at", Moment, nullable=False),
    # One-time keys up to this position went out. It only grows, and each asker moves it by one.
    Column("handed", Integer, nullable=False),
    # The position that the last asker was given, if any: what a statement answers of a row (RETURNING) is what the row
    # has become, so that this has to be part of it.
    Column("given", Integer),
    PrimaryKeyConstraint("account", "device_id"),
)
# In the order in which they came. Those that went out stay for a while, so that they cannot be uploaded again.
ONE_TIME_KEYS = Table(
    "one_time_keys",
    metadata,
    Column("account", Id, nullable=False),
    Column("device_id", Text, nullable=False),
    Column("key_id", Integer, nullable=False),
    Column("public_key", Bytes, nullable=False),
    Column("position", Integer, nullable=False),
    PrimaryKeyConstraint("account", "device_id", "key_id"),
    UniqueConstraint("account", "device_id", "public_key"),
    UniqueConstraint("account", "device_id", "position"),
)
RETIRED = Table(
    "retired_signed_keys",
    metadata,
    Column("account", Id, nullable=False),
    Column("device_id", Text, nullable=False),
    Column("key_id", Integer, nullable=False),
    Column("public_key", Bytes, nullable=False),
    Column("retired_at", Moment, nullable=False),
    PrimaryKeyConstraint("account", "device_id", "key_id"),
)
CHANGES = Table(
    "key_changes",
    metadata,
    Column("account", Id, nullable=False),
    Column("id", Id, nullable=False),
    Column("device_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    PrimaryKeyConstraint("account", "id"),
    Index(None, "account", "device_id", "id"),
)

_d, _o, _r, _c = DEVICES.c, ONE_TIME_KEYS.c, RETIRED.c, CHANGES.c
_asker, _target = bindparam("asker_", type_=Id), bindparam("target_", type_=Id)
_mine = DEVICES.alias("mine")


def _outer(column: Column[Any]) -> ColumnElement[Any]:
    """The device's column inside a subquery. As text: of what SQLite is to return SQLAlchemy leaves out the names of
    tables, also in subqueries, where the keys have columns of the same names."""
    return literal_column(f"{DEVICES.name}.{column.name}", column.type)


def _key_of_device(column: ColumnElement[Any], *which: ColumnElement[bool]) -> ScalarSelect[Any]:
    theirs = (_o.account == _outer(_d.account), _o.device_id == _outer(_d.device_id))
    return select(column).where(*theirs, *which).scalar_subquery()


_next = _key_of_device(_o.position, _o.position == _outer(_d.handed) + 1)
_given = _o.position == _outer(_d.given)
_remaining = (func.coalesce(_key_of_device(func.max(_o.position)), 0) - _d.handed).label("remaining")
_active = exists().where(ACCOUNTS.c.id == _mine.c.account, ACCOUNTS.c.state == State.ACTIVE.value)

# Everything about a bundle in one statement. Who wants the same person's keys waits for the rows, in their order (so
# that no two can each hold what the other waits for; SQLite has one writer and no row locks), and then moves ``handed``
# on from where the one before has left it: no key can go out twice, whatever else goes on. A key that came after this
# statement began is not seen by it, and left for the next one.
TAKE = (
    update(DEVICES)
    .where(
        _d.account == _target,
        _d.device_id.in_(
            select(_mine.c.device_id)
            .where(_mine.c.account == _target, _active, unblocked(_asker, _mine.c.account))
            .order_by(_mine.c.device_id)
            .with_for_update()
        ),
    )
    .values(given=_next, handed=func.coalesce(_next, _d.handed))
    .returning(
        DEVICES,
        _remaining,
        _key_of_device(_o.key_id, _given).label("key_id"),
        _key_of_device(_o.public_key, _given).label("public_key"),
    )
)
# From the person to the devices, so that one query tells somebody without devices from nobody. Who has been disabled
# has none to show.
LOOK = (
    select(DEVICES, _remaining)
    .select_from(ACCOUNTS.outerjoin(DEVICES, and_(_d.account == ACCOUNTS.c.id, ACCOUNTS.c.state == State.ACTIVE.value)))
    .where(ACCOUNTS.c.id == _target, ACCOUNTS.c.state != State.ERASING.value, unblocked(_asker, ACCOUNTS.c.id))
    .order_by(_d.device_id)
)
OWNER = select(ACCOUNTS.c.id).where(ACCOUNTS.c.id == _target, ACCOUNTS.c.state == State.ACTIVE.value).with_for_update()


class SqlKeyDevices:
    """identity.keydirectory.DeviceStore."""

    async def lock(self, unit: Transaction, account: UUID) -> bool:
        return (await sql_of(unit).connection.execute(OWNER, {"target_": account})).first() is not None

    async def get(self, unit: Transaction, account: UUID, device_id: str) -> Device | None:
        there = select(DEVICES).where(_d.account == account, _d.device_id == device_id)
        row = (await sql_of(unit).connection.execute(there)).first()
        return None if row is None else _device(row)

    async def put(self, unit: Transaction, device: Device) -> None:
        key = device.signed_key
        place = {"account": device.account, "device_id": device.device_id}
        values = {
            "identity_key": device.identity_key,
            "signed_key_id": key.key_id,
            "signed_key": key.public_key,
            "signature": key.signature,
            "created_at": device.created_at,
            "rotated_at": device.rotated_at,
        }
        statement = (
            upsert(DEVICES)
            .values(**place, **values, handed=0)
            .on_conflict_do_update(index_elements=[_d.account, _d.device_id], set_=values)
        )
        await sql_of(unit).connection.execute(statement)

    async def remove(self, unit: Transaction, account: UUID, device_id: str) -> None:
        for table in (DEVICES, ONE_TIME_KEYS, RETIRED):
            gone = delete(table).where(table.c.account == account, table.c.device_id == device_id)
            await sql_of(unit).connection.execute(gone)


class SqlBundles:
    """identity.keydirectory.BundleStore."""

    async def take(self, unit: Transaction, asker: UUID, target: UUID) -> Sequence[StockedDevice]:
        rows = await sql_of(unit).connection.execute(TAKE, {"asker_": asker, "target_": target})
        return sorted((_stocked(row, _one_time(row)) for row in rows), key=lambda found: found.device.device_id)

    async def look(self, unit: Transaction, asker: UUID, target: UUID) -> Sequence[StockedDevice] | None:
        rows = (await sql_of(unit).connection.execute(LOOK, {"asker_": asker, "target_": target})).all()
        return [_stocked(row) for row in rows if row.account is not None] if rows else None


class SqlOneTimeKeys:
    """identity.keydirectory.OneTimeKeyStore."""

    async def add(
        self, unit: Transaction, account: UUID, device_id: str, keys: Sequence[OneTimeKey], *, remember: int
    ) -> int:
        connection = sql_of(unit).connection
        place = (_o.account == account, _o.device_id == device_id)
        latest = func.coalesce(select(func.max(_o.position)).where(*place).scalar_subquery(), 0)
        stock = select(_d.handed, latest.label("latest")).where(_d.account == account, _d.device_id == device_id)
        row = (await connection.execute(stock)).one()
        fresh = await self._fresh(unit, place, keys) if keys else []
        if fresh:
            values = [
                {"account": account, "device_id": device_id, **asdict(key), "position": position}
                for position, key in enumerate(fresh, row.latest + 1)
            ]
            await connection.execute(insert(ONE_TIME_KEYS), values)
            await connection.execute(delete(ONE_TIME_KEYS).where(*place, _o.position <= row.handed - remember))
        return int(row.latest) + len(fresh) - int(row.handed)

    async def _fresh(
        self, unit: Transaction, place: Sequence[ColumnElement[bool]], keys: Sequence[OneTimeKey]
    ) -> list[OneTimeKey]:
        same = or_(_o.key_id.in_([key.key_id for key in keys]), _o.public_key.in_([key.public_key for key in keys]))
        rows = await sql_of(unit).connection.execute(select(_o.key_id, _o.public_key).where(*place, same))
        known = {OneTimeKey(row.key_id, row.public_key) for row in rows}
        if not known <= set(keys):
            raise Conflict("A one-time key, or its id, was used before; make a new one.", code="key_reused")
        return [key for key in keys if key not in known]


class SqlRetiredKeys:
    """identity.keydirectory.RetiredKeyStore."""

    async def of(self, unit: Transaction, account: UUID, device_id: str, *, since: float) -> Sequence[RetiredKey]:
        latest = (
            select(_r.key_id, _r.public_key, _r.retired_at)
            .where(_r.account == account, _r.device_id == device_id, _r.retired_at > since)
            .order_by(_r.retired_at.desc(), _r.key_id.desc())
        )
        return [RetiredKey(**row._asdict()) for row in await sql_of(unit).connection.execute(latest)]

    async def add(self, unit: Transaction, device: Device, now: float, *, forget_before: float) -> None:
        connection = sql_of(unit).connection
        of_device = (_r.account == device.account, _r.device_id == device.device_id)
        await connection.execute(delete(RETIRED).where(*of_device, _r.retired_at <= forget_before))
        values = {
            "account": device.account,
            "device_id": device.device_id,
            "key_id": device.signed_key.key_id,
            "public_key": device.signed_key.public_key,
            "retired_at": now,
        }
        await connection.execute(upsert(RETIRED).values(values).on_conflict_do_nothing())


class SqlKeyChanges:
    """identity.keydirectory.KeyChangeStore."""

    async def add(self, unit: Transaction, change: KeyChange) -> None:
        values = {column.name: getattr(change, column.name) for column in _c} | {"kind": change.kind.value}
        await sql_of(unit).connection.execute(insert(CHANGES).values(values))

    async def get(self, unit: Transaction, account: UUID, change: UUID) -> KeyChange | None:
        row = (
            await sql_of(unit).connection.execute(select(CHANGES).where(_c.account == account, _c.id == change))
        ).first()
        return None if row is None else _change(row)

    async def latest(self, unit: Transaction, account: UUID, device_id: str) -> KeyChange | None:
        last = select(CHANGES).where(_c.account == account, _c.device_id == device_id).order_by(_c.id.desc()).limit(1)
        row = (await sql_of(unit).connection.execute(last)).first()
        return None if row is None else _change(row)

    async def count(self, unit: Transaction, account: UUID, *, since: UUID) -> int:
        number = select(func.count()).select_from(CHANGES).where(_c.account == account, _c.id >= since)
        return (await sql_of(unit).connection.execute(number)).scalar_one()

    async def page(self, unit: Transaction, account: UUID, *, before: UUID | None, limit: int) -> Sequence[KeyChange]:
        latest = select(CHANGES).where(_c.account == account).order_by(_c.id.desc()).limit(limit)
        if before is not None:
            latest = latest.where(_c.id < before)
        return [_change(row) for row in await sql_of(unit).connection.execute(latest)]


def _device(row: Row[Any]) -> Device:
    key = SignedKey(row.signed_key_id, row.signed_key, row.signature)
    return Device(row.account, row.device_id, row.identity_key, key, row.created_at, row.rotated_at)


def _stocked(row: Row[Any], key: OneTimeKey | None = None) -> StockedDevice:
    return StockedDevice(_device(row), max(0, row.remaining), key)


def _one_time(row: Row[Any]) -> OneTimeKey | None:
    return None if row.public_key is None else OneTimeKey(row.key_id, row.public_key)


def _change(row: Row[Any]) -> KeyChange:
    return KeyChange(row.id, row.account, row.device_id, ChangeKind(row.kind), row.fingerprint)
