"""Plans: what an account may use, as rate limits and quotas read it. Without a subscription it has the free plan."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, Protocol
from uuid import UUID

from identity.audit import AuditLog
from kernel.clock import Clock
from kernel.errors import DependencyUnavailable, FieldError, Overloaded, Unprocessable
from kernel.units import Transaction, UnitsOfWork

# A change is seen at once by the node that made it, and by the others after this long.
REMEMBERED_SECONDS = 30.0
REMEMBERED = 50_000

GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class PlanLimits:
    """``rate_factor`` multiplies the rate limits of the configuration, those that guard passwords excepted."""

    rate_factor: int
    storage_bytes: int
    call_participants: int


FREE: Final = "free"
PLANS: Final[Mapping[str, PlanLimits]] = {
    FREE: PlanLimits(rate_factor=1, storage_bytes=5 * GIB, call_participants=50),
    "pro": PlanLimits(rate_factor=3, storage_bytes=100 * GIB, call_participants=150),
    "enterprise": PlanLimits(rate_factor=10, storage_bytes=1024 * GIB, call_participants=500),
}


@dataclass(frozen=True, slots=True)
class Subscription:
    """Good from ``starts_at`` until before ``ends_at``, or for good; ``limits`` replace those of the plan one by
    one."""

    account: UUID
    plan: str
    starts_at: float
    ends_at: float | None = None
    limits: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entitlement:
    """What an account may use at a moment; a period only where a subscription gives it."""

    plan: str
    limits: PlanLimits
    starts_at: float | None
    ends_at: float | None


def entitlement(subscription: Subscription | None, now: float) -> Entitlement:
    if (
        subscription is None
        or subscription.plan not in PLANS  # one that a later version knows
        or now < subscription.starts_at
        or (subscription.ends_at is not None and now >= subscription.ends_at)
    ):
        return Entitlement(FREE, PLANS[FREE], None, None)
    known = {name: value for name, value in subscription.limits.items() if name in PlanLimits.__slots__}
    limits = replace(PLANS[subscription.plan], **known)
    return Entitlement(subscription.plan, limits, subscription.starts_at, subscription.ends_at)


def holds_for(subscription: Subscription | None, now: float) -> float:
    """Seconds in which the entitlement stays what it is now."""
    if subscription is None:
        return math.inf
    edges = (subscription.starts_at, math.inf if subscription.ends_at is None else subscription.ends_at)
    return min((edge - now for edge in edges if edge > now), default=math.inf)


class SubscriptionStore(Protocol):
    async def put(self, unit: Transaction, subscription: Subscription) -> None:
        """In place of the account's earlier one."""
        ...

    async def many(self, unit: Transaction, accounts: frozenset[UUID]) -> Mapping[UUID, Subscription]: ...


class Plans:
    def __init__(self, *, units: UnitsOfWork, store: SubscriptionStore, audit: AuditLog, clock: Clock) -> None:
        self._units = units
        self._store = store
        self._audit = audit
        self._clock = clock
        self._known: OrderedDict[UUID, tuple[float, PlanLimits]] = OrderedDict()
        self._forgotten = 0

    async def limits_of(self, account: UUID) -> PlanLimits:
        """As of half a minute ago at worst."""
        known = self._known.get(account)
        if known is not None and self._clock.monotonic() < known[0]:
            return known[1]
        return await self._looked_up(account)

    async def rate_factor(self, account: UUID) -> int:
        """Asked on every request; while the store is away or overrun, everybody has the free plan's."""
        try:
            return (await self.limits_of(account)).rate_factor
        except (DependencyUnavailable, Overloaded):
            return PLANS[FREE].rate_factor

    async def of(self, account: UUID) -> Entitlement:
        """As of now."""
        found = await self._units.read(lambda unit: self.many(unit, frozenset({account})))
        return found[account]

    async def many(self, unit: Transaction, accounts: frozenset[UUID]) -> Mapping[UUID, Entitlement]:
        """For each of ``accounts``."""
        found, now = await self._store.many(unit, accounts), self._clock.now()
        return {account: entitlement(found.get(account), now) for account in accounts}

    async def subscribe(self, unit: Transaction, subscription: Subscription, *, actor: str) -> None:
        """Raises Unprocessable ``unknown_plan``, ``unknown_limit`` or ``invalid_period``."""
        _check(subscription)
        await self._store.put(unit, subscription)
        subject, details = str(subscription.account), _told(subscription)
        await self._audit.record(unit, actor=actor, action="user.plan", subject=subject, details=details)
        unit.after_commit(lambda: self.forget(subscription.account))

    async def _looked_up(self, account: UUID) -> PlanLimits:
        asked_at, forgotten = self._clock.monotonic(), self._forgotten
        found = await self._units.read(lambda unit: self._store.many(unit, frozenset({account})))
        subscription, now = found.get(account), self._clock.now()
        limits = entitlement(subscription, now).limits
        if forgotten != self._forgotten:
            return limits  # somebody's plan changed while this was read: it may be what was so before
        good_until = asked_at + min(REMEMBERED_SECONDS, holds_for(subscription, now))
        self._known[account] = (good_until, limits)
        self._known.move_to_end(account)
        # The oldest come first; what nobody asked about for so long may be about somebody who was erased.
        while self._known and (len(self._known) > REMEMBERED or next(iter(self._known.values()))[0] <= asked_at):
            self._known.popitem(last=False)
        return limits

    def forget(self, account: UUID) -> None:
        """Keep nothing in memory of what somebody has subscribed to."""
        self._forgotten += 1
        self._known.pop(account, None)


def _told(subscription: Subscription) -> Mapping[str, str]:
    """What the audit log says of it."""
    period = {"period_start": subscription.starts_at, "period_end": subscription.ends_at}
    moments = {name: datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds") for name, at in period.items() if at}
    limits = {name: str(value) for name, value in subscription.limits.items()}
    return {"plan": subscription.plan, **moments, **limits}


def _check(subscription: Subscription) -> None:
    if subscription.plan not in PLANS:
        raise _refused("plan", f"is one of {', '.join(PLANS)}", "unknown_plan")
    known = asdict(PLANS[FREE])
    if unknown := sorted(set(subscription.limits) - set(known)):
        raise _refused(f"limits.{unknown[0]}", f"is none of {', '.join(known)}", "unknown_limit")
    if subscription.ends_at is not None and subscription.ends_at <= subscription.starts_at:
        raise _refused("period_end", "is not after its start", "invalid_period")


def _refused(subject: str, message: str, code: str) -> Unprocessable:
    return Unprocessable(
        f"The {subject.replace('_', ' ')} {message}.", code=code, fields=[FieldError(subject, message)]
    )
