"""The key directory: where somebody's devices leave their public keys, and where others find them to begin a session.

A one-time key is handed out once: it is marked in the very unit that answers it, and a marked one stays where it is,
so that an upload that is sent again does not bring it back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, Protocol, TypeVar
from uuid import UUID

from identity import prekeys
from identity.announcements import Announcer
from identity.blocks import BlockStore
from identity.friends import FriendStore
from identity.prekeys import OneTimeKey, SignedKey
from kernel.clock import Clock
from kernel.cursors import Page, decode_cursor, encode_cursor
from kernel.ephemeral import Counters
from kernel.errors import Conflict, DependencyUnavailable, NotFound, Overloaded, RateLimited, Unprocessable
from kernel.ids import IdGenerator, floor_at, milliseconds_of
from kernel.units import Transaction, UnitsOfWork

Result = TypeVar("Result")

DAY: Final = 86400.0
MAX_DEVICES: Final = 20
MAX_ONE_TIME_KEYS: Final = 200
MAX_KEYS_A_REQUEST: Final = 100
# The owner is told when a device comes to have fewer than this.
LOW_STOCK: Final = 10
# For each asker and target: enough for somebody's every device to begin anew, far too few to use up a stock.
BUNDLES_WITH_ONE_TIME_KEYS: Final = 10
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
    """``remaining`` one-time keys were never handed out."""

    device: Device
    remaining: int


@dataclass(frozen=True, slots=True)
class RetiredKey:
    key_id: int
    public_key: bytes
    retired_at: float

    @property
    def keep_until(self) -> float:
        """When its owner may forget the private half."""
        return self.retired_at + GRACE_SECONDS


class ChangeKind(Enum):
    ADDED = "added"
    # The device is known, but not by this identity: a new installation, or somebody in between.
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class KeyChange:
    id: UUID
    account: UUID
    device_id: str
    kind: ChangeKind
    fingerprint: str

    @property
    def at(self) -> float:
        return milliseconds_of(self.id) / 1000


@dataclass(frozen=True, slots=True)
class Upload:
    """What a device sends, its signature checked."""

    device_id: str
    identity_key: bytes
    signed_key: SignedKey
    one_time_keys: tuple[OneTimeKey, ...]


@dataclass(frozen=True, slots=True)
class BundleDevice:
    device: Device
    one_time_key: OneTimeKey | None


class DeviceStore(Protocol):
    async def get(self, unit: Transaction, account: UUID, device_id: str) -> Device | None: ...

    async def of(self, unit: Transaction, account: UUID) -> Sequence[StockedDevice] | None:
        """By device id, in one query; None when there is no such person."""
        ...

    async def lock(self, unit: Transaction, account: UUID) -> bool:
        """Waits until no other unit that locked the same devices is under way. Whether there are any devices."""
        ...

    async def put(self, unit: Transaction, device: Device) -> None: ...

    async def remove(self, unit: Transaction, account: UUID, device_id: str) -> None:
        """With its one-time and retired keys."""
        ...


class OneTimeKeyStore(Protocol):
    async def add(self, unit: Transaction, account: UUID, device_id: str, keys: Sequence[OneTimeKey]) -> int:
        """Add those that were never there, and answer how many are left to hand out. Raises Conflict ``key_reused``
        when an id or a key was there with another one."""
        ...

    async def take(self, unit: Transaction, account: UUID, now: float) -> Mapping[str, OneTimeKey]:
        """The oldest one of each device that has any, marked as handed out: nobody else is answered it."""
        ...


class RetiredKeyStore(Protocol):
    async def of(self, unit: Transaction, account: UUID, device_id: str, *, since: float) -> Sequence[RetiredKey]:
        """Those retired after ``since``, the latest first."""
        ...

    async def add(self, unit: Transaction, device: Device, now: float, *, forget_before: float) -> None:
        """Retire the device's current key; forget those that were retired before ``forget_before``."""
        ...


class KeyChangeStore(Protocol):
    async def add(self, unit: Transaction, change: KeyChange) -> None: ...

    async def latest(self, unit: Transaction, account: UUID, device_id: str) -> KeyChange | None: ...

    async def count(self, unit: Transaction, account: UUID, *, since: UUID) -> int: ...

    async def page(self, unit: Transaction, account: UUID, *, before: UUID | None, limit: int) -> Sequence[KeyChange]:
        """The latest first."""
        ...


