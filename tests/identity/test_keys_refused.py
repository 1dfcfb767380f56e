"""What may not stand in the directory: forged signatures, keys that are none, more than there is room for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from identity.keydirectory import MAX_CHANGES_A_DAY, MAX_RETIRED, RetiredKey
from identity.prekeys import SMALL_ORDER
from kernel.errors import DependencyUnavailable, RateLimited
from tests.adapters.sql.relational import settings_for
from tests.identity.devices import Device, Directory, agreement_key, directory, text
from tests.worlds import World, world

LOW = [value.to_bytes(32, "little") for value in sorted(SMALL_ORDER)]
P = 2**255 - 19


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as here:
        yield here


@pytest.fixture
async def apart(tmp_path: Path) -> AsyncIterator[Directory]:
    async with directory(settings_for(""), tmp_path) as apart:
        yield apart


def changed(body: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    *steps, last = path.split(".")
    inner: Any = body
    for step in steps:
        inner = inner[int(step) if step.isdigit() else step]
    inner[last] = value
    return body


async def test_a_signature_that_is_not_the_identity_keys_over_this_key_is_refused(here: World) -> None:
    ada = await here.person("ada")
    phone, other = Device(), Device()
    signed = phone.signed()
    forged = {
        "another identity's": other.identity.sign(b"secureconnect-spk-v1" + signed.public_key),
        "over the bare key": phone.identity.sign(signed.public_key),
        "over another key": phone.identity.sign(b"secureconnect-spk-v1" + agreement_key()),
        "with other words": phone.identity.sign(b"secureconnect-spk-v2" + signed.public_key),
        "tampered": bytes([signed.signature[0] ^ 1]) + signed.signature[1:],
        "too short": signed.signature[:-1],
        "too long": signed.signature + b"\0",
        "zeros": bytes(64),
    }
    for name, signature in forged.items():
        body = changed(phone.body([1]), "signed_pre_key.signature", text(signature))
        answer = await ada.post("/v1/keys/upload", body)
        assert (answer.status, answer.code) == (422, "invalid_signature"), name
    assert (await ada.get("/v1/keys/count")).body["devices"] == []

    assert (await ada.post("/v1/keys/upload", phone.body([1]))).status == 200
    rotation = {"device_id": "phone", "signed_pre_key": other.signed_body(2)}
    assert (await ada.post("/v1/keys/rotate", rotation)).code == "invalid_signature"


@pytest.mark.parametrize("path", ["identity_key", "signed_pre_key.public_key", "one_time_pre_keys.1.public_key"])
async def test_what_is_no_key_is_refused_and_its_field_named(here: World, path: str) -> None:
    ada = await here.person("ada")
    key = agreement_key()
    wrong = {
        "31 bytes": text(key[:31]),
        "33 bytes": text(key + b"\0"),
        "without padding": text(key).rstrip("="),
        "not base64": "*" * 44,
        "spaces around it": f" {text(key)}",
        "another alphabet": "_" * 43 + "=",
        "stray bits": "A" * 42 + "B=",
        "not ASCII": "é" * 44,
        "all zeros": text(bytes(32)),
    }
    for name, value in wrong.items():
        answer = await ada.post("/v1/keys/upload", changed(Device().body([1, 2]), path, value))
        assert (answer.status, answer.code) == (422, "invalid_key"), name
        assert answer.body["errors"][0]["field"] == path.replace(".1.", "[1].")


@pytest.mark.parametrize("path", ["signed_pre_key.public_key", "one_time_pre_keys.0.public_key"])
async def test_points_of_small_order_are_refused_as_pre_keys_however_they_are_written(here: World, path: str) -> None:
    ada = await here.person("ada")
    again = [(int.from_bytes(low, "little") + P) for low in LOW]
    high_bit = [int.from_bytes(low, "little") | 1 << 255 for low in LOW]
    written = LOW + [value.to_bytes(32, "little") for value in again + high_bit if value < 1 << 256]
    for low in written:
        answer = await ada.post("/v1/keys/upload", changed(Device().body([1]), path, text(low)))
        assert (answer.status, answer.code) == (422, "invalid_key"), low.hex()


async def test_an_identity_of_small_order_cannot_sign_for_anything(here: World) -> None:
    """With the neutral element as identity, one signature is good for every message."""
    ada = await here.person("ada")
    body = Device().body()
    body["identity_key"] = text((1).to_bytes(32, "little"))
    body["signed_pre_key"]["signature"] = text((1).to_bytes(32, "little") + bytes(32))
    assert (await ada.post("/v1/keys/upload", body)).code == "invalid_key"


async def test_an_id_or_a_key_belongs_to_one_key_only(here: World) -> None:
    ada = await here.person("ada")
    phone = Device()
    await ada.post("/v1/keys/upload", phone.body([1, 2]))
    same_id = changed(phone.body([1]), "one_time_pre_keys.0.public_key", text(agreement_key()))
    same_key = changed(phone.body([1]), "one_time_pre_keys.0.key_id", 3)
    same_signed_id = changed(phone.body(), "signed_pre_key", Device("phone", phone.identity).signed_body(1))
    for body in (same_id, same_key, same_signed_id):
        answer = await ada.post("/v1/keys/upload", body)
        assert (answer.status, answer.code) == (409, "key_reused")
    twice_an_id = phone.body([5, 6])
    twice_an_id["one_time_pre_keys"][1]["key_id"] = 5
    twice_a_key = phone.body([7, 7])
    twice_a_key["one_time_pre_keys"][1]["key_id"] = 8
    for body in (twice_an_id, twice_a_key):
        answer = await ada.post("/v1/keys/upload", body)
        assert (answer.status, answer.code) == (422, "duplicate_key")
    assert (await ada.get("/v1/keys/count")).body["count"] == 2


async def test_a_request_a_device_and_a_person_have_room_for_so_many(here: World) -> None:
    ada = await here.person("ada")
    phone = Device()
    assert (await ada.post("/v1/keys/upload", phone.body(range(101)))).code == "validation_failed"
    assert (await ada.post("/v1/keys/upload", phone.body(range(100)))).body["remaining"] == 100
    assert (await ada.post("/v1/keys/upload", phone.body(range(100, 200)))).body["remaining"] == 200
    assert (await ada.post("/v1/keys/upload", phone.body(range(200, 201)))).code == "too_many_one_time_keys"
    assert (await ada.post("/v1/keys/upload", phone.body(range(100)))).status == 200
    for number in range(19):
        assert (await ada.post("/v1/keys/upload", Device(f"device-{number}").body())).status == 200
    answer = await ada.post("/v1/keys/upload", Device("one-more").body())
    assert (answer.status, answer.code) == (422, "too_many_devices")
    await ada.delete("/v1/keys/devices/device-3")
    assert (await ada.post("/v1/keys/upload", Device("one-more").body())).status == 200


async def test_devices_that_come_at_once_do_not_slip_past_the_bound(here: World) -> None:
    ada = await here.person("ada")
    answers = await asyncio.gather(
        *(ada.post("/v1/keys/upload", Device(f"device-{number}").body()) for number in range(25))
    )
    assert sorted(answer.status for answer in answers) == [200] * 20 + [422] * 5


@pytest.mark.parametrize("device_id", ["", "a" * 65, "a b", "a/b", ".", "..", "-a", "a\n", "ä", "a%2fb"])
async def test_a_device_id_has_safe_characters(here: World, device_id: str) -> None:
    ada = await here.person("ada")
    answer = await ada.post("/v1/keys/upload", Device(device_id).body())
    assert answer.status == 422
    assert answer.body["errors"][0]["field"] == "device_id"


@pytest.mark.parametrize("device_id", ["a", "A" * 64, "0190a8f2-3c4e-7d10-9b1a-1f2e3d4c5b6a", "web:1_2.3-4"])
async def test_such_device_ids_are_taken_and_can_be_removed(here: World, device_id: str) -> None:
    ada = await here.person("ada")
    assert (await ada.post("/v1/keys/upload", Device(device_id).body([1]))).status == 200
    assert (await ada.get(f"/v1/keys/count?device_id={device_id}")).body["count"] == 1
    assert (await ada.delete(f"/v1/keys/devices/{device_id}")).status == 204


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("signed_pre_key.key_id", -1),
        ("signed_pre_key.key_id", 2**32),
        ("signed_pre_key.key_id", "1"),
        ("one_time_pre_keys.0.key_id", 1.5),
        ("one_time_pre_keys", {}),
        ("signed_pre_key", None),
        ("identity_key", 7),
        ("identity_key", "A" * 1000),
        ("surprise", 1),
    ],
)
async def test_a_body_of_another_shape_is_refused(here: World, path: str, value: object) -> None:
    ada = await here.person("ada")
    answer = await ada.post("/v1/keys/upload", changed(Device().body([1]), path, value))
    assert (answer.status, answer.code) == (422, "validation_failed")


async def test_identities_change_so_often_a_day_and_no_more(apart: Directory) -> None:
    ada = await apart.person()
    for _ in range(MAX_CHANGES_A_DAY):
        await apart.keys.upload(ada, Device().upload())
    with pytest.raises(RateLimited) as refused:
        await apart.keys.upload(ada, Device().upload())
    assert refused.value.code == "too_many_key_changes"
    apart.clock.ahead += 86_401
    await apart.keys.upload(ada, Device().upload())


async def test_signed_keys_are_replaced_so_often_and_forgotten_after_their_time(apart: Directory) -> None:
    ada, phone = await apart.person(), Device()
    await apart.keys.upload(ada, phone.upload(signed=0))
    retired: Sequence[RetiredKey] = []
    for number in range(1, MAX_RETIRED + 1):
        _, retired = await apart.keys.rotate(ada, "phone", phone.signed(number))
    assert [key.key_id for key in retired] == list(range(MAX_RETIRED - 1, -1, -1))
    with pytest.raises(RateLimited) as refused:
        await apart.keys.rotate(ada, "phone", phone.signed(MAX_RETIRED + 1))
    assert refused.value.code == "too_many_rotations"
    apart.clock.ahead += 31 * 86_400
    _, retired = await apart.keys.rotate(ada, "phone", phone.signed(MAX_RETIRED + 1))
    assert [key.key_id for key in retired] == [MAX_RETIRED]


async def test_without_the_store_that_counts_askers_the_stock_is_spared_and_bundles_still_come(
    apart: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Away:
        async def increment(self, key: str, by: int = 1, *, ttl: float) -> int:
            raise DependencyUnavailable("redis", "connection refused")

    ada, phone = await apart.person(), Device()
    await apart.keys.upload(ada, phone.upload([1]))
    monkeypatch.setattr(apart.keys, "_counters", Away())
    [found] = await apart.keys.bundle(await apart.person(), ada)
    assert (found.device.identity_key, found.one_time_key) == (phone.identity_key, None)
    assert (await apart.keys.stock(ada))[0].remaining == 1
