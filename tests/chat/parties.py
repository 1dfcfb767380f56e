"""What tests of conversations do again and again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, ParamSpec
from uuid import UUID

from identity.announcements import channel_of
from kernel.bus import BusEvent
from tests.worlds import Answer, Person, World

Asked = ParamSpec("Asked")

INTELLIGENT = {"mode": "intelligent"}


async def group(owner: Person, *others: Person, **more: object) -> dict[str, Any]:
    """A group of these people."""
    body = {"type": "group", "participant_ids": [str(other.id) for other in others], **more}
    made = await owner.post("/v1/conversations", body)
    assert made.status == 201, made.body
    return dict(made.body)


async def direct(one: Person, other: Person) -> dict[str, Any]:
    made = await one.post("/v1/conversations", {"type": "direct", "participant_ids": [str(other.id)]})
    assert made.status in (200, 201), made.body
    return dict(made.body)


def at(conversation: dict[str, Any], place: str = "") -> str:
    return f"/v1/conversations/{conversation['id']}{place}"


async def roles(viewer: Person, conversation: dict[str, Any]) -> dict[UUID, str]:
    """Who is in it; as many as its count says there are."""
    listed = await viewer.get(at(conversation, "/participants?limit=100"))
    assert listed.status == 200, listed.body
    found = {UUID(item["user_id"]): item["role"] for item in listed.body["items"]}
    assert (await viewer.get(at(conversation))).body["member_count"] == len(found)
    return found


async def persistent(
    ask: Callable[Asked, Coroutine[Any, Any, Answer]], *args: Asked.args, **kwargs: Asked.kwargs
) -> Answer:
    """Trying again when too many others were faster, as any client does."""
    while True:
        answer = await ask(*args, **kwargs)
        if answer.status != 409 or answer.code != "write_contention":
            return answer


async def propose(person: Person, made: dict[str, Any]) -> str:
    asked = await person.post(at(made, "/mode/proposals"), INTELLIGENT)
    assert asked.status == 201, asked.body
    return str(asked.body["id"])


async def answer(person: Person, made: dict[str, Any], proposal: str, said: str = "consent") -> Answer:
    return await person.post(at(made, f"/mode/proposals/{proposal}/consent"), {"answer": said})


async def state(person: Person, made: dict[str, Any], proposal: str) -> str:
    return str((await person.get(at(made, f"/mode/proposals/{proposal}"))).body["state"])


async def mode(person: Person, made: dict[str, Any]) -> tuple[str, int]:
    found = (await person.get(at(made))).body
    assert found["settings"]["is_e2ee_enabled"] is (found["mode"] == "secure")
    return found["mode"], found["mode_version"]


class Heard:
    """What the devices of somebody were told about conversations."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    @property
    def changes(self) -> list[str]:
        return [item["change"] for item in self.told]

    async def until(self, change: str) -> dict[str, Any]:
        async with asyncio.timeout(5):
            while change not in self.changes:
                await asyncio.sleep(0.01)
        return self.told[self.changes.index(change)]


@asynccontextmanager
async def listening(here: World, person: Person) -> AsyncIterator[Heard]:
    heard = Heard()
    async with here.platform.bus.subscribe([channel_of(person.id)]) as events:

        async def listen() -> None:
            async for event in events:
                assert isinstance(event, BusEvent)
                told = json.loads(event.payload)
                if told["type"] == "conversation":
                    heard.told.append(told["data"])

        task = asyncio.create_task(listen())
        try:
            yield heard
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
