"""Subscriptions."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import Column, Table, select

from adapters.sql.metadata import Id, Json, Moment, Text, metadata, upsert
from adapters.sql.units import sql_of
from identity.plans import Subscription
from kernel.units import Transaction

SUBSCRIPTIONS = Table(
    "subscriptions",
    metadata,
    Column("account", Id, primary_key=True),
    Column("plan", Text, nullable=False),
    Column("starts_at", Moment, nullable=False),
    Column("ends_at", Moment),
    Column("limits", Json, nullable=False),
)

_c = SUBSCRIPTIONS.c


class SqlSubscriptions:
    """identity.plans.SubscriptionStore."""

    async def put(self, unit: Transaction, subscription: Subscription) -> None:
        values = {column.name: getattr(subscription, column.name) for column in _c}
        kept = upsert(SUBSCRIPTIONS).values(values).on_conflict_do_update(index_elements=[_c.account], set_=values)
        await sql_of(unit).connection.execute(kept)

    async def many(self, unit: Transaction, accounts: frozenset[UUID]) -> Mapping[UUID, Subscription]:
        if not accounts:
            return {}
        rows = await sql_of(unit).connection.execute(select(SUBSCRIPTIONS).where(_c.account.in_(accounts)))
        return {row.account: Subscription(**row._asdict()) for row in rows}
