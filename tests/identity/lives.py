"""Somebody who has done everything here that can be done over HTTP, among others who did things to them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tests.identity.devices import Device
from tests.identity.pictures import png
from tests.identity.test_second_factor import Authenticator, turned_on
from tests.identity.traces import Names
from tests.worlds import Answer, Caller, Person, World

NAME, SURNAME = "zebulon", "quuxley"


@dataclass
class Life:
    zebulon: Person
    admin: Person
    friend: Person
    authenticator: Authenticator

    sessions: Sequence[UUID]

    @property
    def names(self) -> Names:
        return Names(self.zebulon.id, [NAME, SURNAME], self.sessions)

    @property
    def farewell(self) -> dict[str, str]:
        return {"password": self.zebulon.password, "totp": self.authenticator.code()}


async def lived(here: World) -> Life:
    """Zebulon is an admin beside another, so that they appear in the audit log as both."""
    admin = await here.admin("grace")
    friend, suitor, nuisance, rival = await here.people("frieda", "suitor", "nuisance", "rival")
    zebulon = await here.person(NAME)
    await _account(here, zebulon)
    await _acquaintances(zebulon, friend, suitor, nuisance, rival)
    await _keys(zebulon, friend)
    await _administration(zebulon, admin, friend)
    await _conversations(zebulon, friend, suitor)
    await _rooms(zebulon)
    authenticator = await _sign_ins(here, zebulon)
    await _export(zebulon)
    sessions = (await _did(zebulon, "GET", "/v1/auth/sessions"))["items"]
    return Life(zebulon, admin, friend, authenticator, [UUID(item["id"]) for item in sessions])


async def _did(caller: Caller, method: str, path: str, body: object = None) -> Any:
    answer = await caller.ask(method, path, body)
    assert answer.status < 300, f"{method} {path}: {answer.status} {answer.body}"
    return answer.body


async def _account(here: World, zebulon: Person) -> None:
    await _did(zebulon, "POST", "/v1/auth/verify-email/resend")
    secret = await here.mailed(zebulon.email, "/verify-email", number=2)
    await _did(here.stranger, "POST", "/v1/auth/verify-email", {"token": secret})
    profile = {
        "display_name": f"{NAME.capitalize()} {SURNAME.capitalize()}",
        "status_text": f"{SURNAME} is in",
        "searchable": True,
    }
    await _did(zebulon, "PATCH", "/v1/users/me", profile)
    await _did(zebulon, "PATCH", "/v1/users/me/visibility", {"status": "friends"})
    for side in (8, 16, 8):
        assert (await _with_avatar(zebulon, png(side, side))).status == 200
    await _did(zebulon, "DELETE", "/v1/users/me/avatar")
    assert (await _with_avatar(zebulon, png(24, 24))).status == 200


async def _with_avatar(person: Person, picture: bytes, place: str = "/v1/users/me/avatar") -> Answer:
    headers = {"Authorization": f"Bearer {person.token}", "Content-Type": "image/png"}
    async with person.session.put(place, data=picture, headers=headers) as answer:
        return Answer(answer.status, dict(answer.headers), await answer.json())


async def _acquaintances(zebulon: Person, friend: Person, suitor: Person, nuisance: Person, rival: Person) -> None:
    await _did(zebulon, "POST", f"/v1/users/{friend.id}/friend")
    await _did(friend, "POST", f"/v1/users/me/friends/{zebulon.id}/accept")
    await _did(rival, "POST", f"/v1/users/{zebulon.id}/friend")
    await _did(zebulon, "DELETE", f"/v1/users/me/friends/{rival.id}/reject")
    await _did(nuisance, "POST", f"/v1/users/{zebulon.id}/friend")
    await _did(zebulon, "POST", f"/v1/users/me/friends/{nuisance.id}/accept")
    await _did(zebulon, "DELETE", f"/v1/users/me/friends/{nuisance.id}")
    await _did(suitor, "POST", f"/v1/users/{zebulon.id}/friend")
    await _did(zebulon, "POST", f"/v1/users/{nuisance.id}/block")
    await _did(zebulon, "POST", f"/v1/users/{rival.id}/block")
    await _did(zebulon, "DELETE", f"/v1/users/{rival.id}/block")
    await _did(rival, "POST", f"/v1/users/{zebulon.id}/block")
    assert (await _did(friend, "GET", f"/v1/users/search?q={NAME}"))["items"]
    await _did(zebulon, "GET", "/v1/users/me/suggestions")
    for state in ("online", "offline", "away"):
        await _did(zebulon, "POST", "/v1/presence", {"state": state})


async def _keys(zebulon: Person, friend: Person) -> None:
    phone, laptop = Device("phone"), Device("laptop")
    await _did(zebulon, "POST", "/v1/keys/upload", phone.body(range(1, 6)))
    await _did(zebulon, "POST", "/v1/keys/upload", laptop.body(range(1, 3)))
    rotated = {"device_id": phone.id, "signed_pre_key": phone.signed_body(2)}
    await _did(zebulon, "POST", "/v1/keys/rotate", rotated)
    await _did(friend, "GET", f"/v1/keys/{zebulon.id}")
    await _did(zebulon, "DELETE", f"/v1/keys/devices/{laptop.id}")


async def _administration(zebulon: Person, admin: Person, friend: Person) -> None:
    await _did(admin, "PATCH", f"/v1/admin/users/{zebulon.id}", {"state": "disabled"})
    await _did(admin, "PATCH", f"/v1/admin/users/{zebulon.id}", {"state": "active", "plan": "pro"})
    await _did(admin, "POST", f"/v1/admin/users/{zebulon.id}/reset-second-factor")
    await _did(admin, "PATCH", f"/v1/admin/users/{zebulon.id}", {"roles": ["admin"]})
    await _did(admin, "POST", f"/v1/admin/users/{zebulon.id}/logout")
    await zebulon.sign_in()
    await _did(zebulon, "PUT", f"/v1/admin/users/{friend.id}/plan", {"plan": "pro"})
    key = {"name": "reports", "scopes": ["rooms:read"]}
    made = await _did(zebulon, "POST", "/v1/admin/api-keys", key)
    await _did(zebulon, "DELETE", f"/v1/admin/api-keys/{made['id']}")
    await _did(zebulon, "POST", "/v1/admin/api-keys", key)


async def _conversations(zebulon: Person, friend: Person, suitor: Person) -> None:
    with_friend = {"type": "direct", "participant_ids": [str(friend.id)]}
    direct = (await _did(zebulon, "POST", "/v1/conversations", with_friend))["id"]
    await _did(zebulon, "POST", f"/v1/conversations/{direct}/mode/proposals", {"mode": "intelligent"})
    both = [str(friend.id), str(suitor.id)]
    own = (await _did(zebulon, "POST", "/v1/conversations", _group(both, title="Ours")))["id"]
    await _did(zebulon, "PATCH", f"/v1/conversations/{own}", {"description": "What we do"})
    await _did(zebulon, "PATCH", f"/v1/conversations/{own}/settings", {"retention": 30})
    await _did(zebulon, "PATCH", f"/v1/conversations/{own}/participants/{friend.id}", {"role": "admin"})
    for _ in range(2):
        assert (await _with_avatar(zebulon, png(12, 12), f"/v1/conversations/{own}/avatar")).status == 200
    await _did(zebulon, "DELETE", f"/v1/conversations/{own}/avatar")
    assert (await _with_avatar(zebulon, png(12, 12), f"/v1/conversations/{own}/avatar")).status == 200
    invite = await _did(zebulon, "POST", f"/v1/conversations/{own}/invites", {})
    await _did(zebulon, "POST", f"/v1/conversations/{own}/invites", {"max_uses": 3})
    await _did(zebulon, "DELETE", f"/v1/conversations/{own}/invites/{invite['id']}")
    asked = await _did(zebulon, "POST", f"/v1/conversations/{own}/mode/proposals", {"mode": "intelligent"})
    for somebody in (friend, suitor):
        place = f"/v1/conversations/{own}/mode/proposals/{asked['id']}/consent"
        await _did(somebody, "POST", place, {"answer": "consent"})
    await _did(zebulon, "DELETE", f"/v1/conversations/{own}/participants/{suitor.id}")
    await _did(zebulon, "POST", f"/v1/conversations/{own}/participants", {"user_id": str(suitor.id)})
    await _did(zebulon, "PUT", f"/v1/conversations/{own}/bans/{suitor.id}")
    await _did(zebulon, "DELETE", f"/v1/conversations/{own}/bans/{suitor.id}")
    barred = (await _did(suitor, "POST", "/v1/conversations", _group([str(zebulon.id)], title="Not theirs")))["id"]
    await _did(suitor, "DELETE", f"/v1/conversations/{barred}/participants/{zebulon.id}?ban=true")
    theirs = (await _did(friend, "POST", "/v1/conversations", _group([str(zebulon.id)], title="Theirs")))["id"]
    asked = await _did(friend, "POST", f"/v1/conversations/{theirs}/mode/proposals", {"mode": "intelligent"})
    place = f"/v1/conversations/{theirs}/mode/proposals/{asked['id']}/consent"
    await _did(zebulon, "POST", place, {"answer": "consent"})
    await _did(friend, "POST", f"/v1/conversations/{theirs}/owner", {"user_id": str(zebulon.id)})
    alone = (await _did(zebulon, "POST", "/v1/conversations", _group([], title="Mine alone")))["id"]
    gone = (await _did(zebulon, "POST", "/v1/conversations", _group([], title="Gone")))["id"]
    await _did(zebulon, "DELETE", f"/v1/conversations/{gone}")
    public = (await _did(friend, "POST", "/v1/conversations", _group([], title="Open", is_public=True)))["id"]
    await _did(zebulon, "POST", f"/v1/conversations/{public}/join")
    await _did(zebulon, "POST", f"/v1/conversations/{public}/leave")
    link = await _did(friend, "POST", f"/v1/conversations/{public}/invites", {})
    await _did(zebulon, "POST", "/v1/conversations/join/preview", {"token": link["token"]})
    await _did(zebulon, "POST", "/v1/conversations/join", {"token": link["token"]})
    assert alone


def _group(people: list[str], **more: object) -> dict[str, object]:
    return {"type": "group", "participant_ids": people, **more}


async def _rooms(zebulon: Person) -> None:
    room = (await _did(zebulon, "POST", "/v1/rooms", {"name": "Consulting hours", "metadata": zebulon.email}))["id"]
    gone = (await _did(zebulon, "POST", "/v1/rooms", {"name": "Gone"}))["id"]
    await _did(zebulon, "DELETE", f"/v1/rooms/{gone}")
    await _did(zebulon, "GET", "/v1/rooms")
    await _did(zebulon, "GET", f"/v1/rooms/{room}")
    invited = {"identity": str(zebulon.id), "name": zebulon.username, "grants": {"join": True}}
    await _did(zebulon, "POST", f"/v1/rooms/{room}/tokens", invited)


async def _sign_ins(here: World, zebulon: Person) -> Authenticator:
    """Everything that has to do with proving who one is; in the end with a second factor and another address."""
    for _ in range(2):
        await here.stranger.post("/v1/auth/login", {"email": zebulon.email, "password": "a wrong one"})
    await zebulon.sign_in()
    await _did(zebulon, "POST", "/v1/auth/ws-ticket")
    renewed = await _did(here.stranger, "POST", "/v1/auth/refresh", {"refresh_token": zebulon.tokens["refresh_token"]})
    zebulon.token = renewed["access_token"]
    sessions = (await _did(zebulon, "GET", "/v1/auth/sessions"))["items"]
    other = next(item["id"] for item in sessions if not item["current"])
    await _did(zebulon, "DELETE", f"/v1/auth/sessions/{other}")
    await _did(zebulon, "DELETE", "/v1/auth/sessions")
    new = "another-horse-of-the-same"
    await _did(zebulon, "POST", "/v1/users/me/password", {"current_password": zebulon.password, "new_password": new})
    await _did(here.stranger, "POST", "/v1/auth/forgot-password", {"email": zebulon.email})
    secret = await here.mailed(zebulon.email, "/reset-password")
    zebulon.password = "a-third-horse-then"
    await _did(here.stranger, "POST", "/v1/auth/reset-password", {"token": secret, "password": zebulon.password})
    await zebulon.sign_in()
    await _did(zebulon, "POST", "/v1/auth/logout")
    await zebulon.sign_in()
    # Mails to an address that is a former one by now, to one that was never confirmed, and to one that still may be.
    await _addressed(zebulon, f"{NAME}@elsewhere.example.org")
    zebulon.email = f"{NAME}@elsewhere.example.org"
    secret = await here.mailed(zebulon.email, "/change-email")
    await _did(here.stranger, "POST", "/v1/users/me/email/verify", {"token": secret})
    for address in ("unconfirmed", "waiting"):
        await _addressed(zebulon, f"{address}@example.org")
        await here.mailed(f"{address}@example.org", "/change-email")
    await _did(here.stranger, "POST", "/v1/auth/forgot-password", {"email": zebulon.email})
    authenticator, codes = await turned_on(zebulon)
    again = {"password": zebulon.password, "recovery_code": codes[0]}
    await _did(zebulon, "POST", "/v1/auth/2fa/recovery-codes", again)
    disabling = {"password": zebulon.password, "totp": authenticator.code()}
    await _did(zebulon, "POST", "/v1/auth/2fa/disable", disabling)
    authenticator, _ = await turned_on(zebulon)
    return authenticator


async def _addressed(zebulon: Person, email: str) -> None:
    await _did(zebulon, "POST", "/v1/users/me/email", {"email": email, "password": zebulon.password})


async def _export(zebulon: Person) -> None:
    await _did(zebulon, "POST", "/v1/users/me/export")
    async with asyncio.timeout(20):
        while (await _did(zebulon, "GET", "/v1/users/me/export"))["state"] == "running":
            await asyncio.sleep(0.05)
