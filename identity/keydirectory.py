"""The key directory: where somebody's devices leave their public keys, and where others find them to begin a session.

A one-time key is handed out once: the statement that answers it leaves it behind. Those that went out are remembered
for a while, so that an upload that is sent again does not bring them back.

What owners do to their devices waits for each other; fetching them waits only for who fetches the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeVar
from uuid import UUID

from identity import prekeys
from identity.announcements import Announcer
from identity.keychanges import ChangeKind, KeyChange, KeyChanges, KeyChangeStore
from identity.prekeys import OneTimeKey, SignedKey
from kernel.clock import Clock
from kernel.cursors import Page, decode_cursor, encode_cursor
from kernel.ephemeral import Counters
from kernel.errors import Conflict, DependencyUnavailable, NotFound, Overloaded, RateLimited, Unprocessable
from kernel.ids import IdGenerator, floor_at
from kernel.units import Transaction, UnitsOfWork

Result = TypeVar("Result")

DAY: Final = 86400.0
MAX_DEVICES: Final = 20
MAX_ONE_TIME_KEYS: Final = 200
MAX_KEYS_A_REQUEST: Final = 100
# The owner is told when a device comes to have fewer than this.
LOW_STOCK: Final = 10
# And again while it has none and others go without.
EMPTY_TOLD_EVERY: Final = 3600.0
# Of those that were handed out, for each device.
MAX_REMEMBERED: Final = 5000
# Bundles with one-time keys: enough for each device of an asker to begin anew several times over, too few to use up a
# stock. And those of one person to all askers, so that however many of them there are, devices do not spend the day
# making keys.
BUNDLES_FOR_AN_ASKER: Final = 100
BUNDLES_OF_A_PERSON: Final = 1000
BUNDLES_WITHIN_SECONDS: Final = 3600.0
# A message to a signed key that was replaced may still be on its way: its owner keeps the private half this long, and
# the directory remembers the public one, so that it cannot come back.
GRACE_SECONDS: Final = 30 * DAY
MAX_RETIRED: Final = 100
MAX_CHANGES_A_DAY: Final = 50

CHANGES = "key changes"


@dataclass(frozen=True, slots=True)
class Device:
    """``rotated_at`` is when its signed key became the current one."""

    account: UUID
    device_id: str
    identity_key: bytes
    signed_key: SignedKey
    created_at: float
    rotated_at: float


@dataclass(frozen=True, slots=True)
class StockedDevice:
    """``remaining`` one-time keys were never handed out; ``one_time_key`` is the one that was just now."""

    device: Device
    remaining: int
    one_time_key: OneTimeKey | None = None


@dataclass(frozen=True, slots=True)
class RetiredKey:
    key_id: int
    public_key: bytes
    retired_at: float

    @property
    def keep_until(self) -> float:
        """When its owner may forget the private half."""
        return self.retired_at + GRACE_SECONDS


@dataclass(frozen=True, slots=True)
class Upload:
    """What a device sends, its signature checked."""

    device_id: str
    identity_key: bytes
    signed_key: SignedKey
    one_time_keys: tuple[OneTimeKey, ...]


class DeviceStore(Protocol):
    async def lock(self, unit: Transaction, account: UUID) -> bool:
        """Waits until no other unit that locked the same account is under way. Whether there is such an account, and
        it is active."""
        ...

    async def get(self, unit: Transaction, account: UUID, device_id: str) -> Device | None: ...

    async def put(self, unit: Transaction, device: Device) -> None: ...

    async def remove(self, unit: Transaction, account: UUID, device_id: str) -> None:
        """With its one-time and retired keys."""
        ...


class BundleStore(Protocol):
    """Devices by their id, in one query."""

    async def take(self, unit: Transaction, asker: UUID, target: UUID) -> Sequence[StockedDevice]:
        """With the oldest one-time key of each device that has any: nobody else is answered it. Empty when there is
        nobody, nobody with devices, or nobody for ``asker``."""
        ...

    async def look(self, unit: Transaction, asker: UUID, target: UUID) -> Sequence[StockedDevice] | None:
        """None when there is nobody, or a block between the two."""
        ...


class OneTimeKeyStore(Protocol):
    async def add(
        self, unit: Transaction, account: UUID, device_id: str, keys: Sequence[OneTimeKey], *, remember: int
    ) -> int:
        """Add those that were never there, and answer how many are left to hand out. Raises Conflict ``key_reused``
        when an id or a key was there with another one. Of those that went out the last ``remember`` are kept."""
        ...


class RetiredKeyStore(Protocol):
    async def of(self, unit: Transaction, account: UUID, device_id: str, *, since: float) -> Sequence[RetiredKey]:
        """Those retired after ``since``, the latest first."""
        ...

    async def add(self, unit: Transaction, device: Device, now: float, *, forget_before: float) -> None:
        """Retire the device's current key; forget those that were retired before ``forget_before``."""
        ...


