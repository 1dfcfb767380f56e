"""The key directory's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    Index,
    PrimaryKeyConstraint,
    Row,
    Table,
    UniqueConstraint,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from adapters.sql.identity.accounts import ACCOUNTS
from adapters.sql.metadata import Bytes, Id, Integer, Moment, Text, metadata, upsert
from adapters.sql.units import sql_of
from identity.accounts import State
from identity.keydirectory import ChangeKind, Device, KeyChange, RetiredKey, StockedDevice
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
    PrimaryKeyConstraint("account", "device_id"),
)
# Those that were handed out stay, so that they cannot be uploaded and handed out again.
ONE_TIME_KEYS = Table(
    "one_time_keys",
    metadata,
    Column("account", Id, nullable=False),
    Column("device_id", Text, nullable=False),
    Column("key_id", Integer, nullable=False),
    Column("public_key", Bytes, nullable=False),
    Column("handed_at", Moment),
    PrimaryKeyConstraint("account", "device_id", "key_id"),
    UniqueConstraint("account", "device_id", "public_key"),
    Index(None, "account", "device_id", "handed_at", "key_id"),
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
_waiting = ONE_TIME_KEYS.alias("waiting")
_of_device = (_waiting.c.account == _d.account, _waiting.c.device_id == _d.device_id, _waiting.c.handed_at.is_(None))
_remaining = select(func.count()).select_from(_waiting).where(*_of_device).correlate(DEVICES).scalar_subquery()
_oldest = select(func.min(_waiting.c.key_id)).where(*_of_device).correlate(DEVICES).scalar_subquery()
_account = bindparam("account_", type_=Id)

# From the person to the devices, so that one query tells somebody without devices from nobody.
BUNDLES = (
    select(DEVICES, _remaining.label("remaining"))
    .select_from(ACCOUNTS.outerjoin(DEVICES, _d.account == ACCOUNTS.c.id))
    .where(ACCOUNTS.c.id == _account, ACCOUNTS.c.state != State.ERASING.value)
    .order_by(_d.device_id)
)
# In one order, so that two who lock the same devices cannot each hold what the other waits for. SQLite knows no row
# locks and needs none: it has one writer.
LOCK = select(_d.device_id).where(_d.account == _account).order_by(_d.device_id).with_for_update()
TAKE = (
    update(ONE_TIME_KEYS)
    .where(
        _o.account == _account,
        tuple_(_o.device_id, _o.key_id).in_(select(_d.device_id, _oldest).where(_d.account == _account)),
        _o.handed_at.is_(None),
    )
    .values(handed_at=bindparam("now_", type_=Moment))
    .returning(_o.device_id, _o.key_id, _o.public_key)
)


class SqlKeyDevices:
    """identity.keydirectory.DeviceStore."""

    async def get(self, unit: Transaction, account: UUID, device_id: str) -> Device | None:
        there = select(DEVICES).where(_d.account == account, _d.device_id == device_id)
        row = (await sql_of(unit).connection.execute(there)).first()
        return None if row is None else _device(row)

    async def of(self, unit: Transaction, account: UUID) -> Sequence[StockedDevice] | None:
        rows = (await sql_of(unit).connection.execute(BUNDLES, {"account_": account})).all()
        return [StockedDevice(_device(row), row.remaining) for row in rows if row.account is not None] if rows else None

    async def lock(self, unit: Transaction, account: UUID) -> bool:
        return bool((await sql_of(unit).connection.execute(LOCK, {"account_": account})).all())

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
            .values(**place, **values)
            .on_conflict_do_update(index_elements=[_d.account, _d.device_id], set_=values)
        )
        await sql_of(unit).connection.execute(statement)

    async def remove(self, unit: Transaction, account: UUID, device_id: str) -> None:
        for table in (DEVICES, ONE_TIME_KEYS, RETIRED):
            gone = delete(table).where(table.c.account == account, table.c.device_id == device_id)
            await sql_of(unit).connection.execute(gone)


class SqlOneTimeKeys:
    """identity.keydirectory.OneTimeKeyStore."""

    async def add(self, unit: Transaction, account: UUID, device_id: str, keys: Sequence[OneTimeKey]) -> int:
        connection = sql_of(unit).connection
        place = (_o.account == account, _o.device_id == device_id)
        if keys:
            same = or_(_o.key_id.in_([key.key_id for key in keys]), _o.public_key.in_([key.public_key for key in keys]))
            rows = await connection.execute(select(_o.key_id, _o.public_key).where(*place, same))
            known = {OneTimeKey(row.key_id, row.public_key) for row in rows}
            if not known <= set(keys):
                raise Conflict("A one-time key, or its id, was used before; make a new one.", code="key_reused")
            fresh = [
                {"account": account, "device_id": device_id, "key_id": key.key_id, "public_key": key.public_key}
                for key in keys
                if key not in known
            ]
            if fresh:
                # What is in the way was looked for above, so it was written meanwhile: stores then run the unit again.
                await connection.execute(upsert(ONE_TIME_KEYS).on_conflict_do_nothing(), fresh)
        waiting = select(func.count()).select_from(ONE_TIME_KEYS).where(*place, _o.handed_at.is_(None))
        return (await connection.execute(waiting)).scalar_one()

    async def take(self, unit: Transaction, account: UUID, now: float) -> Mapping[str, OneTimeKey]:
        rows = await sql_of(unit).connection.execute(TAKE, {"account_": account, "now_": now})
        return {row.device_id: OneTimeKey(row.key_id, row.public_key) for row in rows}


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


def _change(row: Row[Any]) -> KeyChange:
    return KeyChange(row.id, row.account, row.device_id, ChangeKind(row.kind), row.fingerprint)
