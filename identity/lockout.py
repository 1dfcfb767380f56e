"""Who fails to sign in too often waits: by account, whether it exists or not, and by address; each time longer."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from kernel.clock import Clock
from kernel.ephemeral import Counters, KeyValues
from kernel.errors import RateLimited

FAILURES = 5
WITHIN_SECONDS = 900.0
# The first lock; each further one of the same day is twice as long.
FIRST_LOCK_SECONDS = 60.0
LONGEST_LOCK_SECONDS = 6 * 3600.0
REMEMBERED_SECONDS = 86400.0


def lock_seconds(times: int) -> float:
    """How long the ``times``-th lock lasts (1 is the first)."""
    return min(FIRST_LOCK_SECONDS * 2.0 ** min(times - 1, 30), LONGEST_LOCK_SECONDS)


class Lockout:
    def __init__(self, counters: Counters, words: KeyValues, clock: Clock) -> None:
        self._counters = counters
        self._words = words
        self._clock = clock

    async def require_open(self, *, account: str, address: str) -> None:
        """Raises RateLimited ``locked_out``, the same for accounts that exist and for those that do not."""
        found = await self._words.get_many([f"{subject}:lock" for subject in _subjects(account, address)])
        until = max((float(word) for word in found.values()), default=0.0)
        left = until - self._clock.now()
        if left > 0:
            raise RateLimited(
                "Too many failed attempts to sign in; wait a little, or choose a new password.",
                code="locked_out",
                retry_after=max(1.0, left),
            )

    async def failed(self, *, account: str, address: str) -> None:
        for subject in _subjects(account, address):
            failures = await self._counters.increment(f"{subject}:failures", ttl=WITHIN_SECONDS)
            if failures % FAILURES == 0:
                times = await self._counters.increment(f"{subject}:locks", ttl=REMEMBERED_SECONDS)
                seconds = lock_seconds(times)
                until = self._clock.now() + seconds
                await self._words.put(f"{subject}:lock", repr(until).encode(), ttl=seconds)

    async def clear(self, account: str) -> None:
        """Somebody proved in another way that the account is theirs. Failures stay counted, and the address locked."""
        own, _ = _subjects(account, "")
        await self._words.delete(f"{own}:lock")


def _subjects(account: str, address: str) -> Sequence[str]:
    """Hashed: an e-mail address is no name for a key of a store that others may look into."""
    digest = hashlib.blake2b(account.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
    return f"identity:failed:account:{digest}", f"identity:failed:address:{address}"
