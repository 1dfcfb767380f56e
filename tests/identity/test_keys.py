"""Devices leave their public keys, others find them: the directory over HTTP."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from adapters.sql.identity.blocks import SqlBlocks
from adapters.sql.identity.friends import SqlFriends
from identity.announcements import channel_of
from identity.blocks import Block
from identity.friends import Friendship
from kernel.bus import BusEvent, Subscription
from tests.identity.devices import Device, text
from tests.worlds import Person, World, world


@asynccontextmanager
async def told(here: World, person: Person) -> AsyncIterator[Subscription]:
    async with here.platform.bus.subscribe([channel_of(person.id)]) as events:
        yield events


async def next_of(events: Subscription) -> dict[str, Any]:
    async with asyncio.timeout(5):
        event = await anext(aiter(events))
    assert isinstance(event, BusEvent)
    found: dict[str, Any] = json.loads(event.payload)
    return found


async def left(person: Person, device: Device, **expected: object) -> None:
    found = (await person.get(f"/v1/keys/count?device_id={device.id}")).body
    assert found["devices"] == [{"device_id": device.id, **expected}]


async def befriend(here: World, one: Person, other: Person) -> None:
    friendship = Friendship(one.id, other.id, accepted=True, since=0.0)
    await here.platform.database.units.write(lambda unit: SqlFriends().put(unit, friendship))


async def test_what_a_device_uploads_is_what_others_get_and_can_verify(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        phone = Device()
        uploaded = await ada.post("/v1/keys/upload", phone.body(range(1, 4)))
        assert (uploaded.status, uploaded.body) == (
            200,
            {
                "device_id": "phone",
                "fingerprint": hashlib.sha256(phone.identity_key).hexdigest(),
                "remaining": 3,
            },
        )
        bundle = await bob.get(f"/v1/keys/{ada.id}")
        assert bundle.headers["Cache-Control"] == "no-store"
        body = phone.body([1])
        assert (bundle.status, bundle.body) == (
            200,
            {
                "user_id": str(ada.id),
                "devices": [
                    {
                        "device_id": "phone",
                        "identity_key": body["identity_key"],
                        "signed_pre_key": body["signed_pre_key"],
                        "one_time_pre_key": body["one_time_pre_keys"][0],
                    }
                ],
            },
        )
        [device] = bundle.body["devices"]
        identity, key, signature = (
            base64.b64decode(value)
            for value in (
                device["identity_key"],
                device["signed_pre_key"]["public_key"],
                device["signed_pre_key"]["signature"],
            )
        )
        Ed25519PublicKey.from_public_bytes(identity).verify(signature, b"secureconnect-spk-v1" + key)


async def test_every_device_is_in_the_bundle_with_a_one_time_key_while_it_has_any(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        phone, laptop = Device("phone"), Device("laptop")
        await ada.post("/v1/keys/upload", phone.body([7, 5]))
        await ada.post("/v1/keys/upload", laptop.body([1]))

        async def fetched() -> list[tuple[str, object]]:
            devices = (await bob.get(f"/v1/keys/{ada.id}")).body["devices"]
            return [(each["device_id"], each.get("one_time_pre_key", {}).get("key_id")) for each in devices]

        assert await fetched() == [("laptop", 1), ("phone", 5)]
        assert await fetched() == [("laptop", None), ("phone", 7)]
        assert await fetched() == [("laptop", None), ("phone", None)]


async def test_uploading_the_same_again_changes_nothing_and_brings_no_key_back(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        phone = Device()
        await ada.post("/v1/keys/upload", phone.body([1, 2]))
        first = (await bob.get(f"/v1/keys/{ada.id}")).body["devices"][0]["one_time_pre_key"]
        again = await ada.post("/v1/keys/upload", phone.body([1, 2]))
        assert (again.status, again.body["remaining"]) == (200, 1)
        second = (await bob.get(f"/v1/keys/{ada.id}")).body["devices"][0]["one_time_pre_key"]
        assert (first["key_id"], second["key_id"]) == (1, 2)
        assert "one_time_pre_key" not in (await bob.get(f"/v1/keys/{ada.id}")).body["devices"][0]


async def test_looking_at_a_bundle_by_head_uses_nothing_up(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        phone = Device()
        await ada.post("/v1/keys/upload", phone.body([1]))
        assert (await bob.ask("HEAD", f"/v1/keys/{ada.id}")).status == 200
        await left(ada, phone, remaining=1)


async def test_one_asker_cannot_use_up_a_stock(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, eve = await here.people("ada", "bob", "eve")
        phone = Device()
        await ada.post("/v1/keys/upload", phone.body(range(1, 31)))
        bundles = [(await eve.get(f"/v1/keys/{ada.id}")).body["devices"][0] for _ in range(15)]
        assert ["one_time_pre_key" in device for device in bundles] == [True] * 10 + [False] * 5
        await left(ada, phone, remaining=20)
        assert (await bob.get(f"/v1/keys/{ada.id}")).body["devices"][0]["one_time_pre_key"]["key_id"] == 11


async def test_the_owner_is_told_once_when_a_stock_falls_under_ten_and_again_after_it_was_filled(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as here:
        ada, bob, eve = await here.people("ada", "bob", "eve")
        await ada.post("/v1/keys/upload", Device().body(range(1, 13)))
        phone = Device("phone-2")
        await ada.post("/v1/keys/upload", phone.body(range(1, 12)))
        low = {"type": "keys_low", "data": {"device_id": "phone-2", "remaining": 9}}
        async with told(here, ada) as events:
            await bob.get(f"/v1/keys/{ada.id}")
            await bob.get(f"/v1/keys/{ada.id}")
            assert await next_of(events) == low
            await bob.get(f"/v1/keys/{ada.id}")
            assert await next_of(events) == {"type": "keys_low", "data": {"device_id": "phone", "remaining": 9}}
            await ada.post("/v1/keys/upload", phone.body(range(20, 22)))
            await eve.get(f"/v1/keys/{ada.id}")
            await left(ada, phone, remaining=9)
            assert await next_of(events) == low
            await eve.get(f"/v1/keys/{ada.id}")
            await here.platform.bus.publish(channel_of(ada.id), b'{"type": "nothing more"}')
            assert await next_of(events) == {"type": "nothing more"}


async def test_a_rotated_key_is_the_one_that_is_handed_out_and_its_owner_hears_what_to_keep(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        phone = Device()
        await ada.post("/v1/keys/upload", phone.body([1]))
        rotated = await ada.post("/v1/keys/rotate", {"device_id": "phone", "signed_pre_key": phone.signed_body(2)})
        assert rotated.status == 200
        assert rotated.body["signed_pre_key"] == phone.signed_body(2)
        assert [key["key_id"] for key in rotated.body["retired"]] == [1]
        again = await ada.post("/v1/keys/rotate", {"device_id": "phone", "signed_pre_key": phone.signed_body(2)})
        assert again.body == rotated.body
        device = (await bob.get(f"/v1/keys/{ada.id}")).body["devices"][0]
        assert device["signed_pre_key"] == phone.signed_body(2)
        assert device["one_time_pre_key"]["key_id"] == 1
        back = await ada.post("/v1/keys/rotate", {"device_id": "phone", "signed_pre_key": phone.signed_body(1)})
        assert (back.status, back.code) == (409, "key_reused")


async def test_an_upload_with_another_signed_key_rotates_too(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        phone = Device()
        await ada.post("/v1/keys/upload", phone.body([1]))
        assert (await ada.post("/v1/keys/upload", phone.body([2], signed=2))).body["remaining"] == 2
        assert (await ada.post("/v1/keys/upload", phone.body([], signed=1))).code == "key_reused"


async def test_a_changed_identity_is_recorded_and_friends_and_the_owner_are_told(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, eve = await here.people("ada", "bob", "eve")
        await befriend(here, ada, bob)
        old, new = Device(), Device()
        await ada.post("/v1/keys/upload", old.body([1, 2]))
        marks = [hashlib.sha256(device.identity_key).hexdigest() for device in (new, old)]
        async with told(here, bob) as to_bob, told(here, ada) as to_ada, told(here, eve) as to_eve:
            assert (await ada.post("/v1/keys/upload", new.body([5]))).body["remaining"] == 1
            change = {"user_id": str(ada.id), "device_id": "phone", "fingerprint": marks[0]}
            for events in (to_bob, to_ada):
                assert await next_of(events) == {"type": "key_changed", "data": change}
            await here.platform.bus.publish(channel_of(eve.id), b'{"type": "nothing else"}')
            assert await next_of(to_eve) == {"type": "nothing else"}
        device = (await bob.get(f"/v1/keys/{ada.id}")).body["devices"][0]
        assert (device["identity_key"], device["one_time_pre_key"]["key_id"]) == (text(new.identity_key), 5)
        changes = (await bob.get(f"/v1/keys/{ada.id}/changes")).body
        assert [(item["kind"], item["fingerprint"]) for item in changes["items"]] == [
            ("changed", marks[0]),
            ("added", marks[1]),
        ]


async def test_taking_a_device_out_first_hides_no_change_of_its_identity(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        await befriend(here, ada, bob)
        old, new = Device(), Device()
        await ada.post("/v1/keys/upload", old.body([1]))
        assert (await ada.delete("/v1/keys/devices/phone")).status == 204
        assert (await bob.get(f"/v1/keys/{ada.id}")).body["devices"] == []
        assert (await ada.delete("/v1/keys/devices/phone")).status == 404
        async with told(here, bob) as events:
            await ada.post("/v1/keys/upload", old.body([2]))  # the same identity: nothing to tell
            await ada.delete("/v1/keys/devices/phone")
            await ada.post("/v1/keys/upload", new.body([1]))
            told_of = await next_of(events)
        assert told_of["data"]["fingerprint"] == hashlib.sha256(new.identity_key).hexdigest()
        kinds = [item["kind"] for item in (await bob.get(f"/v1/keys/{ada.id}/changes")).body["items"]]
        assert kinds == ["changed", "removed", "added", "removed", "added"]


async def test_changes_are_read_page_by_page_while_new_ones_arrive(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        for number in range(5):
            await ada.post("/v1/keys/upload", Device(f"device-{number}").body())
        first = (await bob.get(f"/v1/keys/{ada.id}/changes?limit=2")).body
        await ada.post("/v1/keys/upload", Device("device-late").body())
        second = (await bob.get(f"/v1/keys/{ada.id}/changes?limit=2&cursor={first['next_cursor']}")).body
        third = (await bob.get(f"/v1/keys/{ada.id}/changes?limit=2&cursor={second['next_cursor']}")).body
        seen = [item["device_id"] for page in (first, second, third) for item in page["items"]]
        assert seen == [f"device-{number}" for number in (4, 3, 2, 1, 0)]
        assert third["next_cursor"] is None
        assert (await bob.get(f"/v1/keys/{ada.id}/changes?cursor=nonsense")).code == "bad_cursor"


async def test_people_who_blocked_one_another_see_no_keys(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, eve = await here.people("ada", "eve")
        for person in (ada, eve):
            await person.post("/v1/keys/upload", Device().body([1]))
        block = Block(ada.id, eve.id, 0.0)
        await here.platform.database.units.write(lambda unit: SqlBlocks().add(unit, block, most=10))
        for asker, target in ((ada, eve), (eve, ada)):
            for path in (f"/v1/keys/{target.id}", f"/v1/keys/{target.id}/changes"):
                answer = await asker.get(path)
                assert (answer.status, answer.code) == (404, "not_found")
        assert (await ada.get("/v1/keys/count")).body["count"] == 1


async def test_nobody_and_somebody_without_devices_are_told_apart(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        assert (await ada.get(f"/v1/keys/{bob.id}")).body == {"user_id": str(bob.id), "devices": []}
        assert (await ada.get("/v1/keys/00000000-0000-7000-8000-000000000000")).status == 404
        assert (await ada.get("/v1/keys/nobody")).status == 404
        assert (await ada.get("/v1/keys/count")).body == {"count": 0, "devices": []}
        assert (await ada.get("/v1/keys/count?device_id=phone")).code == "not_found"
        assert (await here.stranger.get(f"/v1/keys/{bob.id}")).status == 401


async def test_only_ones_own_devices_can_be_changed(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, eve = await here.people("ada", "eve")
        phone = Device()
        await ada.post("/v1/keys/upload", phone.body([1]))
        body = {"device_id": "phone", "signed_pre_key": phone.signed_body(2)}
        assert (await eve.post("/v1/keys/rotate", body)).status == 404
        assert (await eve.delete("/v1/keys/devices/phone")).status == 404
        assert (await eve.post("/v1/keys/upload", Device().body([1]))).status == 200
        device = (await eve.get(f"/v1/keys/{ada.id}")).body["devices"][0]
        assert device["identity_key"] == text(phone.identity_key)


async def test_two_hundred_requests_at_once_get_two_hundred_different_keys(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        names = [f"ask{first}{second}" for first in "bdfkt" for second in "bdkt"]
        askers = await asyncio.gather(*(here.person(name) for name in names))
        phone = Device()
        for first in (0, 100):
            await ada.post("/v1/keys/upload", phone.body(range(first, first + 100)))
        answers = await asyncio.gather(*(asker.get(f"/v1/keys/{ada.id}") for asker in askers for _ in range(10)))
        handed = [answer.body["devices"][0]["one_time_pre_key"]["key_id"] for answer in answers]
        assert sorted(handed) == list(range(200))