class DirectoryUnits(UnitsOfWork, Protocol):
    """With ``serializable=False`` a unit's statements order themselves by row locks: those who want somebody's keys
    at once wait for one another instead of failing each other."""

    async def write(self, work: Callable[[Transaction], Awaitable[Result]], *, serializable: bool = True) -> Result: ...


class KeyDirectory:
    def __init__(
        self,
        *,
        units: DirectoryUnits,
        devices: DeviceStore,
        one_time: OneTimeKeyStore,
        retired: RetiredKeyStore,
        changes: KeyChangeStore,
        blocks: BlockStore,
        friends: FriendStore,
        announcer: Announcer,
        counters: Counters,
        ids: IdGenerator,
        clock: Clock,
    ) -> None:
        self._units = units
        self._devices = devices
        self._one_time = one_time
        self._retired = retired
        self._changes = changes
        self._blocks = blocks
        self._friends = friends
        self._announcer = announcer
        self._counters = counters
        self._ids = ids
        self._clock = clock

    async def upload(self, account: UUID, sent: Upload) -> StockedDevice:
        """A device's keys, new or more of them; sent again it changes nothing. Raises Conflict ``key_reused``,
        Unprocessable ``too_many_devices`` or ``too_many_one_time_keys``, RateLimited ``too_many_key_changes`` or
        ``too_many_rotations``."""

        async def work(unit: Transaction) -> tuple[StockedDevice, KeyChange | None, frozenset[UUID]]:
            known = await self._devices.get(unit, account, sent.device_id)
            change = None
            if known is None or known.identity_key != sent.identity_key:
                device, change = await self._renew(unit, account, known, sent)
            else:
                device = await self._rotate(unit, known, sent.signed_key)
            remaining = await self._one_time.add(unit, account, sent.device_id, sent.one_time_keys)
            if remaining > MAX_ONE_TIME_KEYS:
                raise Unprocessable(
                    f"A device has at most {MAX_ONE_TIME_KEYS} one-time keys waiting.", code="too_many_one_time_keys"
                )
            told = change is not None and change.kind is ChangeKind.CHANGED
            friends = await self._friends.friends_of(unit, account) if told else frozenset()
            return StockedDevice(device, remaining), change, friends

        stocked, change, friends = await self._units.write(work)
        if change is not None and change.kind is ChangeKind.CHANGED:
            await self._announcer.to(
                # The owner too: whoever did not do this should hear of it.
                friends | {account},
                "key_changed",
                {"user_id": account, "device_id": change.device_id, "fingerprint": change.fingerprint},
            )
        return stocked

    async def rotate(self, account: UUID, device_id: str, key: SignedKey) -> tuple[Device, Sequence[RetiredKey]]:
        """The device with its new signed key, and the keys whose private halves it should still keep. Raises NotFound,
        Unprocessable ``invalid_signature``, Conflict ``key_reused`` or RateLimited ``too_many_rotations``."""

        async def work(unit: Transaction) -> tuple[Device, Sequence[RetiredKey]]:
            known = await self._devices.get(unit, account, device_id)
            if known is None:
                raise _no_device()
            prekeys.require_signed_by(known.identity_key, key)
            device = await self._rotate(unit, known, key)
            since = self._clock.now() - GRACE_SECONDS
            return device, await self._retired.of(unit, account, device_id, since=since)

        return await self._units.write(work)

    async def bundle(self, asker: UUID, target: UUID, *, peek: bool = False) -> Sequence[BundleDevice]:
        """What ``asker`` needs to begin a session with each device of ``target``: with a one-time key of each, as long
        as there are any and the asker has not had too many. ``peek`` takes none. Raises NotFound."""
        take = not peek and await self._may_take(asker, target)
        now = self._clock.now()

        async def work(unit: Transaction) -> tuple[Sequence[StockedDevice], Mapping[str, OneTimeKey]]:
            await self._require_visible(unit, asker, target)
            taken: Mapping[str, OneTimeKey] = {}
            if take and await self._devices.lock(unit, target):
                taken = await self._one_time.take(unit, target, now)
            return await self._of(unit, target), taken

        found, taken = await (self._units.write(work, serializable=False) if take else self._units.read(work))
        for stocked in found:
            # One at a time goes out, so each way down passes through this number once.
            if stocked.device.device_id in taken and stocked.remaining == LOW_STOCK - 1:
                data = {"device_id": stocked.device.device_id, "remaining": stocked.remaining}
                await self._announcer.to([target], "keys_low", data)
        return [BundleDevice(stocked.device, taken.get(stocked.device.device_id)) for stocked in found]

    async def stock(self, account: UUID, device_id: str | None = None) -> Sequence[StockedDevice]:
        """Of one device or all. Raises NotFound for a device that is not there."""
        found = await self._units.read(lambda unit: self._of(unit, account))
        if device_id is None:
            return found
        wanted = [stocked for stocked in found if stocked.device.device_id == device_id]
        if not wanted:
            raise _no_device()
        return wanted

    async def remove(self, account: UUID, device_id: str) -> None:
        """Raises NotFound."""
        change = self._ids.next()

        async def work(unit: Transaction) -> None:
            known = await self._devices.get(unit, account, device_id)
            if known is None:
                raise _no_device()
            await self._devices.remove(unit, account, device_id)
            mark = prekeys.fingerprint(known.identity_key)
            await self._changes.add(unit, KeyChange(change, account, device_id, ChangeKind.REMOVED, mark))

        await self._units.write(work)

    async def changes(self, asker: UUID, target: UUID, *, cursor: str | None, limit: int) -> Page[KeyChange]:
        """What became of ``target``'s identity keys, the latest first. Raises NotFound or Malformed ``bad_cursor``."""
        before = None if cursor is None else decode_cursor(CHANGES, cursor, UUID)

        async def work(unit: Transaction) -> Sequence[KeyChange]:
            await self._require_visible(unit, asker, target)
            await self._of(unit, target)
            return await self._changes.page(unit, target, before=before, limit=limit + 1)

        found = await self._units.read(work)
        items = list(found[:limit])
        return Page(items, encode_cursor(CHANGES, items[-1].id) if len(found) > limit else None)

    async def _renew(
        self, unit: Transaction, account: UUID, known: Device | None, sent: Upload
    ) -> tuple[Device, KeyChange]:
        """A device that is new, or known by another identity whose keys are all worth nothing now."""
        now = self._clock.now()
        since = floor_at(int((now - DAY) * 1000))
        if await self._changes.count(unit, account, since=since) >= MAX_CHANGES_A_DAY:
            raise RateLimited(
                f"Identity keys change at most {MAX_CHANGES_A_DAY} times a day.",
                code="too_many_key_changes",
                retry_after=3600.0,
            )
        if known is None:
            if len(await self._of(unit, account)) >= MAX_DEVICES:
                raise Unprocessable(
                    f"There are {MAX_DEVICES} devices already; remove one first.", code="too_many_devices"
                )
        else:
            await self._devices.remove(unit, account, sent.device_id)
        mark = prekeys.fingerprint(sent.identity_key)
        before = await self._changes.latest(unit, account, sent.device_id)
        kind = ChangeKind.ADDED if before is None or before.fingerprint == mark else ChangeKind.CHANGED
        change = KeyChange(self._ids.next(), account, sent.device_id, kind, mark)
        await self._changes.add(unit, change)
        device = Device(account, sent.device_id, sent.identity_key, sent.signed_key, now, now)
        await self._devices.put(unit, device)
        return device, change

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
        try:
            asked = await self._counters.increment(_bundles_key(asker, target), ttl=BUNDLES_WITHIN_SECONDS)
        except (DependencyUnavailable, Overloaded):
            return False
        return asked <= BUNDLES_WITH_ONE_TIME_KEYS

    async def _require_visible(self, unit: Transaction, asker: UUID, target: UUID) -> None:
        if await self._blocks.between(unit, asker, [target]):
            raise _nobody()

    async def _of(self, unit: Transaction, account: UUID) -> Sequence[StockedDevice]:
        found = await self._devices.of(unit, account)
        if found is None:
            raise _nobody()
        return found


def _bundles_key(asker: UUID, target: UUID) -> str:
    """Hashed: counters cannot be taken away when one of the two is erased."""
    return f"identity:bundles:{hashlib.blake2b(asker.bytes + target.bytes, digest_size=16).hexdigest()}"


def _nobody() -> NotFound:
    return NotFound("There is no such person.")


def _no_device() -> NotFound:
    return NotFound("There is no such device.")
