"""What identity/ keeps about people outside tables, and what becomes of short-lived words that mention them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final
from uuid import UUID

from identity.accounts import AccountStore
from identity.avatars import DROP_JOB, prefix_of
from identity.credentials import FORGOTTEN_PASSWORD_JOB
from identity.erasure import ERASE_JOB, RESUME_JOB
from identity.exports import EXPORT_JOB, FORGET_JOB, ExportStore, State, key_of
from identity.keychanges import NEWS_JOB
from identity.lockout import Lockout
from identity.sessions import Sessions
from identity.sweeping import SWEEP_JOB
from kernel.datarights import NamedObject
from kernel.mailqueue import MAIL_JOB
from kernel.objects import Objects
from kernel.units import UnitsOfWork

CHANNELS: Final[Mapping[str, str]] = {
    "user:": "One for each person. The bus keeps nothing, and nobody publishes to somebody who is gone.",
}
SHORT_LIVED: Final[Mapping[str, str]] = {
    "identity:session:": "By session, `alive` or `ended`; ended at once, gone a minute after its last access token.",
    "identity:failed:account:": "By a hash of the address that failed to sign in. Failures and the lock go; "
    "how often it was locked is counted for a day.",
    "identity:failed:address:": "By a hash of the network address that sign-ins failed from, for a day; no account.",
    "identity:bundles:": "By a hash of a person, a device or two people: how often keys were asked for, for an hour.",
    "identity:ticket:": "By a hash of the ticket; it says whose it is, for 30 seconds.",
}
OBJECTS: Final[Mapping[str, str]] = {
    "avatars/": "By person; erased.",
    "exports/": "By export; erased with their row, and a week after they were made.",
}


JOBS: Final[Mapping[str, str]] = {
    MAIL_JOB: "Names an address; erased.",
    FORGOTTEN_PASSWORD_JOB: "Names an address; erased.",
    DROP_JOB: "Names an account; erased, and the object with it.",
    NEWS_JOB: "Names an account; erased.",
    SWEEP_JOB: "Names nobody: it takes away what has expired.",
    EXPORT_JOB: "Names an export, which is erased.",
    FORGET_JOB: "Names an export, which is erased.",
    ERASE_JOB: "Names a report, which forgets whom it is about.",
    RESUME_JOB: "Names nobody: it looks for erasures that have stopped.",
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
            await self._lockout.succeeded(account.email)
            await self._lockout.clear(account.email)
        return 0


class Pictures:
    """Avatars: the one that is shown, and any that a job has still to drop."""

    name = "avatar"

    def __init__(self, units: UnitsOfWork, accounts: AccountStore, objects: Objects) -> None:
        self._units = units
        self._accounts = accounts
        self._objects = objects

    async def objects(self, person: UUID) -> Sequence[NamedObject]:
        account = await self._units.read(lambda unit: self._accounts.get(unit, person))
        return (
            []
            if account is None or account.avatar is None
            else [NamedObject("avatar", account.avatar, "Your picture.")]
        )

    async def erase(self, person: UUID) -> int:
        found = await self._objects.keys(prefix_of(person))
        for key in found:
            await self._objects.delete(key)
        return len(found)


class Archives:
    """What was collected for somebody goes with them; that there was one is a row. One that is being collected is
    told first that it failed: whoever makes it throws it away then, should it come to its end after this."""

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
        if export is None:
            return 0
        if export.state is State.RUNNING:
            await self._units.write(lambda unit: self._exports.end(unit, export.id, State.FAILED, expires_at=None))
        if await self._objects.stat(key_of(export.id)) is None:
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
