"""Rate limits: which bucket a request takes from, and what happens when the shared buckets are away."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache

from api.http.access import Principal
from api.http.context import RequestContext
from config.sections import Limits
from kernel.addresses import limit_key
from kernel.ephemeral import Allowance, TokenBuckets
from kernel.errors import DependencyUnavailable, RateLimited
from kernel.metrics import Metrics

# Guessing passwords must not become free because a store is down; everything else should go on working.
FAIL_CLOSED = frozenset({"login", "register", "refresh", "password", "email", "forgot", "second_factor"})

RATES = (
    *(*sorted(FAIL_CLOSED), "profile", "search", "avatars", "friend_requests", "presence"),
    *("messages", "calls", "sockets", "storage", "default"),
)

# Everything a service asks takes from one bucket, which its key sizes.
SERVICE = "service"

SECONDS = 60


@dataclass(frozen=True, slots=True)
class Rate:
    name: str
    per_minute: int
    per_second: float
    fails_closed: bool
    policy: str
    shown: str


class RateLimiter:
    """``fallback`` buckets are this process's own: looser than the shared ones, but never none."""

    def __init__(self, limits: Limits, shared: TokenBuckets, fallback: TokenBuckets, metrics: Metrics) -> None:
        self._enabled = limits.enabled
        self._shared = shared
        self._fallback = fallback
        self._rates = {name: _rate(name, getattr(limits, name)) for name in RATES}
        refused = metrics.counter("rate_limited_total", "Requests refused by a rate limit", ("limit",))
        self._refused = {name: refused.labels(name) for name in (*RATES, SERVICE)}
        self._degraded = metrics.counter(
            "rate_limit_degraded_total", "Requests limited in process because the shared buckets were away"
        )

    def __contains__(self, name: str) -> bool:
        return name in self._rates

    async def admit(self, name: str, context: RequestContext, *, by_address: bool = False) -> None:
        """Take a token for this caller and leave the RateLimit headers in ``context``. ``by_address`` is for what
        anybody may ask: signing in, registering. An account of one's own must not buy more tries at it, or accounts
        would make accounts."""
        if self._enabled:
            rate, principal = self._rates[name], None if by_address else context.principal
            if principal is None:
                await self._take(rate, f"a:{limit_key(context.address)}", context)
                return
            if principal.rate_factor != 1 or principal.rate is not None:
                rate = _raised(rate, principal)
            await self._take(rate, f"u:{principal.id}", context)

    async def admit_account(self, name: str, account: str, context: RequestContext) -> None:
        """The account half of a limit "per account and address", for handlers that know the account."""
        if self._enabled:
            digest = hashlib.blake2b(account.casefold().encode(), digest_size=16).hexdigest()
            await self._take(self._rates[name], f"n:{digest}", context)

    async def _take(self, rate: Rate, caller: str, context: RequestContext) -> None:
        key = f"rate:{rate.name}:{caller}"
        try:
            allowance = await self._shared.take(key, capacity=rate.per_minute, per_second=rate.per_second)
        except DependencyUnavailable:
            if rate.fails_closed:
                raise
            self._degraded.inc()
            allowance = await self._fallback.take(key, capacity=rate.per_minute, per_second=rate.per_second)
        headers(rate, allowance, context.headers)
        if not allowance.allowed:
            self._refused[rate.name].inc()
            raise RateLimited(
                f"Too many requests of this kind; the limit is {rate.per_minute} a minute.",
                retry_after=max(allowance.retry_after, 1.0),
            )


def _raised(rate: Rate, principal: Principal) -> Rate:
    """What a plan or an API key makes of a limit. No plan buys more guesses at a password."""
    if rate.fails_closed:
        return rate
    if principal.rate is not None:
        return _rate(SERVICE, principal.rate)
    return _rate(rate.name, rate.per_minute * principal.rate_factor)


@lru_cache(maxsize=1024)
def _rate(name: str, per_minute: int) -> Rate:
    return Rate(
        name=name,
        per_minute=per_minute,
        per_second=per_minute / SECONDS,
        fails_closed=name in FAIL_CLOSED,
        policy=f'"{name}";q={per_minute};w={SECONDS}',
        shown=str(per_minute),
    )


def headers(rate: Rate, allowance: Allowance, into: dict[str, str]) -> None:
    into["RateLimit-Policy"] = rate.policy
    into["RateLimit-Limit"] = rate.shown
    into["RateLimit-Remaining"] = str(allowance.remaining)
    # An empty bucket is full after its minute; the rounding of times must not make that 61 seconds.
    into["RateLimit-Reset"] = str(min(math.ceil(allowance.full_after), SECONDS))
