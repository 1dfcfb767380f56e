"""What identity/ keeps about people outside tables, and what becomes of short-lived words that mention them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

from identity.accounts import AccountStore
from identity.exports import ExportStore, key_of
from identity.lockout import Lockout
from identity.sessions import Sessions
from kernel.datarights import NamedObject
from kernel.objects import Objects
from kernel.units import Transaction, UnitsOfWork

CHANNELS: Final[Mapping[str, str]] = {
    "user:": "One for each person. The bus keeps nothing, and nobody publishes to somebody who is gone.",
}
SHORT_LIVED: Final[Mapping[str, str]] = {
    "identity:session:": "By session, `alive` or `ended`; ended at once, gone a minute after its last access token.",
    "identity:failed:account:": "By a hash of the address that failed to sign in. The lock is lifted; counts last 15 "
    "minutes, how often it was locked a day.",
    "identity:failed:address:": "By the network address that sign-ins failed from, for a day at most; no account.",
    "identity:ticket:": "By a hash of the ticket; it says whose it is, for 30 seconds.",
}
OBJECTS: Final[Mapping[str, str]] = {
    "exports/": "By export; erased with their row, and a week after they were made.",
}


class SignedIn:
    """Sessions end, which also leaves a word for every node."""

    name = "signed_in"

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def objects(self, person: UUID) -> Sequence[NamedObject]:
        return []

    async def erase(self, person: UUID) -> int:
        return len(await self._sessions.end_others(person, None))


class Locks:
    """That sign-ins have failed is kept under a hash of the address."""

    name = "locks"

    def __init__(self, units: UnitsOfWork, accounts: AccountStore, lockout: Lockout) -> None:
        self._units = units
        self._accounts = accounts
        self._lockout = lockout

    async def objects(self, person: UUID) -> Sequence[NamedObject]:
        return []

    async def erase(self, person: UUID) -> int:
        account = await self._units.read(lambda unit: self._accounts.get(unit, person))
        if account is not None:
            await self._lockout.clear(account.email)
        return 0


class Avatars:
    name = "avatar"

    def __init__(self, units: UnitsOfWork, accounts: AccountStore, objects: Objects) -> None:
        self._units = units
        self._accounts = accounts
        self._objects = objects

    async def objects(self, person: UUID) -> Sequence[NamedObject]:
        account = await self._units.read(lambda unit: self._accounts.get(unit, person))
        return [] if account is None or account.avatar is None else [NamedObject("avatar", account.avatar)]

    async def erase(self, person: UUID) -> int:
        found = await self.objects(person)
        for avatar in found:
            # Its bytes first: ended between the two, there is still a row to find them by.
            await self._objects.delete(avatar.key)
            await self._units.write(lambda unit: self._take_away(unit, person))
        return len(found)

    async def _take_away(self, unit: Transaction, person: UUID) -> None:
        account = await self._accounts.get(unit, person)
        if account is not None:
            await self._accounts.put(unit, replace(account, avatar=None))


class Archives:
    """What was collected for somebody goes with them; that there was one is a row."""

    name = "archives"

    def __init__(self, units: UnitsOfWork, exports: ExportStore, objects: Objects) -> None:
        self._units = units
        self._exports = exports
        self._objects = objects

    async def objects(self, person: UUID) -> Sequence[NamedObject]:
        """No archive goes into the next one."""
        return []

    async def erase(self, person: UUID) -> int:
        export = await self._units.read(lambda unit: self._exports.of(unit, person))
        if export is None or await self._objects.stat(key_of(export.id)) is None:
            return 0
        await self._objects.delete(key_of(export.id))
        return 1


class Memory:
    """What this process remembers so as not to ask again; it counts for nothing, and other nodes push it out."""

    name = "memory"

    def __init__(self, *forget: Callable[[UUID], None]) -> None:
        self._forget = forget

    async def objects(self, person: UUID) -> Sequence[NamedObject]:
        return []

    async def erase(self, person: UUID) -> int:
        for forget in self._forget:
            forget(person)
        return 0
