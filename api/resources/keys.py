"""``/v1/keys``: public keys that end-to-end encrypted sessions begin with. docs/keys.md says what clients verify."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType, field

from api.http.access import Access
from api.http.endpoints import Call, Endpoint, Resource
from api.http.wire import View, Wire
from api.people import People
from identity import prekeys
from identity.keychanges import KeyChange
from identity.keydirectory import MAX_KEYS_A_REQUEST, RetiredKey, StockedDevice, Upload
from identity.prekeys import SignedKey

DeviceId = Annotated[str, Meta(min_length=1, max_length=64, pattern=prekeys.DEVICE_ID)]
KeyId = Annotated[int, Meta(ge=0, le=2**32 - 1)]
# What 32 and 64 bytes come to is checked with the keys; this keeps out what is far from it.
Key = Annotated[str, Meta(min_length=1, max_length=128, description="base64 of 32 raw bytes")]
Signature = Annotated[str, Meta(min_length=1, max_length=128, description="base64 of 64 raw bytes")]


class SignedKeySent(Wire, frozen=True):
    """``signature`` is the identity key's over ``secureconnect-spk-v1`` and the raw public key."""

    key_id: KeyId
    public_key: Key
    signature: Signature


class OneTimeKeySent(Wire, frozen=True):
    key_id: KeyId
    public_key: Key


class KeysUpload(Wire, frozen=True):
    device_id: DeviceId
    identity_key: Key
    signed_pre_key: SignedKeySent
    one_time_pre_keys: Annotated[list[OneTimeKeySent], Meta(max_length=MAX_KEYS_A_REQUEST)] = field(
        default_factory=list
    )


class Rotation(Wire, frozen=True):
    device_id: DeviceId
    signed_pre_key: SignedKeySent


class PersonKeysPath(Wire, frozen=True):
    user_id: UUID


class DevicePath(Wire, frozen=True):
    device_id: DeviceId


class StockQuery(Wire, frozen=True):
    device_id: DeviceId | None = None


class ChangesQuery(Wire, frozen=True):
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: str | None = None


class SignedKeyView(View, frozen=True):
    key_id: int
    public_key: str
    signature: str


class OneTimeKeyView(View, frozen=True):
    key_id: int
    public_key: str


class UploadedView(View, frozen=True):
    device_id: str
    fingerprint: str
    remaining: int


class RetiredKeyView(View, frozen=True):
    """A device keeps the private half until then: messages to it may still be on their way."""

    key_id: int
    keep_until: datetime


class RotatedView(View, frozen=True):
    device_id: str
    signed_pre_key: SignedKeyView
    retired: list[RetiredKeyView]


class BundleDeviceView(View, frozen=True):
    device_id: str
    identity_key: str
    signed_pre_key: SignedKeyView
    one_time_pre_key: OneTimeKeyView | UnsetType = UNSET


class BundleView(View, frozen=True):
    user_id: UUID
    devices: list[BundleDeviceView]


class DeviceStockView(View, frozen=True):
    device_id: str
    remaining: int


class StockView(View, frozen=True):
    """``count`` is that of all the listed devices."""

    count: int
    devices: list[DeviceStockView]


class KeyChangeView(View, frozen=True):
    """``kind`` is ``added``, ``changed`` or ``removed``."""

    id: UUID
    device_id: str
    kind: str
    fingerprint: str
    created_at: datetime


class KeyChangesView(View, frozen=True):
    items: list[KeyChangeView]
    next_cursor: str | None


class Keys:
    def __init__(self, people: People) -> None:
        self._directory = people.keys

    async def upload(self, call: Call, body: KeysUpload) -> UploadedView:
        device_id = prekeys.device_id(body.device_id)
        identity, signed = prekeys.identity_key(body.identity_key), _signed(body.signed_pre_key)
        prekeys.require_signed_by(identity, signed)
        pairs = [(key.key_id, key.public_key) for key in body.one_time_pre_keys]
        one_time = prekeys.one_time_keys(pairs, signed.public_key)
        sent = Upload(device_id, identity, signed, one_time)
        stocked = await self._directory.upload(call.principal.account, sent)
        return UploadedView(device_id=device_id, fingerprint=prekeys.fingerprint(identity), remaining=stocked.remaining)

    async def rotate(self, call: Call, body: Rotation) -> RotatedView:
        device, retired = await self._directory.rotate(
            call.principal.account, prekeys.device_id(body.device_id), _signed(body.signed_pre_key)
        )
        return RotatedView(
            device_id=device.device_id,
            signed_pre_key=_signed_view(device.signed_key),
            retired=[_retired_view(key) for key in retired],
        )

    async def bundle(self, call: Call, path: PersonKeysPath) -> BundleView:
        # HEAD answers what GET would, but nobody gets to see the key that it would use up.
        peek = call.request.method != "GET"
        # Whoever kept an answer would hand its one-time keys out again.
        call.set_header("Cache-Control", "no-store")
        found = await self._directory.bundle(call.principal.account, path.user_id, peek=peek)
        return BundleView(user_id=path.user_id, devices=[_bundle_view(device) for device in found])

    async def count(self, call: Call, query: StockQuery) -> StockView:
        found = await self._directory.stock(call.principal.account, query.device_id)
        devices = [DeviceStockView(device_id=each.device.device_id, remaining=each.remaining) for each in found]
        return StockView(count=sum(each.remaining for each in found), devices=devices)

    async def remove_device(self, call: Call, path: DevicePath) -> None:
        await self._directory.remove(call.principal.account, path.device_id)

    async def changes(self, call: Call, path: PersonKeysPath, query: ChangesQuery) -> KeyChangesView:
        page = await self._directory.changes(
            call.principal.account, path.user_id, cursor=query.cursor, limit=query.limit
        )
        return KeyChangesView(items=[_change_view(change) for change in page.items], next_cursor=page.next_cursor)


