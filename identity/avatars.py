"""Avatars: an object each, under a key of ours that is never used again, so that a picture's address is its version."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID

import msgspec

from identity.accounts import Account, AccountStore, State
from identity.imagemetadata import without_metadata
from identity.images import TYPES, picture_of
from kernel.clock import Clock
from kernel.errors import NotFound, TooLarge, Unprocessable, UnsupportedMediaType
from kernel.ids import IdGenerator
from kernel.jobs import Job, JobQueue, NewJob
from kernel.objects import Objects
from kernel.units import Transaction, UnitsOfWork

MAX_BYTES = 1 << 20

DROP_JOB = "avatar.drop"
# An upload whose account was never told of it is dropped after this; the slowest request is long over by then.
ABANDONED_SECONDS = 3600.0


class Drop(msgspec.Struct, frozen=True):
    account: UUID
    key: str


def prefix_of(account: UUID) -> str:
    """Begins the keys of all that somebody ever had."""
    return f"avatars/{account.hex}/"


class Avatars:
    def __init__(
        self,
        *,
        units: UnitsOfWork,
        accounts: AccountStore,
        objects: Objects,
        jobs: JobQueue,
        ids: IdGenerator,
        clock: Clock,
    ) -> None:
        self._units = units
        self._accounts = accounts
        self._objects = objects
        self._jobs = jobs
        self._ids = ids
        self._clock = clock

    async def put(self, account: UUID, data: bytes, content_type: str) -> Account:
        """Raises UnsupportedMediaType, TooLarge ``avatar_too_large``, Unprocessable ``invalid_image``, NotFound."""
        shown = checked_picture(data, content_type)
        key = prefix_of(account) + self._ids.next().hex
        # Queued before there is anything to drop: should this node die in between, nothing is left for ever.
        await self._jobs.enqueue([self._dropping(account, key, after=ABANDONED_SECONDS)])
        await self._objects.put(key, _whole(shown), size=len(shown), content_type=content_type)
        try:
            return await self._show(account, key)
        except NotFound:  # erased meanwhile, and its jobs with it
            await self._objects.delete(key)
            raise

    async def remove(self, account: UUID) -> Account:
        """Fine when there is none."""
        return await self._show(account, None)

    async def drop_unused(self, job: Job) -> None:
        """The job: an object that is not what its account shows goes."""
        drop = msgspec.json.decode(job.payload, type=Drop)
        account = await self._units.read(lambda unit: self._accounts.get(unit, drop.account))
        if account is None or account.avatar != drop.key:
            await self._objects.delete(drop.key)

    async def _show(self, account: UUID, key: str | None) -> Account:
        async def work(unit: Transaction) -> Account:
            found = await self._accounts.get(unit, account)
            if found is None or found.state is State.ERASING:
                raise NotFound("There is no such person.")
            if found.avatar is not None and found.avatar != key:
                await self._jobs.enqueue([self._dropping(account, found.avatar)], within=unit)
            shown = replace(found, avatar=key)
            await self._accounts.put(unit, shown)
            return shown

        return await self._units.write(work)

    def _dropping(self, account: UUID, key: str, *, after: float | None = None) -> NewJob:
        run_at = None if after is None else self._clock.now() + after
        return NewJob(DROP_JOB, msgspec.json.encode(Drop(account, key)), run_at=run_at)


def checked_picture(data: bytes, content_type: str) -> bytes:
    """As others may have it: without metadata.

    Raises UnsupportedMediaType, TooLarge ``avatar_too_large``, Unprocessable ``invalid_image``.
    """
    if content_type not in TYPES:
        raise UnsupportedMediaType("An avatar is image/png, image/jpeg or image/webp.")
    require_size(len(data))
    picture = picture_of(data)
    is_one = picture is not None and picture.content_type == content_type
    shown = without_metadata(content_type, data) if is_one else None
    if shown is None:
        raise Unprocessable(
            "This is not such a picture, or one of its sides has more than 4096 pixels.", code="invalid_image"
        )
    return shown


def require_size(size: int) -> None:
    """Raises TooLarge ``avatar_too_large``."""
    if size > MAX_BYTES:
        raise TooLarge(f"An avatar has at most {MAX_BYTES} bytes.", code="avatar_too_large")


async def _whole(data: bytes) -> AsyncIterator[bytes]:
    yield data
