"""Pictures of groups."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from chat.pictures import DROP_PICTURE_JOB, DropPicture
from kernel.jobs import NewJob
from tests.chat.parties import at, direct, group
from tests.identity.pictures import jpeg, png
from tests.worlds import Answer, Person, World, world


async def show(person: Person, made: dict[str, Any], data: bytes, content_type: str = "image/png") -> Answer:
    headers = {"Authorization": f"Bearer {person.token}", "Content-Type": content_type}
    async with person.session.put(at(made, "/avatar"), data=data, headers=headers) as answer:
        return Answer(answer.status, dict(answer.headers), await answer.json(content_type=None))


async def kept(here: World, made: dict[str, Any]) -> set[str]:
    folder = f"conversations/{UUID(made['id']).hex}/"
    return set(await here.platform.objects.objects.keys(folder))


async def gone(here: World, made: dict[str, Any], *, left: int) -> None:
    """Once jobs have dropped what nobody sees any more."""
    async with asyncio.timeout(10):
        while len(await kept(here, made)) != left:
            await asyncio.sleep(0.05)


async def test_a_group_shows_the_picture_that_its_admins_chose(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, eve = await here.people("ada", "bob", "eve")
        made = await group(ada, bob)
        assert (await show(bob, made, png())).code == "not_permitted"
        assert (await show(eve, made, png())).status == 404
        first = (await show(ada, made, png(3, 3))).body["avatar_url"]
        seen = await bob.get(first)
        assert (seen.status, seen.headers["Content-Type"], seen.body) == (200, "image/png", png(3, 3))
        assert (await eve.get(first)).status == 404
        second = (await show(ada, made, jpeg(), "image/jpeg")).body["avatar_url"]
        assert second != first
        assert (await bob.get("/v1/conversations")).body["items"][0]["avatar_url"] == second
        await gone(here, made, left=1)
        await ada.patch(at(made), {"is_public": True})
        assert (await eve.get(second)).status == 200
        assert (await ada.delete(at(made, "/avatar"))).status == 204
        assert (await ada.delete(at(made, "/avatar"))).status == 204
        assert (await bob.get(at(made))).body["avatar_url"] is None
        assert (await bob.get(second)).status == 404
        await gone(here, made, left=0)


async def test_a_direct_conversation_shows_the_other_persons_picture_and_none_of_its_own(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        headers = {"Authorization": f"Bearer {bob.token}", "Content-Type": "image/png"}
        async with bob.session.put("/v1/users/me/avatar", data=png(), headers=headers) as answer:
            own = (await answer.json())["avatar_url"]
        made = await direct(ada, bob)
        [listed] = (await ada.get("/v1/conversations")).body["items"]
        for shown in (made, listed):
            assert shown["avatar_url"] is None
            assert [face["avatar_url"] for face in shown["participants"]] == [own]
        [mine, theirs] = (await ada.get(at(made, "/participants"))).body["items"]
        assert {mine["avatar_url"], theirs["avatar_url"]} == {None, own}


async def test_a_picture_goes_with_its_group(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        for ending in ("/leave", ""):
            made = await group(ada)
            assert (await show(ada, made, png())).status == 200
            ended = await ada.ask("POST" if ending else "DELETE", at(made, ending))
            assert ended.status == 204
            await gone(here, made, left=0)


async def test_of_what_is_to_be_dropped_what_is_shown_stays(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        made = await group(ada)
        url = (await show(ada, made, png())).body["avatar_url"]
        [shown] = await kept(here, made)
        abandoned = f"conversations/{UUID(made['id']).hex}/abandoned"
        await here.platform.objects.objects.put(abandoned, one(b"x"), size=1, content_type="image/png")
        drops = [DropPicture(UUID(made["id"]), key) for key in (shown, abandoned)]
        jobs = [NewJob(DROP_PICTURE_JOB, msgspec.json.encode(drop)) for drop in drops]
        await here.platform.jobs.queue.enqueue(jobs)
        await gone(here, made, left=1)
        assert await kept(here, made) == {shown}
        assert (await ada.get(url)).status == 200


async def one(chunk: bytes) -> AsyncIterator[bytes]:
    yield chunk


async def test_what_is_no_picture_is_refused_and_so_are_direct_conversations(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob = await here.people("ada", "bob")
        made = await group(ada)
        assert (await show(ada, made, b"GIF89a")).code == "invalid_image"
        assert (await show(ada, made, b"x", "text/html")).status == 415
        assert (await show(ada, await direct(ada, bob), png())).code == "direct_conversation"
        assert await kept(here, made) == set()