class DirectoryUnits(UnitsOfWork, Protocol):
    """With ``serializable=False`` a unit's statements order themselves by row locks: those who want the same keys at
    once wait for one another instead of failing each other."""

    async def write(self, work: Callable[[Transaction], Awaitable[Result]], *, serializable: bool = True) -> Result: ...


class KeyDirectory:
    def __init__(
        self,
        *,
        units: DirectoryUnits,
        devices: DeviceStore,
        bundles: BundleStore,
        one_time: OneTimeKeyStore,
        retired: RetiredKeyStore,
        record: KeyChangeStore,
        changes: KeyChanges,
        announcer: Announcer,
        counters: Counters,
        ids: IdGenerator,
        clock: Clock,
    ) -> None:
        self._units = units
        self._devices = devices
        self._bundles = bundles
        self._one_time = one_time
        self._retired = retired
        self._record = record
        self._changes = changes
        self._announcer = announcer
        self._counters = counters
        self._ids = ids
        self._clock = clock

    async def upload(self, account: UUID, sent: Upload) -> StockedDevice:
        """A device's keys, new or more of them; sent again it changes nothing. Raises Conflict ``key_reused``,
        Unprocessable ``too_many_devices`` or ``too_many_one_time_keys``, RateLimited ``too_many_key_changes`` or
        ``too_many_rotations``."""

        async def work(unit: Transaction) -> StockedDevice:
            known = await self._known(unit, account, sent.device_id)
            if known is None or known.identity_key != sent.identity_key:
                device = await self._renew(unit, account, known, sent)
            else:
                device = await self._rotate(unit, known, sent.signed_key)
            keys = sent.one_time_keys
            remaining = await self._one_time.add(unit, account, sent.device_id, keys, remember=MAX_REMEMBERED)
            if remaining > MAX_ONE_TIME_KEYS:
                raise Unprocessable(
                    f"A device has at most {MAX_ONE_TIME_KEYS} one-time keys waiting.", code="too_many_one_time_keys"
                )
            return StockedDevice(device, remaining)

        return await self._units.write(work, serializable=False)

    async def rotate(self, account: UUID, device_id: str, key: SignedKey) -> tuple[Device, Sequence[RetiredKey]]:
        """The device with its new signed key, and the keys whose private halves it should still keep. Raises NotFound,
        Unprocessable ``invalid_signature``, Conflict ``key_reused`` or RateLimited ``too_many_rotations``."""

        async def work(unit: Transaction) -> tuple[Device, Sequence[RetiredKey]]:
            known = await self._known(unit, account, device_id)
            if known is None:
                raise _no_device()
            prekeys.require_signed_by(known.identity_key, key)
            device = await self._rotate(unit, known, key)
            since = self._clock.now() - GRACE_SECONDS
            return device, await self._retired.of(unit, account, device_id, since=since)

        return await self._units.write(work, serializable=False)

    async def bundle(self, asker: UUID, target: UUID, *, peek: bool = False) -> Sequence[StockedDevice]:
        """What ``asker`` needs to begin a session with each device of ``target``: with a one-time key of each, as long
        as there are any and not too many were asked for. ``peek`` takes none. Raises NotFound."""
        found: Sequence[StockedDevice] = []
        if not peek and await self._may_take(asker, target):
            found = await self._units.write(lambda unit: self._bundles.take(unit, asker, target), serializable=False)
            await self._tell_of_low_stock(target, found)
        return found or await self._units.read(lambda unit: self._look(unit, asker, target))

    async def stock(self, account: UUID, device_id: str | None = None) -> Sequence[StockedDevice]:
        """Of one device or all. Raises NotFound for a device that is not there."""
        found = await self._units.read(lambda unit: self._look(unit, account, account))
        if device_id is None:
            return found
        wanted = [stocked for stocked in found if stocked.device.device_id == device_id]
        if not wanted:
            raise _no_device()
        return wanted

    async def remove(self, account: UUID, device_id: str) -> None:
        """Raises NotFound."""

        async def work(unit: Transaction) -> None:
            known = await self._known(unit, account, device_id)
            if known is None:
                raise _no_device()
            await self._devices.remove(unit, account, device_id)
            mark = prekeys.fingerprint(known.identity_key)
            change = KeyChange(self._ids.next(), account, device_id, ChangeKind.REMOVED, mark)
            await self._changes.record(unit, change)

        await self._units.write(work, serializable=False)

    async def changes(self, asker: UUID, target: UUID, *, cursor: str | None, limit: int) -> Page[KeyChange]:
        """What became of ``target``'s identity keys, the latest first. Raises NotFound or Malformed ``bad_cursor``."""
        before = None if cursor is None else decode_cursor(CHANGES, cursor, UUID)

        async def work(unit: Transaction) -> Sequence[KeyChange]:
            await self._look(unit, asker, target)
            return await self._record.page(unit, target, before=before, limit=limit + 1)

        found = await self._units.read(work)
        items = list(found[:limit])
        return Page(items, encode_cursor(CHANGES, items[-1].id) if len(found) > limit else None)

    async def _known(self, unit: Transaction, account: UUID, device_id: str) -> Device | None:
        """One's own device, for a unit that changes it: nobody else does meanwhile. Raises NotFound for an account
        that was disabled or erased since it was asked who this is."""
        if not await self._devices.lock(unit, account):
            raise _nobody()
        return await self._devices.get(unit, account, device_id)

    async def _renew(self, unit: Transaction, account: UUID, known: Device | None, sent: Upload) -> Device:
        """A device that is new, or known by another identity whose keys are all worth nothing now."""
        now = self._clock.now()
        since = floor_at(int((now - DAY) * 1000))
        if await self._record.count(unit, account, since=since) >= MAX_CHANGES_A_DAY:
            raise RateLimited(
                f"Identity keys change at most {MAX_CHANGES_A_DAY} times a day.",
                code="too_many_key_changes",
                retry_after=3600.0,
            )
        if known is None:
            if len(await self._look(unit, account, account)) >= MAX_DEVICES:
                raise Unprocessable(
                    f"There are {MAX_DEVICES} devices already; remove one first.", code="too_many_devices"
                )
        else:
            await self._devices.remove(unit, account, sent.device_id)
        mark = prekeys.fingerprint(sent.identity_key)
        before = await self._record.latest(unit, account, sent.device_id)
        kind = ChangeKind.ADDED if before is None or before.fingerprint == mark else ChangeKind.CHANGED
        await self._changes.record(unit, KeyChange(self._ids.next(), account, sent.device_id, kind, mark))
        device = Device(account, sent.device_id, sent.identity_key, sent.signed_key, now, now)
        await self._devices.put(unit, device)
        return device

    async def _rotate(self, unit: Transaction, device: Device, key: SignedKey) -> Device:
        current = device.signed_key
        if current.is_same_key(key):
            return device
        now = self._clock.now()
        retired = await self._retired.of(unit, device.account, device.device_id, since=now - GRACE_SECONDS)
        used = [(current.key_id, current.public_key), *((old.key_id, old.public_key) for old in retired)]
        if any(key.key_id == key_id or key.public_key == public_key for key_id, public_key in used):
            raise Conflict("This signed pre-key, or its id, was used before; make a new one.", code="key_reused")
        if len(retired) >= MAX_RETIRED:
            raise RateLimited(
                f"A signed pre-key is replaced at most {MAX_RETIRED} times in {GRACE_SECONDS / DAY:.0f} days.",
                code="too_many_rotations",
                retry_after=3600.0,
            )
        await self._retired.add(unit, device, now, forget_before=now - GRACE_SECONDS)
        renewed = replace(device, signed_key=key, rotated_at=now)
        await self._devices.put(unit, renewed)
        return renewed

    async def _may_take(self, asker: UUID, target: UUID) -> bool:
        """When nobody can tell, the stock is spared: a session can begin without a one-time key."""
        bounds = ((asker.bytes + target.bytes, BUNDLES_FOR_AN_ASKER), (target.bytes, BUNDLES_OF_A_PERSON))
        try:
            # The asker's own first: who has had enough does not count among those of the person.
            for about, most in bounds:
                if await self._counters.increment(_bundles_key(about), ttl=BUNDLES_WITHIN_SECONDS) > most:
                    return False
        except (DependencyUnavailable, Overloaded):
            return False
        return True

    async def _tell_of_low_stock(self, owner: UUID, found: Sequence[StockedDevice]) -> None:
        for stocked in found:
            device_id = stocked.device.device_id
            # One at a time goes out, so each way down passes through this number once.
            fell = stocked.one_time_key is not None and stocked.remaining == LOW_STOCK - 1
            if fell or (stocked.one_time_key is None and await self._is_first_without(owner, device_id)):
                data = {"device_id": device_id, "remaining": stocked.remaining}
                await self._announcer.to([owner], "keys_low", data)

    async def _is_first_without(self, owner: UUID, device_id: str) -> bool:
        """Whether nobody else went without a key of this device lately."""
        key = _bundles_key(owner.bytes + device_id.encode())
        try:
            return await self._counters.increment(key, ttl=EMPTY_TOLD_EVERY) == 1
        except (DependencyUnavailable, Overloaded):
            return False

    async def _look(self, unit: Transaction, asker: UUID, target: UUID) -> Sequence[StockedDevice]:
        found = await self._bundles.look(unit, asker, target)
        if found is None:
            raise _nobody()
        return found


def _bundles_key(about: bytes) -> str:
    """Hashed: counters cannot be taken away when somebody is erased."""
    return f"identity:bundles:{hashlib.blake2b(about, digest_size=16).hexdigest()}"


def _nobody() -> NotFound:
    return NotFound("There is no such person.")


def _no_device() -> NotFound:
    return NotFound("There is no such device.")
