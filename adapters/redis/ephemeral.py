"""Ephemeral state shared by several nodes. Expiry is always judged by the clock of Redis, never by a node's.

Redis must not evict (``maxmemory-policy noeviction``): when its memory is full, new entries are refused with
Overloaded, and nothing that guards something is forgotten.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping

from adapters.redis import scripts
from adapters.redis.commands import Commands
from adapters.redis.keys import Keys, milliseconds
from kernel.ephemeral import Allowance, Lease, require_bucket, require_key, require_ttl

# How long a lock's last fence is remembered after its last grant or renewal. Later ones are above it anyway as
# long as the server's clock has not been set back by more than this.
FENCE_MEMORY_MS = 7 * 86_400_000


class RedisKeyValues:
    def __init__(self, commands: Commands, keys: Keys) -> None:
        self._commands = commands
        self._keys = keys

    async def get(self, key: str) -> bytes | None:
        require_key(key)
        value: bytes | None = await self._commands.run("GET", self._keys.one("v", key))
        return value

    async def get_many(self, keys: Collection[str]) -> Mapping[str, bytes]:
        if not keys:
            return {}
        for key in keys:
            require_key(key)
        values = await self._commands.run("MGET", *(self._keys.one("v", key) for key in keys))
        return {key: value for key, value in zip(keys, values, strict=True) if value is not None}

    async def put(self, key: str, value: bytes, *, ttl: float, if_absent: bool = False) -> bool:
        require_key(key)
        require_ttl(ttl)
        condition = ("NX",) if if_absent else ()
        written = await self._commands.run("SET", self._keys.one("v", key), value, "PX", milliseconds(ttl), *condition)
        return written is not None

    async def touch(self, key: str, *, ttl: float) -> bool:
        require_key(key)
        require_ttl(ttl)
        return bool(await self._commands.run("PEXPIRE", self._keys.one("v", key), milliseconds(ttl)))

    async def delete(self, key: str) -> bool:
        require_key(key)
        return bool(await self._commands.run("DEL", self._keys.one("v", key)))


class RedisTimedSets:
    """A sorted set per key, members scored by the microsecond they end at."""

    def __init__(self, commands: Commands, keys: Keys) -> None:
        self._commands = commands
        self._keys = keys

    async def add(self, key: str, member: str, *, ttl: float) -> bool:
        require_key(key)
        require_ttl(ttl)
        microseconds = max(1, round(ttl * 1_000_000))
        return bool(await self._commands.script(scripts.SET_ADD, [self._keys.one("s", key)], member, microseconds))

    async def remove(self, key: str, member: str) -> bool:
        require_key(key)
        return bool(await self._commands.script(scripts.SET_REMOVE, [self._keys.one("s", key)], member))

    async def members(self, key: str) -> frozenset[str]:
        require_key(key)
        return (await self.members_of_many([key]))[key]

    async def members_of_many(self, keys: Collection[str]) -> Mapping[str, frozenset[str]]:
        if not keys:
            return {}
        for key in keys:
            require_key(key)
        found = await self._commands.script(scripts.SET_MEMBERS, [self._keys.one("s", key) for key in keys])
        return {key: frozenset(member.decode() for member in members) for key, members in zip(keys, found, strict=True)}


class RedisCounters:
    def __init__(self, commands: Commands, keys: Keys) -> None:
        self._commands = commands
        self._keys = keys

    async def increment(self, key: str, by: int = 1, *, ttl: float) -> int:
        require_key(key)
        require_ttl(ttl)
        return int(await self._commands.script(scripts.INCREMENT, [self._keys.one("c", key)], by, milliseconds(ttl)))

    async def value(self, key: str) -> int:
        require_key(key)
        return int(await self._commands.run("GET", self._keys.one("c", key)) or 0)


class RedisLocks:
    """An acquire whose answer was lost may hold the lock for nobody; it lapses with its TTL."""

    def __init__(self, commands: Commands, keys: Keys) -> None:
        self._commands = commands
        self._keys = keys

    async def acquire(self, name: str, *, ttl: float) -> Lease | None:
        require_key(name)
        require_ttl(ttl)
        holder = secrets.token_hex(8)
        fence = await self._commands.script(
            scripts.LOCK_ACQUIRE,
            self._lock_and_fence(name),
            holder,
            milliseconds(ttl),
            milliseconds(ttl) + FENCE_MEMORY_MS,
        )
        return None if fence is None else Lease(name, holder, int(fence))

    async def renew(self, lease: Lease, *, ttl: float) -> bool:
        require_ttl(ttl)
        return bool(
            await self._commands.script(
                scripts.LOCK_RENEW,
                self._lock_and_fence(lease.name),
                _mark(lease),
                milliseconds(ttl),
                milliseconds(ttl) + FENCE_MEMORY_MS,
            )
        )

    async def release(self, lease: Lease) -> bool:
        lock = self._keys.tagged("l", lease.name)
        return bool(await self._commands.script(scripts.LOCK_RELEASE, [lock], _mark(lease)))

    def _lock_and_fence(self, name: str) -> list[str]:
        return [self._keys.tagged("l", name), self._keys.tagged("f", name)]


class RedisTokenBuckets:
    def __init__(self, commands: Commands, keys: Keys) -> None:
        self._commands = commands
        self._keys = keys

    async def take(self, key: str, *, capacity: int, per_second: float, cost: int = 1) -> Allowance:
        require_key(key)
        require_bucket(capacity, per_second, cost)
        allowed, remaining, retry_after, full_after = await self._commands.script(
            scripts.TAKE, [self._keys.one("b", key)], capacity, per_second, cost
        )
        return Allowance(bool(allowed), remaining, float(retry_after), float(full_after))


def _mark(lease: Lease) -> str:
    return f"{lease.holder}:{lease.fence}"
