"""Second factors and recovery codes."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import Column, PrimaryKeyConstraint, Table, delete, func, insert, select, update

from adapters.sql.metadata import Bytes, Id, Integer, Moment, metadata, upsert
from adapters.sql.units import sql_of
from identity.second_factor import Factor
from kernel.units import Transaction

FACTORS = Table(
    "second_factors",
    metadata,
    Column("account", Id, primary_key=True),
    Column("secret", Bytes, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("last_step", Integer, nullable=False),
    Column("confirmed_at", Moment),
)
RECOVERY_CODES = Table(
    "recovery_codes",
    metadata,
    Column("account", Id, nullable=False),
    Column("digest", Bytes, nullable=False),
    PrimaryKeyConstraint("account", "digest"),
)

_f, _r = FACTORS.c, RECOVERY_CODES.c


class SqlFactors:
    """identity.second_factor.FactorStore."""

    async def get(self, unit: Transaction, account: UUID) -> Factor | None:
        row = (await sql_of(unit).connection.execute(select(FACTORS).where(_f.account == account))).first()
        return None if row is None else Factor(**row._asdict())

    async def offer(self, unit: Transaction, factor: Factor) -> bool:
        values = {column.name: getattr(factor, column.name) for column in _f}
        kept = (
            upsert(FACTORS)
            .values(values)
            .on_conflict_do_update(
                index_elements=[_f.account],
                set_={name: value for name, value in values.items() if name != "account"},
                where=_f.confirmed_at.is_(None),
            )
        )
        return (await sql_of(unit).connection.execute(kept)).rowcount == 1

    async def confirm(self, unit: Transaction, account: UUID, *, step: int, at: float) -> bool:
        confirmed = (
            update(FACTORS)
            .where(_f.account == account, _f.confirmed_at.is_(None))
            .values(confirmed_at=at, last_step=step)
        )
        return (await sql_of(unit).connection.execute(confirmed)).rowcount == 1

    async def use(self, unit: Transaction, account: UUID, step: int) -> bool:
        used = (
            update(FACTORS)
            .where(_f.account == account, _f.confirmed_at.is_not(None), _f.last_step < step)
            .values(last_step=step)
        )
        return (await sql_of(unit).connection.execute(used)).rowcount == 1

    async def remove(self, unit: Transaction, account: UUID) -> bool:
        return (await sql_of(unit).connection.execute(delete(FACTORS).where(_f.account == account))).rowcount == 1


class SqlRecoveryCodes:
    """identity.second_factor.RecoveryCodeStore."""

    async def count(self, unit: Transaction, account: UUID) -> int:
        counted = select(func.count()).where(_r.account == account)
        return int((await sql_of(unit).connection.execute(counted)).scalar_one())

    async def replace(self, unit: Transaction, account: UUID, digests: Collection[bytes]) -> None:
        connection = sql_of(unit).connection
        await connection.execute(delete(RECOVERY_CODES).where(_r.account == account))
        if digests:
            rows = [{"account": account, "digest": digest} for digest in digests]
            await connection.execute(insert(RECOVERY_CODES), rows)

    async def use(self, unit: Transaction, account: UUID, digest: bytes) -> bool:
        used = delete(RECOVERY_CODES).where(_r.account == account, _r.digest == digest)
        return (await sql_of(unit).connection.execute(used)).rowcount == 1
