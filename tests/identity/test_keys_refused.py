"""What may not stand in the directory: forged signatures, keys that are none, more than there is room for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from identity.keydirectory import MAX_CHANGES_A_DAY, MAX_RETIRED, RetiredKey
from identity.prekeys import SMALL_ORDER
from kernel.errors import RateLimited
from tests.adapters.sql.relational import settings_for
from tests.identity.devices import Device, Directory, agreement_key, directory, text
from tests.worlds import world

LOW = [value.to_bytes(32, "little") for value in sorted(SMALL_ORDER)]
P = 2**255 - 19

PRE_KEYS = ("signed_pre_key.public_key", "one_time_pre_keys.1.public_key")
# Of each of them: what it is that is wrong, the body, the code, the field that is named, if any.
Wrong = tuple[str, dict[str, Any], str, str | None]


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


def signatures() -> Iterator[Wrong]:
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
        yield f"a signature {name}", body, "invalid_signature", "signed_pre_key.signature"


def no_keys() -> Iterator[Wrong]:
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
    for path in ("identity_key", *PRE_KEYS):
        for name, value in wrong.items():
            body = changed(Device().body([1, 2]), path, value)
            yield f"{path}: {name}", body, "invalid_key", path.replace(".1.", "[1].")


def small_orders() -> Iterator[Wrong]:
    again = [(int.from_bytes(low, "little") + P) for low in LOW]
    high_bit = [int.from_bytes(low, "little") | 1 << 255 for low in LOW]
    written = LOW + [value.to_bytes(32, "little") for value in again + high_bit if value < 1 << 256]
    for path in PRE_KEYS:
        for low in written:
            body = changed(Device().body([1, 2]), path, text(low))
            yield f"{path}: {low.hex()}", body, "invalid_key", path.replace(".1.", "[1].")
    # With the neutral element as identity, one signature is good for every message.
    body = changed(Device().body(), "identity_key", text((1).to_bytes(32, "little")))
    body["signed_pre_key"]["signature"] = text((1).to_bytes(32, "little") + bytes(32))
    yield "the neutral element", body, "invalid_key", "identity_key"


def duplicates() -> Iterator[Wrong]:
    phone = Device()
    twice_an_id = changed(phone.body([5, 6]), "one_time_pre_keys.1.key_id", 5)
    yield "an id twice", twice_an_id, "duplicate_key", "one_time_pre_keys"
    twice_a_key = changed(phone.body([7, 7]), "one_time_pre_keys.1.key_id", 8)
    yield "a key twice", twice_a_key, "duplicate_key", "one_time_pre_keys"
    signed = phone.body([9])["signed_pre_key"]["public_key"]
    as_both = changed(phone.body([9]), "one_time_pre_keys.0.public_key", signed)
    yield "the signed key among those for one use", as_both, "duplicate_key", "one_time_pre_keys"


def shapes() -> Iterator[Wrong]:
    for device_id in ("", "a" * 65, "a b", "a/b", ".", "..", "-a", "ä", "a%2fb"):
        yield f"device {device_id!r}", Device(device_id).body(), "validation_failed", "device_id"
    yield "a device with a line's end", Device("a\n").body(), "invalid_device_id", "device_id"
    for path, value in (
        ("signed_pre_key.key_id", -1),
        ("signed_pre_key.key_id", 2**32),
        ("signed_pre_key.key_id", "1"),
        ("one_time_pre_keys.0.key_id", 1.5),
        ("one_time_pre_keys", {}),
        ("signed_pre_key", None),
        ("identity_key", 7),
        ("identity_key", "A" * 1000),
        ("surprise", 1),
    ):
        yield f"{path} is {value!r}"[:60], changed(Device().body([1]), path, value), "validation_failed", None
    yield "a hundred and one keys", Device().body(range(101)), "validation_failed", None


async def test_what_may_not_stand_in_the_directory_is_refused_and_leaves_nothing_there(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        for kind in (signatures, no_keys, small_orders, duplicates, shapes):
            for what, body, code, field in kind():
                answer = await ada.post("/v1/keys/upload", body)
                assert (answer.status, answer.code) == (422, code), what
                if field is not None:
                    assert answer.body["errors"][0]["field"] == field, what
        assert (await ada.get("/v1/keys/count")).body["devices"] == []
        assert (await ada.get(f"/v1/keys/{ada.id}/changes")).body["items"] == []

        phone, other = Device(), Device()
        assert (await ada.post("/v1/keys/upload", phone.body([1]))).status == 200
        rotation = {"device_id": "phone", "signed_pre_key": other.signed_body(2)}
        assert (await ada.post("/v1/keys/rotate", rotation)).code == "invalid_signature"


async def test_an_id_or_a_key_belongs_to_one_key_only_also_after_it_was_handed_out(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        phone = Device()
        await ada.post("/v1/keys/upload", phone.body([1, 2]))
        await bob.get(f"/v1/keys/{ada.id}")
        for key_id in (1, 2):
            same_id = changed(phone.body([key_id]), "one_time_pre_keys.0.public_key", text(agreement_key()))
            same_key = changed(phone.body([key_id]), "one_time_pre_keys.0.key_id", 3)
            same_signed_id = changed(phone.body(), "signed_pre_key", Device("phone", phone.identity).signed_body(1))
            for body in (same_id, same_key, same_signed_id):
                answer = await ada.post("/v1/keys/upload", body)
                assert (answer.status, answer.code) == (409, "key_reused")
        assert (await ada.get("/v1/keys/count")).body["count"] == 1


async def test_a_device_and_a_person_have_room_for_so_many(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        phone = Device()
        assert (await ada.post("/v1/keys/upload", phone.body(range(100)))).body["remaining"] == 100
        assert (await ada.post("/v1/keys/upload", phone.body(range(100, 200)))).body["remaining"] == 200
        assert (await ada.post("/v1/keys/upload", phone.body(range(200, 201)))).code == "too_many_one_time_keys"
        assert (await ada.post("/v1/keys/upload", phone.body(range(100)))).body["remaining"] == 200
        names = [
            "a",
            "A" * 64,
            "0190a8f2-3c4e-7d10-9b1a-1f2e3d4c5b6a",
            "web:1_2.3-4",
            *(f"at-once-{n}" for n in range(20)),
        ]
        answers = await asyncio.gather(*(ada.post("/v1/keys/upload", Device(name).body([1])) for name in names))
        assert sorted(answer.status for answer in answers) == [200] * 19 + [422] * 5
        assert {answer.code for answer in answers if answer.status == 422} == {"too_many_devices"}
        [name, *_] = [name for name, answer in zip(names, answers, strict=True) if answer.status == 200]
        assert (await ada.get(f"/v1/keys/count?device_id={name}")).body["count"] == 1
        assert (await ada.delete(f"/v1/keys/devices/{name}")).status == 204
        assert (await ada.post("/v1/keys/upload", Device("one-more").body())).status == 200


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