def resource(people: People) -> Resource:
    keys = Keys(people)
    refused = ("invalid_device_id", "invalid_key", "invalid_signature")

    return Resource(
        "keys",
        "Public keys of people's devices, for sessions that are encrypted from end to end.",
        [
            Endpoint(
                method="POST",
                path="/v1/keys/upload",
                handler=keys.upload,
                access=Access.SIGNED_IN,
                limit="default",
                summary="Leave a device's keys, or more one-time keys; the same again changes nothing",
                errors={
                    404: ("not_found",),
                    409: ("key_reused",),
                    422: (*refused, "duplicate_key", "too_many_devices", "too_many_one_time_keys"),
                    429: ("too_many_key_changes", "too_many_rotations"),
                },
            ),
            Endpoint(
                method="POST",
                path="/v1/keys/rotate",
                handler=keys.rotate,
                access=Access.SIGNED_IN,
                limit="default",
                summary="Replace a device's signed pre-key",
                errors={404: ("not_found",), 409: ("key_reused",), 422: refused, 429: ("too_many_rotations",)},
            ),
            Endpoint(
                method="GET",
                path="/v1/keys/count",
                handler=keys.count,
                access=Access.SIGNED_IN,
                limit="default",
                summary="How many one-time keys one's devices have left",
                errors={404: ("not_found",)},
            ),
            Endpoint(
                method="GET",
                path="/v1/keys/{user_id}",
                handler=keys.bundle,
                access=Access.SIGNED_IN,
                limit="messages",
                summary="What begins a session with each of somebody's devices; uses up a one-time key of each",
                errors={404: ("not_found",)},
            ),
            Endpoint(
                method="GET",
                path="/v1/keys/{user_id}/changes",
                handler=keys.changes,
                access=Access.SIGNED_IN,
                limit="default",
                summary="What became of somebody's identity keys, the latest first",
                errors={400: ("bad_cursor",), 404: ("not_found",)},
            ),
            Endpoint(
                method="DELETE",
                path="/v1/keys/devices/{device_id}",
                handler=keys.remove_device,
                access=Access.SIGNED_IN,
                limit="default",
                summary="Take one's device and its keys out of the directory",
                errors={404: ("not_found",)},
            ),
        ],
    )


def _signed(sent: SignedKeySent) -> SignedKey:
    return prekeys.signed_key(sent.key_id, sent.public_key, sent.signature)


def _signed_view(key: SignedKey) -> SignedKeyView:
    return SignedKeyView(
        key_id=key.key_id, public_key=prekeys.encoded(key.public_key), signature=prekeys.encoded(key.signature)
    )


def _retired_view(key: RetiredKey) -> RetiredKeyView:
    return RetiredKeyView(key_id=key.key_id, keep_until=datetime.fromtimestamp(key.keep_until, UTC))


def _bundle_view(found: StockedDevice) -> BundleDeviceView:
    key = found.one_time_key
    return BundleDeviceView(
        device_id=found.device.device_id,
        identity_key=prekeys.encoded(found.device.identity_key),
        signed_pre_key=_signed_view(found.device.signed_key),
        one_time_pre_key=(
            UNSET if key is None else OneTimeKeyView(key_id=key.key_id, public_key=prekeys.encoded(key.public_key))
        ),
    )


def _change_view(change: KeyChange) -> KeyChangeView:
    return KeyChangeView(
        id=change.id,
        device_id=change.device_id,
        kind=change.kind.value,
        fingerprint=change.fingerprint,
        created_at=datetime.fromtimestamp(change.at, UTC),
    )
