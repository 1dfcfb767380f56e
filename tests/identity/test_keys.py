"""Devices leave their public keys, others find them: the directory over HTTP."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Update, update

from adapters.sql.identity.accounts import ACCOUNTS
from adapters.sql.identity.blocks import SqlBlocks
from adapters.sql.identity.friends import SqlFriends
from adapters.sql.units import sql_of
from identity import keydirectory
from identity.accounts import State
from identity.announcements import channel_of
from identity.blocks import Block
from identity.friends import Friendship
from kernel.bus import BusEvent, Subscription
from kernel.units import Transaction
from tests.identity.devices import Device, text
from tests.worlds import Person, World, world


@asynccontextmanager
async def told(here: World, person: Person) -> AsyncIterator[Subscription]:
    async with here.platform.bus.subscribe([channel_of(person.id)]) as events:
        yield events


async def next_of(events: Subscription, *, besides: str = "") -> dict[str, Any]:
    async with asyncio.timeout(5):
        while True:
            event = await anext(aiter(events))
            assert isinstance(event, BusEvent)
            found: dict[str, Any] = json.loads(event.payload)
            if found["type"] != besides:
                return found


async def left(person: Person, device: Device, **expected: object) -> None:
    found = (await person.get(f"/v1/keys/count?device_id={device.id}")).body
    assert found["devices"] == [{"device_id": device.id, **expected}]


async def fetched(asker: Person, target: Person) -> list[tuple[str, object]]:
    """Which key of which device."""
    devices = (await asker.get(f"/v1/keys/{target.id}")).body["devices"]
    return [(each["device_id"], each.get("one_time_pre_key", {}).get("key_id")) for each in devices]


async def _execute(statement: Update, unit: Transaction) -> None:
    await sql_of(unit).connection.execute(statement)


def mark(device: Device) -> str:
    return hashlib.sha256(device.identity_key).hexdigest()


async def test_what_a_device_uploads_is_what_others_get_and_can_verify(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        assert (await bob.get(f"/v1/keys/{ada.id}")).body == {"user_id": str(ada.id), "devices": []}
        assert (await ada.get("/v1/keys/count")).body == {"count": 0, "devices": []}
        phone = Device()
        uploaded = await ada.post("/v1/keys/upload", phone.body(range(1, 4)))
        assert (uploaded.status, uploaded.body) == (
            200,
            {"device_id": "phone", "fingerprint": mark(phone), "remaining": 3},
        )
        assert (await bob.ask("HEAD", f"/v1/keys/{ada.id}")).status == 200
        await left(ada, phone, remaining=3)
        bundle = await bob.get(f"/v1/keys/{ada.id}")
        assert bundle.headers["Cache-Control"] == "no-store"
        body = phone.body([1])
        expected = {
            "device_id": "phone",
            "identity_key": body["identity_key"],
            "signed_pre_key": body["signed_pre_key"],
            "one_time_pre_key": body["one_time_pre_keys"][0],
        }
        assert (bundle.status, bundle.body) == (200, {"user_id": str(ada.id), "devices": [expected]})
        signed = bundle.body["devices"][0]["signed_pre_key"]
        identity, key, signature = (
            base64.b64decode(value) for value in (expected["identity_key"], signed["public_key"], signed["signature"])
        )
        Ed25519PublicKey.from_public_bytes(identity).verify(signature, b"secureconnect-spk-v1" + key)


async def test_every_device_is_in_the_bundle_with_its_oldest_one_time_key_and_no_upload_brings_one_back(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        phone, laptop = Device("phone"), Device("laptop")
        await ada.post("/v1/keys/upload", phone.body([7, 5]))
        await ada.post("/v1/keys/upload", laptop.body([1]))
        assert await fetched(bob, ada) == [("laptop", 1), ("phone", 7)]
        for device, ids, remaining in ((phone, [7, 5], 1), (laptop, [1], 0)):
            again = await ada.post("/v1/keys/upload", device.body(ids))
            assert (again.status, again.body["remaining"]) == (200, remaining)
        assert await fetched(bob, ada) == [("laptop", None), ("phone", 5)]
        assert await fetched(bob, ada) == [("laptop", None), ("phone", None)]
        assert (await ada.post("/v1/keys/upload", phone.body([5, 3]))).body["remaining"] == 1
        assert await fetched(bob, ada) == [("laptop", None), ("phone", 3)]


async def test_neither_one_asker_nor_many_together_use_up_a_stock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keydirectory, "BUNDLES_FOR_AN_ASKER", 10)
    async with world(tmp_path) as here:
        ada, bob, eve = await here.people("ada", "bob", "eve")
        phone = Device()
        await ada.post("/v1/keys/upload", phone.body(range(1, 31)))
        given = [key_id for _ in range(15) for _, key_id in await fetched(eve, ada)]
        assert given == [*range(1, 11), *[None] * 5]
        await left(ada, phone, remaining=20)
        assert await fetched(bob, ada) == [("phone", 11)]
        # What eve was refused does not count among what ada's devices gave.
        monkeypatch.setattr(keydirectory, "BUNDLES_OF_A_PERSON", 13)
        assert [await fetched(bob, ada) for _ in range(3)] == [[("phone", 12)], [("phone", 13)], [("phone", None)]]
        await left(ada, phone, remaining=17)


async def test_the_owner_is_told_once_when_a_stock_falls_under_ten_again_after_it_was_filled_and_when_it_is_empty(
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
            assert await next_of(events, besides="key_changed") == low
            await bob.get(f"/v1/keys/{ada.id}")
            assert await next_of(events, besides="key_changed") == {
                "type": "keys_low",
                "data": {"device_id": "phone", "remaining": 9},
            }
            await ada.post("/v1/keys/upload", phone.body(range(20, 22)))
            await eve.get(f"/v1/keys/{ada.id}")
            await left(ada, phone, remaining=9)
            assert await next_of(events, besides="key_changed") == low
            await eve.get(f"/v1/keys/{ada.id}")
            # Who goes without is told of too, however many they are.
            await ada.post("/v1/keys/upload", Device("empty").body())
            for asker in (bob, eve, bob):
                await asker.get(f"/v1/keys/{ada.id}")
            empty = {"type": "keys_low", "data": {"device_id": "empty", "remaining": 0}}
            assert await next_of(events, besides="key_changed") == empty
            await here.platform.bus.publish(channel_of(ada.id), b'{"type": "nothing more"}')
            assert await next_of(events, besides="key_changed") == {"type": "nothing more"}


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
        # Nor does its id come back with another key, or its key with another id.
        other = Device("phone", phone.identity).signed_body(1)
        for reused in (other, phone.signed_body(1) | {"key_id": 9}):
            answer = await ada.post("/v1/keys/rotate", {"device_id": "phone", "signed_pre_key": reused})
            assert (answer.status, answer.code) == (409, "key_reused")
        # An upload with another signed key rotates too.
        assert (await ada.post("/v1/keys/upload", phone.body([2], signed=3))).body["remaining"] == 1
        assert (await ada.post("/v1/keys/upload", phone.body([], signed=2))).code == "key_reused"


async def test_what_becomes_of_identities_is_recorded_and_told_to_friends_companions_and_the_owner(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as here:
        ada, bob, cleo, eve = await here.people("ada", "bob", "cleo", "eve")
        group = {"type": "group", "title": "Choir", "participant_ids": [str(ada.id)]}
        assert (await cleo.post("/v1/conversations", group)).status == 201
        friendship = Friendship(ada.id, bob.id, accepted=True, since=0.0)
        await here.platform.database.units.write(lambda unit: SqlFriends().put(unit, friendship))
        old, new = Device(), Device()

        recorded: list[str] = []

        async with (
            told(here, ada) as to_ada,
            told(here, bob) as to_bob,
            told(here, cleo) as to_cleo,
            told(here, eve) as to_eve,
        ):

            async def heard(kind: str, device: Device) -> None:
                news = [await next_of(events) for events in (to_ada, to_bob, to_cleo)]
                recorded.append(news[0]["data"].pop("id"))
                assert [each["data"].pop("id") for each in news[1:]] == recorded[-1:] * 2
                data = {"user_id": str(ada.id), "device_id": "phone", "kind": kind, "fingerprint": mark(device)}
                assert news == [{"type": "key_changed", "data": data}] * 3

            await ada.post("/v1/keys/upload", old.body([1, 2]))
            await heard("added", old)
            await ada.post("/v1/keys/upload", old.body([3], signed=2))  # the same identity: nothing to tell
            assert (await ada.post("/v1/keys/upload", new.body([5]))).body["remaining"] == 1
            await heard("changed", new)
            [device] = (await bob.get(f"/v1/keys/{ada.id}")).body["devices"]
            assert (device["identity_key"], device["one_time_pre_key"]["key_id"]) == (text(new.identity_key), 5)
            # Taking a device out first hides no change of its identity.
            assert (await ada.delete("/v1/keys/devices/phone")).status == 204
            await heard("removed", new)
            assert await fetched(bob, ada) == []
            assert (await ada.delete("/v1/keys/devices/phone")).status == 404
            await ada.post("/v1/keys/upload", new.body([6]))
            await heard("added", new)
            await ada.delete("/v1/keys/devices/phone")
            await heard("removed", new)
            await ada.post("/v1/keys/upload", old.body([1]))
            await heard("changed", old)
            await here.platform.bus.publish(channel_of(eve.id), b'{"type": "nothing else"}')
            assert await next_of(to_eve) == {"type": "nothing else"}
        record = (await bob.get(f"/v1/keys/{ada.id}/changes")).body["items"]
        assert [item["id"] for item in record] == recorded[::-1]
        kinds = [("changed", old), ("removed", new), ("added", new), ("removed", new), ("changed", new), ("added", old)]
        assert [(item["kind"], item["fingerprint"]) for item in record] == [(kind, mark(it)) for kind, it in kinds]


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


async def test_keys_are_there_for_whom_they_are_for(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, eve = await here.people("ada", "bob", "eve")
        units = here.platform.database.units
        phone = Device()
        await ada.post("/v1/keys/upload", phone.body([1, 2]))
        # Only one's own devices can be changed.
        assert (
            await eve.post("/v1/keys/rotate", {"device_id": "phone", "signed_pre_key": phone.signed_body(2)})
        ).status == 404
        assert (await eve.delete("/v1/keys/devices/phone")).status == 404
        assert (await eve.get("/v1/keys/count?device_id=phone")).code == "not_found"
        assert (await eve.post("/v1/keys/upload", Device().body([1]))).status == 200
        assert (await eve.get(f"/v1/keys/{ada.id}")).body["devices"][0]["identity_key"] == text(phone.identity_key)
        # Nobody's, and without an account nobody has any.
        for nobody in ("00000000-0000-7000-8000-000000000000", "nobody"):
            assert (await ada.get(f"/v1/keys/{nobody}")).status == 404
        assert (await here.stranger.get(f"/v1/keys/{bob.id}")).status == 401
        # A block hides them in both directions, and uses nothing up.
        await units.write(lambda unit: SqlBlocks().add(unit, Block(ada.id, eve.id, 0.0), most=10))
        for asker, target in ((ada, eve), (eve, ada)):
            for path in (f"/v1/keys/{target.id}", f"/v1/keys/{target.id}/changes"):
                answer = await asker.get(path)
                assert (answer.status, answer.code) == (404, "not_found")
        assert (await ada.get("/v1/keys/count")).body["count"] == 1
        # Nobody begins a session with who has been disabled; their stock waits for them.
        for state, keys in ((State.DISABLED, []), (State.ACTIVE, [("phone", 2)])):
            change = update(ACCOUNTS).where(ACCOUNTS.c.id == ada.id).values(state=state.value)
            await units.write(partial(_execute, change))
            assert await fetched(bob, ada) == keys


async def test_two_hundred_requests_at_once_get_two_hundred_different_keys(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, eve = await here.people("ada", "bob", "eve")
        phone = Device()
        for first in (0, 100):
            await ada.post("/v1/keys/upload", phone.body(range(first, first + 100)))
        answers = await asyncio.gather(*(fetched(asker, ada) for asker in (bob, eve) for _ in range(100)))
        assert sorted(answers) == [[("phone", number)] for number in range(200)]
