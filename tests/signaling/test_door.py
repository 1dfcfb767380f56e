"""Who is let in to the socket of a room: by which token, from where, and what the others are told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from aiohttp import WSServerHandshakeError

from api.people import token_keys
from config.sections import Limits
from identity.roomtokens import SIGNALING, Grants
from sfu.rooms import Mode
from tests.identity.forging import forgeries
from tests.signaling.clients import CLIENT, SPEAKER, Visit, eventually, made_room, old_token, token, visit
from tests.worlds import World, world


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as started:
        yield started


async def knock(here: World, path: str = SIGNALING, **headers: str) -> tuple[int, str]:
    """Status and code of an attempt that never becomes a socket."""
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    async with here.session.get(path, headers=upgrade | headers) as answer:
        return answer.status, (await answer.json(content_type=None))["code"]


async def test_a_token_in_the_header_opens_a_socket_that_speaks_our_protocol(here: World) -> None:
    there = await visit(here)
    async with there.socket(token(here, there.room.id)) as ada:
        assert ada.raw.protocol == "sc.v1"
        joined = await ada.join()
    assert joined["room"]["id"] == str(there.room.id)
    assert joined["participant"]["identity"] == "ada"


async def test_so_does_one_among_the_subprotocols_which_is_never_said_back(here: World) -> None:
    room = await made_room(here)
    offered = ("sc.v1", f"bearer.{token(here, room.id)}")
    async with here.session.ws_connect(SIGNALING, protocols=offered) as raw:
        assert raw.protocol == "sc.v1"
        assert "bearer" not in str(raw._response.headers)
        await raw.send_json({"type": "join", "id": "1", "data": {"client": CLIENT}})
        assert (await raw.receive_json())["type"] == "reply"


async def test_who_joins_is_who_the_token_says(here: World) -> None:
    there = await visit(here)
    bearer = token(here, there.room.id, "crm|4711", name="Ada Lovelace", metadata='{"seat":4}')
    async with there.socket(bearer) as ada:
        participant = (await ada.join())["participant"]
    assert (participant["identity"], participant["name"]) == ("crm|4711", "Ada Lovelace")
    assert participant["metadata"] == '{"seat":4}'


async def test_no_forged_token_opens_a_socket(here: World) -> None:
    room = await made_room(here)
    good = token(here, room.id)
    keys = await token_keys(here.platform.settings.identity, here.platform.secret)
    forged = forgeries(good, keys)
    # A room token is one already, has no session and no roles; and whose subject is "admin" has that name.
    harmless = {"a room token", "no session", "session is no id", "roles are a word", "another session"}
    harmless |= {"subject is no id"}
    assert harmless < set(forged)
    tried = {kind: forged[kind] for kind in forged if kind not in harmless and forged[kind]}
    for kind, bearer in tried.items():
        assert await knock(here, Authorization=f"Bearer {bearer}") == (401, "invalid_token"), kind
    assert len(tried) > 20


async def test_what_else_is_a_token_here_is_none_there(here: World) -> None:
    ada = await here.person("ada")
    _, key = await here.started.people.api_keys.make(
        actor="test", name="Bookings", scopes=["tokens:mint"], expires_at=None
    )
    for bearer in (ada.token, ada.tokens["refresh_token"], key):
        assert await knock(here, Authorization=f"Bearer {bearer}") == (401, "invalid_token")
    room = await made_room(here)
    for path in ("/v1/users/me", f"/v1/rooms/{room.id}", "/metrics"):
        headers = {"Authorization": f"Bearer {token(here, room.id)}", "X-Forwarded-For": "203.0.113.9"}
        assert (await here.stranger.ask("GET", path, **headers)).status == 401


async def test_without_a_token_or_with_another_scheme_nobody_comes_in(here: World) -> None:
    bearer = token(here, (await made_room(here)).id)
    for headers in ({}, {"Authorization": f"Basic {bearer}"}, {"Authorization": "Bearer"}, {"Authorization": bearer}):
        assert await knock(here, **headers) == (401, "unauthenticated")


async def test_a_browser_whose_token_is_no_good_is_told_on_the_socket(here: World) -> None:
    for bad in ("garbage", token(here, uuid4())[:-4] + "AAAA", ""):
        async with here.session.ws_connect(SIGNALING, protocols=("sc.v1", f"bearer.{bad}")) as raw:
            said = await raw.receive_json()
            assert (said["type"], said["data"]["code"]) == ("error", "invalid_token")
            assert "id" not in said
            await raw.receive()
            assert raw.close_code == 4403
    await eventually(lambda: here.started.lifecycle.open_sockets() == 0)


async def test_no_token_is_written_to_a_log_whatever_is_offered_with_it(
    here: World, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    bearer = token(here, (await made_room(here)).id)
    for offered in (f"bearer.{bearer}", f"sc.v2, bearer.{bearer}", f"chat,bearer.{bearer}"):
        said = await knock(here, **{"Sec-WebSocket-Protocol": offered})
        assert said == (400, "unknown_subprotocol")
    for bad in (f"{bearer}x", f"{bearer}x sc.v1"):
        async with here.session.ws_connect(SIGNALING, headers={"Sec-WebSocket-Protocol": f"sc.v1, bearer.{bad}"}):
            pass
    assert await knock(here, Authorization=f"Bearer {bearer}x") == (401, "invalid_token")
    written = caplog.text + "".join(capfd.readouterr())
    assert bearer[:40] not in written


async def test_a_token_in_the_address_is_refused_even_if_it_is_good(here: World) -> None:
    bearer = token(here, (await made_room(here)).id)
    for query in (f"?token={bearer}", f"?access_token={bearer}", "?x=1"):
        assert await knock(here, SIGNALING + query, Authorization=f"Bearer {bearer}") == (400, "invalid_query")


async def test_what_is_no_socket_is_asked_to_be_one(here: World) -> None:
    bearer = token(here, (await made_room(here)).id)
    for headers in ({}, {"Authorization": f"Bearer {bearer}"}):
        answer = await here.stranger.ask("GET", SIGNALING, **headers)
        assert (answer.status, answer.code, answer.headers["Upgrade"]) == (426, "upgrade_required", "websocket")


async def test_what_only_half_asks_for_a_socket_gets_none_and_leaves_nothing_behind(here: World) -> None:
    bearer = token(here, (await made_room(here)).id)
    for wrong in ({"Sec-WebSocket-Version": "6"}, {"Sec-WebSocket-Key": "short"}, {"Connection": "close"}):
        status, _ = await knock(here, **{"Authorization": f"Bearer {bearer}"} | wrong)
        assert status == 400, wrong
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Authorization": f"Bearer {bearer}"}
    assert (await here.stranger.ask("HEAD", SIGNALING, **upgrade)).status == 426
    assert here.started.lifecycle.open_sockets() == 0


async def test_a_page_of_another_origin_opens_none(here: World) -> None:
    bearer = token(here, (await made_room(here)).id)
    authorization = {"Authorization": f"Bearer {bearer}"}
    for origin in ("https://evil.example", "null", here.url.replace("http", "https"), here.url + "0"):
        assert await knock(here, Origin=origin, **authorization) == (403, "origin_not_allowed")
    async with here.session.ws_connect(SIGNALING, headers=authorization | {"Origin": here.url}) as raw:
        assert not raw.closed


async def refused(there: Visit, bearer: str) -> str:
    """The code with which somebody is sent away."""
    async with there.socket(bearer) as socket:
        code = await socket.refusal("join", {"client": CLIENT})
        assert await socket.ends() == 4403
    return code


async def test_an_expired_token_lets_nobody_join(here: World) -> None:
    there = await visit(here)
    assert await refused(there, await old_token(here, there.room.id)) == "token_expired"


async def test_a_room_that_never_was_or_is_no_more_is_one_that_has_ended(here: World) -> None:
    there = await visit(here)
    assert await refused(there, token(here, uuid4())) == "room_ended"
    await here.started.calls.rooms.end(None, there.room.id)
    assert await refused(there, token(here, there.room.id)) == "room_ended"


async def test_a_room_that_ends_while_somebody_looks_it_up_is_not_joined(here: World) -> None:
    there = await visit(here)
    here.started.calls.lobby.end(there.room.id)  # what the store says is a moment older
    assert await refused(there, token(here, there.room.id)) == "room_ended"


async def test_a_token_that_grants_no_joining_grants_none(here: World) -> None:
    there = await visit(here)
    bearer = token(here, there.room.id, grants=Grants(subscribe=True))
    assert await refused(there, bearer) == "not_granted"


async def test_a_full_room_takes_nobody_else(here: World) -> None:
    there = await visit(here, max_participants=1)
    async with there.joined("ada"):
        assert await refused(there, token(here, there.room.id, "bob")) == "room_full"
    await eventually(lambda: here.started.lifecycle.open_sockets() == 0)


async def test_what_a_token_grants_is_what_its_owner_may(here: World) -> None:
    there = await visit(here)
    async with there.joined("ada", Grants(join=True, subscribe=True)) as (ada, _):
        assert await ada.refusal("data", {"payload": "aGk="}) == "not_granted"
    async with there.joined("bob", SPEAKER) as (bob, _):
        assert await bob.reply("data", {"payload": "aGk="}) == {}


async def test_in_a_secure_room_who_announces_no_keys_sends_nothing(here: World) -> None:
    there = await visit(here, mode=Mode.SECURE)
    async with there.joined("ada") as (ada, _):
        assert await ada.refusal("data", {"payload": "aGk="}) == "encryption_required"


async def test_what_one_announces_is_what_the_others_see(here: World) -> None:
    there = await visit(here, mode=Mode.SECURE)
    announced = {"kid_prefix": 0x8A51, "sender": "abcdefgh-IJKLMN_"}
    async with there.joined("ada") as (ada, _), there.joined("bob", e2ee=announced) as (_, joined):
        assert joined["participant"]["e2ee"] == announced
        assert (await ada.hears("participant_joined"))["data"]["e2ee"] == announced


async def test_an_address_opens_so_many_sockets_a_minute(tmp_path: Path) -> None:
    async with world(tmp_path, limits=Limits(sockets=3)) as here:
        bearer = token(here, (await made_room(here)).id)
        authorization = {"Authorization": f"Bearer {bearer}"}
        for _ in range(3):
            async with here.session.ws_connect(SIGNALING, headers=authorization):
                pass
        with pytest.raises(WSServerHandshakeError) as caught:
            await here.session.ws_connect(SIGNALING, headers=authorization)
        assert caught.value.status == 429


async def test_a_server_that_has_as_many_sockets_as_it_may_says_so(here: World) -> None:
    there = await visit(here)
    lifecycle = here.started.lifecycle
    lifecycle._max_sockets = 1
    async with there.joined("ada"):
        authorization = {"Authorization": f"Bearer {token(here, there.room.id, 'bob')}"}
        assert await knock(here, **authorization) == (503, "too_many_sockets")
    await eventually(lambda: lifecycle.open_sockets() == 0)
    async with there.joined("bob"):
        assert lifecycle.open_sockets() == 1


async def test_the_answer_that_opens_a_socket_has_our_headers(here: World) -> None:
    there = await visit(here)
    async with there.socket(token(here, there.room.id)) as ada:
        headers = ada.raw._response.headers
    assert (headers["Server"], headers["X-Content-Type-Options"]) == ("SecureConnect", "nosniff")
    assert "Sec-WebSocket-Extensions" not in headers
