"""Join links. Whoever has one may come in, as often as it says and until it expires."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from uuid import UUID

from chat.doors import Doors
from chat.members import Members
from chat.membership import Action
from chat.mode import Mode
from chat.news import News, Newsroom
from chat.ports import ConversationLists, ConversationStore, InviteStore, MemberLists
from chat.records import Conversation, Invite, Listed
from chat.seats import no_conversation, seat_for
from kernel.clock import Clock
from kernel.cursors import Page, decode_cursor, encode_cursor
from kernel.errors import Forbidden, NotFound, Unprocessable
from kernel.ids import IdGenerator
from kernel.units import Transaction, UnitsOfWork

INVITES = "invites"
SECRET_BYTES = 24
DAY = 86400
USUAL_LIFETIME = 7 * DAY
LONGEST_LIFETIME = 90 * DAY
MOST_USES = 10_000
MOST_INVITES = 100


class Invites:
    def __init__(
        self,
        *,
        units: UnitsOfWork,
        newsroom: Newsroom,
        store: ConversationStore,
        lists: ConversationLists,
        member_lists: MemberLists,
        invites: InviteStore,
        members: Members,
        doors: Doors,
        ids: IdGenerator,
        clock: Clock,
    ) -> None:
        self._units = units
        self._newsroom = newsroom
        self._store = store
        self._lists = lists
        self._member_lists = member_lists
        self._invites = invites
        self._members = members
        self._doors = doors
        self._ids = ids
        self._clock = clock

    async def make(
        self, conversation: UUID, person: UUID, *, lifetime: float, max_uses: int | None
    ) -> tuple[Invite, str]:
        """The invite and its secret, which nobody can read again. Raises NotFound, Forbidden (``invites_off`` too),
        Unprocessable ``direct_conversation`` or ``too_many_invites``."""
        secret, now = secrets.token_urlsafe(SECRET_BYTES), self._clock.now()
        invite = Invite(
            id=self._ids.next(),
            conversation=conversation,
            digest=digest_of(secret),
            created_by=person,
            created_at=now,
            expires_at=now + lifetime,
            max_uses=max_uses,
        )

        async def work(unit: Transaction) -> None:
            seat = await seat_for(self._store, unit, conversation, person, Action.INVITE)
            if not seat.conversation.allow_invites:
                raise Forbidden("Invites are switched off in this conversation.", code="invites_off")
            await self._invites.add(unit, invite, most=MOST_INVITES)

        await self._units.write(work)
        return invite, secret

    async def page(self, conversation: UUID, person: UUID, *, cursor: str | None, limit: int) -> Page[Invite]:
        """The latest first; those that expired stay until the next one is made. Raises NotFound, Forbidden, Malformed
        ``bad_cursor``."""
        before = None if cursor is None else decode_cursor(INVITES, cursor, UUID)

        async def look(unit: Transaction) -> Sequence[Invite]:
            await seat_for(self._store, unit, conversation, person, Action.INVITE)
            return await self._invites.page(unit, conversation, before=before, most=limit + 1)

        found = await self._units.read(look)
        shown = list(found[:limit])
        return Page(shown, encode_cursor(INVITES, shown[-1].id) if len(found) > limit else None)

    async def revoke(self, conversation: UUID, person: UUID, invite: UUID) -> None:
        """Raises NotFound, Forbidden."""

        async def work(unit: Transaction) -> None:
            await seat_for(self._store, unit, conversation, person, Action.INVITE)
            if not await self._invites.remove(unit, conversation, invite):
                raise NotFound("There is no such invite.")

        await self._units.write(work)

    async def preview(self, person: UUID, secret: str) -> Listed:
        """What an invite leads to, and in which mode, before one goes in. Raises Unprocessable ``invalid_invite``, and
        as ``Doors.require_open``."""

        async def look(unit: Transaction) -> Listed:
            invite, found = await self._opened(unit, secret)
            seated = await self._lists.one(unit, found.id, person)
            if seated is None:
                if not invite.is_good(self._clock.now()):
                    raise _invalid()
                await self._doors.require_open(unit, found.id, person)
            return seated or Listed(found, None)

        return await self._units.read(look)

    async def join(self, person: UUID, secret: str, *, seen: Mode | None, conversation: UUID | None = None) -> Listed:
        """Use an invite, if need be only one to ``conversation``; whoever is there already uses nothing up. Raises
        Unprocessable ``invalid_invite``, and as ``Members.enter_alone``."""

        async def work(unit: Transaction, news: News) -> Listed | None:
            invite, found = await self._opened(unit, secret)
            if conversation not in (None, found.id):
                raise _invalid()
            if await self._member_lists.get(unit, found.id, person) is None:
                if not await self._invites.use(unit, invite.id, self._clock.now()):
                    raise _invalid()
                await self._members.enter_alone(unit, news, found, person, seen=seen)
            return await self._lists.one(unit, found.id, person)

        joined = await self._newsroom.write(work)
        if joined is None:
            raise no_conversation()
        return joined

    async def _opened(self, unit: Transaction, secret: str) -> tuple[Invite, Conversation]:
        invite = await self._invites.find(unit, digest_of(secret))
        found = None if invite is None else await self._store.get(unit, invite.conversation)
        if invite is None or found is None or not found.allow_invites:
            raise _invalid()
        return invite, found


def digest_of(secret: str) -> bytes:
    """Not a password: 192 random bits need no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def _invalid() -> Unprocessable:
    return Unprocessable("This invite is not valid any more; ask for a new one.", code="invalid_invite")
