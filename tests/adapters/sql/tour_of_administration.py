"""Each operation of the stores of administration, once."""

from __future__ import annotations

from uuid import UUID

from adapters.sql.engine import Database
from adapters.sql.identity.admin import SqlAdmin, SqlPeopleLists
from adapters.sql.identity.apikeys import SqlApiKeys
from adapters.sql.identity.audit import SqlAudit
from adapters.sql.identity.plans import SqlSubscriptions
from identity.accounts import State
from identity.administration import PeopleFilter
from identity.apikeys import ApiKey
from identity.audit import AuditEntry, AuditFilter
from identity.plans import Subscription
from kernel.ids import floor_at
from kernel.units import Transaction


async def tour_of_administration(database: Database) -> None:
    admin, lists, audit = SqlAdmin(), SqlPeopleLists(), SqlAudit()
    keys, subscriptions = SqlApiKeys(), SqlSubscriptions()
    ada, entry = UUID(int=1), floor_at(1)

    async def visit(unit: Transaction) -> None:
        await lists.newest(unit, PeopleFilter(), before=None, most=10)
        await lists.newest(unit, PeopleFilter(state=State.ACTIVE, admins=True), before=entry, most=10)
        await lists.by_words(unit, PeopleFilter(), ["ada"], after=None, most=10)
        await lists.by_words(unit, PeopleFilter(state=State.ACTIVE), ["ada", "b"], after=("ada", ada), most=10)
        await admin.has_active_admin(unit, besides=ada)
        await admin.presence(unit, frozenset({ada}), now=1.0)
        await admin.with_second_factor(unit, frozenset({ada}))
        await admin.figures(unit, now=1.0)
        await audit.append(unit, AuditEntry(entry, "ada", "act", "bob", {}))
        await audit.find(unit, AuditFilter(), before=None, most=10)
        await audit.find(unit, AuditFilter(actor="a", action="b", subject="c", since=1.0), before=entry, most=10)
        await keys.add(unit, ApiKey(entry, "Billing", b"digest", frozenset({"webhooks"}), 1, "ada", 1.0, None))
        await keys.get(unit, entry)
        await keys.find(unit, before=None, most=10)
        await keys.find(unit, before=entry, most=10)
        await keys.note_use(unit, entry, at=2.0, unless_after=1.0)
        await keys.remove(unit, entry)
        await subscriptions.put(unit, Subscription(ada, "pro", 1.0))
        await subscriptions.many(unit, frozenset({ada}))

    await database.units.write(visit)
