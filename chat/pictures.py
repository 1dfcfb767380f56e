"""The picture of a group: an object under a key that is never used again, so that its address is its version."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID

import msgspec

from chat.membership import Action
from chat.news import News, Newsroom
from chat.ports import ConversationLists, ConversationStore, MemberLists
from chat.records import Listed
from chat.seats import no_conversation, seat_for
from identity.avatars import ABANDONED_SECONDS, checked_picture
from kernel.clock import Clock
from kernel.errors import NotFound
from kernel.ids import IdGenerator
from kernel.jobs import Job, JobQueue, NewJob
from kernel.objects import Objects
from kernel.units import Transaction, UnitsOfWork

DROP_PICTURE_JOB = "conversation_picture.drop"


class DropPicture(msgspec.Struct, frozen=True):
    conversation: UUID
    key: str


class Ending:
    """A conversation is removed, and so is what is kept of it elsewhere."""

    def __init__(self, store: ConversationStore, jobs: JobQueue) -> None:
        self._store = store
        self._jobs = jobs

    async def end(self, unit: Transaction, conversation: UUID) -> None:
        found = await self._store.get(unit, conversation)
        await self._store.remove(unit, conversation)
        if found is not None and found.avatar is not None:
            await self._jobs.enqueue([_dropping(conversation, found.avatar)], within=unit)


class Pictures:
    def __init__(
        self,
        *,
        units: UnitsOfWork,
        newsroom: Newsroom,
        store: ConversationStore,
        lists: ConversationLists,
        member_lists: MemberLists,
        objects: Objects,
        jobs: JobQueue,
        ids: IdGenerator,
        clock: Clock,
    ) -> None:
        self._units = units
        self._newsroom = newsroom
        self._store = store
        self._lists = lists
        self._member_lists = member_lists
        self._objects = objects
        self._jobs = jobs
        self._ids = ids
        self._clock = clock

    async def put(self, conversation: UUID, person: UUID, data: bytes, content_type: str) -> Listed:
        """Raises as ``identity.avatars.checked_picture``, and NotFound, Forbidden, Unprocessable
        ``direct_conversation``."""
        await self._units.read(lambda unit: seat_for(self._store, unit, conversation, person, Action.EDIT))
        shown = checked_picture(data, content_type)
        key = f"conversations/{conversation.hex}/{self._ids.next().hex}"
        # Queued before there is anything to drop: should this node die in between, nothing is left for ever.
        unseen = _dropping(conversation, key, run_at=self._clock.now() + ABANDONED_SECONDS)
        await self._jobs.enqueue([unseen])
        await self._objects.put(key, _whole(shown), size=len(shown), content_type=content_type)
        return await self._show(conversation, person, key)

    async def remove(self, conversation: UUID, person: UUID) -> None:
        """Fine when there is none."""
        await self._show(conversation, person, None)

    async def key_of(self, conversation: UUID, person: UUID) -> str:
        """For members, and for everybody where the group is public. Raises NotFound."""

        async def look(unit: Transaction) -> str | None:
            seat = await self._store.seat(unit, conversation, person)
            found = await self._store.get(unit, conversation) if seat is None else seat.conversation
            return found.avatar if found is not None and (seat is not None or found.is_public) else None

        key = await self._units.read(look)
        if key is None:
            raise NotFound("There is no picture.")
        return key

    async def drop_unused(self, job: Job) -> None:
        """The job: an object that is not what its group shows goes."""
        drop = msgspec.json.decode(job.payload, type=DropPicture)
        found = await self._units.read(lambda unit: self._store.get(unit, drop.conversation))
        if found is None or found.avatar != drop.key:
            await self._objects.delete(drop.key)

    async def _show(self, conversation: UUID, person: UUID, key: str | None) -> Listed:
        async def work(unit: Transaction, news: News) -> Listed | None:
            found = (await seat_for(self._store, unit, conversation, person, Action.EDIT)).conversation
            if found.avatar is not None and found.avatar != key:
                await self._jobs.enqueue([_dropping(conversation, found.avatar)], within=unit)
            await self._store.put(unit, replace(found, avatar=key))
            members = await self._member_lists.all(unit, conversation)
            news.add([member.person for member in members], conversation, "updated", by=person)
            return await self._lists.one(unit, conversation, person)

        shown = await self._newsroom.write(work)
        if shown is None:
            raise no_conversation()
        return shown


def _dropping(conversation: UUID, key: str, *, run_at: float | None = None) -> NewJob:
    return NewJob(DROP_PICTURE_JOB, msgspec.json.encode(DropPicture(conversation, key)), run_at=run_at)


async def _whole(data: bytes) -> AsyncIterator[bytes]:
    yield data
