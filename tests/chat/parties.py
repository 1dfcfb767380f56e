"""What tests of conversations do again and again."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tests.worlds import Person


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
