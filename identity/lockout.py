"""Who fails to sign in too often waits: by account, whether it exists or not, and by address; each time longer.

Failures of the last quarter of an hour count, whenever that begins: each is a member of a set that it leaves by itself.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence

from kernel.addresses import limit_key
from kernel.clock import Clock
from kernel.ephemeral import Counters, KeyValues, TimedSets
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
    def __init__(self, *, failures: TimedSets, locks: Counters, words: KeyValues, clock: Clock) -> None:
        self._failures = failures
        self._locks = locks
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
            await self._failures.add(f"{subject}:failures", secrets.token_hex(8), ttl=WITHIN_SECONDS)
            if len(await self._failures.members(f"{subject}:failures")) >= FAILURES:
                await self._lock(subject)

    async def succeeded(self, account: str) -> None:
        """Its failures count no more. Those of the address do: an account of one's own must not buy more guesses."""
        own, _ = _subjects(account, "")
        await self._forget_failures(own)

    async def clear(self, account: str) -> None:
        """Somebody proved in another way that the account is theirs. The address stays locked."""
        own, _ = _subjects(account, "")
        await self._forget_failures(own)
        await self._words.delete(f"{own}:lock")

    async def _lock(self, subject: str) -> None:
        seconds = lock_seconds(await self._locks.value(f"{subject}:locks") + 1)
        until = repr(self._clock.now() + seconds).encode()
        # Of many failures at once, one locks; once the lock is over, five more are needed.
        if await self._words.put(f"{subject}:lock", until, ttl=seconds, if_absent=True):
            await self._locks.increment(f"{subject}:locks", ttl=REMEMBERED_SECONDS)
        await self._forget_failures(subject)

    async def _forget_failures(self, subject: str) -> None:
        for failure in await self._failures.members(f"{subject}:failures"):
            await self._failures.remove(f"{subject}:failures", failure)


def _subjects(account: str, address: str) -> Sequence[str]:
    """Hashed: whoever looks into the store learns neither addresses of mail nor of machines."""
    return f"identity:failed:account:{_digest(account)}", f"identity:failed:address:{_digest(limit_key(address))}"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
