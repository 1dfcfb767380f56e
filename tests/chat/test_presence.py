"""Who is there: what devices say, who sees and hears of it, and when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import UUID, uuid4

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from adapters.sql.identity.accounts import SqlAccounts
from chat.presence import Status, combined, key_of, mark_of, of_sessions
from identity.accounts import State
from identity.announcements import channel_of
from kernel.bus import BusEvent
from kernel.units import Transaction
from tests.chat.presence_desk import Counted
from tests.identity.crowds import become_friends, befriend, crowd
from tests.services.postgres import PostgresService
from tests.services.redis import RedisService
from tests.worlds import Caller, Person, World, world

THERE = [Status.AWAY, Status.ONLINE, Status.BUSY]


@given(st.dictionaries(st.uuids(), st.sampled_from(THERE), max_size=6), st.booleans())
def test_of_several_devices_the_one_that_says_most_counts(said: dict[UUID, Status], noted: bool) -> None:
    marks = {mark_of(session, status) for session, status in said.items()} | ({"noted"} if noted else set())
    assert combined(marks) is max(said.values(), key=THERE.index, default=Status.OFFLINE)
    for session, status in said.items():
        assert of_sessions(marks, [session]) == {mark_of(session, status)}


async def say(who: Caller, state: str) -> Any:
    answer = await who.post("/v1/presence", {"state": state})
    assert answer.status == 200, answer.body
    return answer.body


async def asked(who: Caller, *people: UUID) -> list[Any]:
    answer = await who.get(f"/v1/presence?user_ids={','.join(map(str, people))}")
    assert answer.status == 200, answer.body
    return list(answer.body["items"])


async def seen(who: Caller, whom: Person) -> str:
    [item] = await asked(who, whom.id)
    return str(item["status"])


async def device(here: World, who: Person) -> Person:
    """Another one of theirs, signed in."""
    other = Person(here.session, id=who.id, email=who.email, username=who.username, password=who.password)
    assert (await other.sign_in()).status == 200
    return other


@dataclass
class Heard:
    """What somebody's devices heard of presence."""

    here: World
    person: UUID
    events: list[Any] = field(default_factory=list)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        async with self.here.platform.bus.subscribe([channel_of(self.person)]) as subscription:

            async def listen() -> None:
                async for news in subscription:
                    assert isinstance(news, BusEvent)
                    event = msgspec.json.decode(news.payload)
                    if event["type"] == "presence":
                        self.events.append(event["data"])

            task = asyncio.create_task(listen())
            try:
                yield
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def of(self, whom: UUID) -> list[str]:
        """Since it was asked last."""
        await asyncio.sleep(0.05)
        assert {event["user_id"] for event in self.events} <= {str(whom)}
        statuses = [event["status"] for event in self.events]
        self.events.clear()
        return statuses


async def test_whoever_may_sees_it_wherever_people_are_shown(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, eve, common = await here.people("ada", "bob", "eve", "common")
        for one, other in ((ada, bob), (common, ada), (common, eve)):
            await become_friends(one, other)
        assert (await say(ada, "away")) == {"status": "away", "state": "away", "expires_in": 300}
        phone = await device(here, ada)
        assert (await say(phone, "busy"))["status"] == "busy"
        assert (await say(ada, "online")) == {"status": "busy", "state": "online", "expires_in": 300}
        assert phone.tokens["user"]["status"] == "away", "as it was when this device signed in"

        async def shown(who: Person) -> dict[str, str]:
            """Where she is shown to them, and as what."""
            found = {"person": (await who.get(f"/v1/users/{ada.id}")).body["status"], "presence": await seen(who, ada)}
            for place in ("search?q=ada", "me/friends", "me/suggestions"):
                items = (await who.get(f"/v1/users/{place}")).body["items"]
                found.update((place, item["status"]) for item in items if item["id"] == str(ada.id))
            return found

        friendly = {"person", "presence", "search?q=ada", "me/friends"}
        strange = {"person", "presence", "search?q=ada", "me/suggestions"}
        for audience, to_bob, to_eve in (
            ("everyone", "busy", "busy"),
            ("friends", "busy", "offline"),
            ("nobody", "offline", "offline"),
        ):
            assert (await ada.patch("/v1/users/me/visibility", {"status": audience})).status == 200
            assert await shown(bob) == dict.fromkeys(friendly, to_bob), audience
            assert await shown(eve) == dict.fromkeys(strange, to_eve), audience
            assert (await ada.get("/v1/users/me")).body["status"] == "busy"
            assert (await ada.get("/v1/auth/profile")).body["status"] == "busy"
            assert (await seen(ada, ada)) == "busy"
        assert (await say(phone, "offline")) == {"status": "online", "state": "offline", "expires_in": 0}

        await ada.patch("/v1/users/me/visibility", {"status": "everyone", "last_seen": "everyone"})
        await ada.patch("/v1/users/me", {"status_text": "here"})
        await say(eve, "online")
        await say(ada, "offline")
        await say(ada, "online")
        assert (await seen(eve, ada), await seen(ada, eve)) == ("online", "online")
        await ada.post(f"/v1/users/{eve.id}/block")
        nobody = uuid4()
        for who, whom in ((ada, eve), (eve, ada)):
            items = await asked(who, whom.id, nobody)
            assert [(item["status"], item["last_seen"]) for item in items] == [("offline", None)] * 2
        [blocked] = (await ada.get("/v1/users/me/blocked")).body["items"]
        looked_at = (await ada.get(f"/v1/users/{eve.id}")).body
        assert {blocked["status"], looked_at["status"]} == {"offline"}


async def test_it_is_asked_in_order_bounded_and_refused_like_anything_else(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        await say(bob, "online")
        ids = [bob.id, *(uuid4() for _ in range(97)), ada.id, bob.id, ada.id]
        assert [item["user_id"] for item in await asked(ada, *ids[:100])] == [str(one) for one in ids[:99]]
        assert await asked(ada, uuid4()) != []
        for query in (
            "",
            "?user_ids=",
            f"?user_ids={bob.id},",
            "?user_ids=bob",
            f"?user_ids={','.join(map(str, ids))}",
            f"?user_ids={bob.id}&limit=1",
            f"?user_ids={str(bob.id).replace('-', '')}----",
        ):
            assert (await ada.get(f"/v1/presence{query}")).code == "invalid_query", query
        assert (await ada.get(f"/v1/presence?user_ids={bob.id}%0A")).status == 200
        for body in ({}, {"state": "there"}, {"state": "online", "for": "ever"}, {"state": None}):
            assert (await ada.post("/v1/presence", body)).code == "validation_failed", body
        for method in ("GET", "POST"):
            assert (await here.stranger.ask(method, f"/v1/presence?user_ids={bob.id}")).status == 401


async def test_friends_hear_of_a_change_once_and_of_nothing_else(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, eve = await here.people("ada", "bob", "eve")
        await become_friends(ada, bob)
        friend, stranger, own = (Heard(here, one.id) for one in (bob, eve, ada))
        async with friend.listening(), stranger.listening(), own.listening():
            for state in ("online", "online", "away", "away", "offline", "offline", "busy"):
                await say(ada, state)
            assert await friend.of(ada.id) == await own.of(ada.id) == ["online", "away", "offline", "busy"]
            phone = await device(here, ada)
            for state in ("online", "away", "busy", "offline"):
                await say(phone, state)
            assert await friend.of(ada.id) == [], "busy all the while"
            await ada.patch("/v1/users/me/visibility", {"status": "nobody"})
            assert (await friend.of(ada.id), await own.of(ada.id)) == (["offline"], [])
            await say(ada, "online")
            assert (await friend.of(ada.id), await own.of(ada.id)) == ([], ["online"])
            await ada.patch("/v1/users/me/visibility", {"status": "friends"})
            assert await friend.of(ada.id) == ["online"]
            await ada.patch("/v1/users/me/visibility", {"last_seen": "nobody"})
            assert (await friend.of(ada.id), await stranger.of(ada.id)) == ([], [])


@dataclass
class Ending:
    """Each way in which a session of ``ada`` may end; ``spare`` is another device of hers."""

    here: World
    root: Person
    ada: Person
    spare: Person

    @property
    def ways(self) -> Mapping[str, Callable[[], Awaitable[object]]]:
        return {
            "logout": lambda: self.ada.post("/v1/auth/logout"),
            "revoked": self.revoked,
            "all others": lambda: self.spare.delete("/v1/auth/sessions"),
            "refresh reused": self.reused,
            "password": self.password,
            "forgotten": self.forgotten,
            "by an admin": lambda: self.root.post(f"/v1/admin/users/{self.ada.id}/logout"),
            "disabled": self.disabled,
            "one too many": self.pushed_out,
            "erased": lambda: self.ada.ask("DELETE", "/v1/users/me", {"password": self.ada.password}),
        }

    async def revoked(self) -> None:
        sessions = (await self.spare.get("/v1/auth/sessions")).body["items"]
        for other in [item["id"] for item in sessions if not item["current"]]:
            assert (await self.spare.delete(f"/v1/auth/sessions/{other}")).status == 204

    async def reused(self) -> None:
        for status in (200, 401):
            body = {"refresh_token": self.ada.tokens["refresh_token"]}
            assert (await self.here.stranger.post("/v1/auth/refresh", body)).status == status

    async def password(self) -> None:
        body = {"current_password": self.ada.password, "new_password": "another-horse-of-the-same"}
        assert (await self.spare.post("/v1/users/me/password", body)).status == 204
        self.ada.password = self.spare.password = body["new_password"]

    async def forgotten(self) -> None:
        await self.here.stranger.post("/v1/auth/forgot-password", {"email": self.ada.email})
        self.ada.password = self.spare.password = "a-third-horse-then"
        body = {"token": await self.here.mailed(self.ada.email, "/reset-password"), "password": self.ada.password}
        assert (await self.here.stranger.post("/v1/auth/reset-password", body)).status == 204

    async def disabled(self) -> None:
        for state in ("disabled", "active"):
            assert (await self.root.patch(f"/v1/admin/users/{self.ada.id}", {"state": state})).status == 200

    async def pushed_out(self) -> None:
        for _ in range(self.here.platform.settings.identity.max_sessions):
            await device(self.here, self.ada)


async def test_whichever_way_a_session_ends_its_device_is_gone_at_once_and_friends_hear(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        root, ada, bob = await here.admin("root.one"), *(await here.people("ada", "bob"))
        await become_friends(ada, bob)
        ending, heard = Ending(here, root, ada, await device(here, ada)), Heard(here, bob.id)
        async with heard.listening():
            for name, end in ending.ways.items():
                for one in (ada, ending.spare):
                    assert (await one.sign_in()).status == 200
                await say(ada, "online")
                await end()
                assert await heard.of(ada.id) == ["online", "offline"], name
                assert await seen(bob, ada) == "offline", name
                assert await here.platform.ephemeral.sets.members(key_of(ada.id)) <= {"noted"}, name


@asynccontextmanager
async def counted(here: World) -> AsyncIterator[Counted]:
    presences = here.started.people.presences
    sets = Counted(presences._leases)
    with mock.patch.object(presences, "_leases", sets):
        yield sets


async def test_a_list_takes_one_trip_and_none_when_nobody_can_be_seen(tmp_path: Path) -> None:
    async with world(tmp_path) as here, counted(here) as sets:
        ada, bob = await here.people("ada", "bob")
        others = await crowd(here, ["Sam"] * 30)
        await befriend(here, (ada.id, bob.id), *[(ada.id, other.id) for other in others])
        far = await crowd(here, ["Far"] * 5)
        await befriend(here, *[(others[0].id, one.id) for one in far])
        for path in (
            "/v1/users/me",
            f"/v1/users/{bob.id}",
            "/v1/users/me/friends?limit=100",
            "/v1/users/search?q=sam&limit=100",
            "/v1/users/me/suggestions",
            f"/v1/presence?user_ids={','.join(str(one.id) for one in others)}",
        ):
            sets.trips.clear()
            assert (await ada.get(path)).status == 200
            assert sets.trips == ["members_of_many"], path
        sets.trips.clear()
        await bob.patch("/v1/users/me/visibility", {"status": "nobody"})
        sets.trips.clear()
        for path in ("/v1/users/me/blocked", "/v1/users/search?q=bob", f"/v1/presence?user_ids={uuid4()},{bob.id}"):
            assert (await ada.get(path)).status == 200
        assert sets.trips == []
        await say(ada, "online")
        sets.trips.clear()
        await say(ada, "online")
        assert sets.trips == ["members", "add"], "what a device that goes on being there costs"


async def test_without_its_store_everybody_is_offline_and_everything_else_goes_on(tmp_path: Path) -> None:
    async with world(tmp_path) as here, counted(here) as sets:
        ada, bob = await here.people("ada", "bob")
        await become_friends(ada, bob)
        await say(bob, "online")
        sets.away = True
        assert await seen(ada, bob) == "offline"
        for path in ("/v1/users/me", "/v1/users/me/friends", "/v1/users/search?q=bob"):
            assert (await ada.get(path)).status == 200
        refused = await ada.post("/v1/presence", {"state": "online"})
        assert (refused.status, refused.code) == (503, "dependency_unavailable")
        assert (await bob.post("/v1/auth/logout")).status == 204
        registry = here.platform.metrics.registry
        failed = {
            what: registry.get_sample_value("secureconnect_presence_failed_total", {"what": what})
            for what in ("read", "end")
        }
        assert failed == {"read": 4.0, "end": 1.0}
        sets.away = False
        assert await seen(ada, bob) == "online", "until it lapses"


async def test_when_somebody_was_seen_is_for_those_whom_they_let(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, eve = await here.people("ada", "bob", "eve")
        await become_friends(ada, bob)
        await say(ada, "online")
        await say(ada, "offline")
        for audience, to_bob, to_eve in (("everyone", True, True), ("friends", True, False), ("nobody", False, False)):
            await ada.patch("/v1/users/me/visibility", {"last_seen": audience})
            for who, sees in ((bob, to_bob), (eve, to_eve), (ada, True)):
                [item] = await asked(who, ada.id)
                assert (item["last_seen"] is not None) == sees, audience
        await say(ada, "away")
        assert [item["last_seen"] for item in await asked(ada, ada.id)] == [None]
        await ada.patch("/v1/users/me/visibility", {"last_seen": "everyone"})

        async def disable(unit: Transaction) -> None:
            account = await SqlAccounts().get(unit, ada.id)
            assert account is not None
            await SqlAccounts().put(unit, replace(account, state=State.DISABLED))

        await here.platform.database.units.write(disable)
        [disabled], [nobody] = await asked(bob, ada.id), await asked(bob, uuid4())
        assert disabled | {"user_id": None} == nobody | {"user_id": None}


async def test_a_device_on_another_node_is_seen_heard_of_and_ended(
    tmp_path: Path, postgres: PostgresService, redis_server: RedisService
) -> None:
    redis_server.flush()
    url = postgres.create_database()
    async with (
        world(tmp_path / "one", database_url=url, redis_url=redis_server.url) as here,
        world(tmp_path / "two", database_url=url, redis_url=redis_server.url) as there,
    ):
        ada, bob = await here.people("ada", "bob")
        await become_friends(ada, bob)
        elsewhere = Person(there.session, token=bob.token, id=bob.id)
        phone = Caller(there.session, (await device(here, ada)).token)
        heard = Heard(there, bob.id)
        async with heard.listening():
            await say(ada, "away")
            await say(phone, "online")
            assert await heard.of(ada.id) == ["away", "online"]
            assert [await seen(one, ada) for one in (bob, elsewhere)] == ["online", "online"]
            assert (await elsewhere.get("/v1/users/me/friends")).body["items"][0]["status"] == "online"
            assert (await Caller(there.session, ada.token).delete("/v1/auth/sessions")).status == 204
            assert await heard.of(ada.id) == ["away"]
            assert (await Caller(there.session, ada.token).post("/v1/auth/logout")).status == 204
            assert await heard.of(ada.id) == ["offline"]
            [item] = await asked(elsewhere, ada.id)
            assert (item["status"], item["last_seen"] is not None) == ("offline", True)
