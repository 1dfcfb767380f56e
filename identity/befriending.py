"""Asking for friendship, answering, and ending it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Protocol
from uuid import UUID

from msgspec import Meta

from identity.accounts import Account, AccountStore, State
from identity.announcements import Announcer
from identity.blocks import BlockStore
from identity.friends import NEWS, TRANSITIONS, Friendship, FriendStore, Standing, Step
from identity.visibility import Askers
from kernel.clock import Clock
from kernel.cursors import Page, decode_cursor, encode_cursor
from kernel.errors import Conflict, Forbidden, NotFound, Unprocessable
from kernel.units import Transaction, UnitsOfWork

MAX_FRIENDS = 1000
# Requests of somebody that wait for an answer, and requests that wait for theirs.
MAX_REQUESTS = 200
MAX_INCOMING = 500

# What a cursor may hold: a count, or microseconds since 1970, as stores keep moments.
Whole = Annotated[int, Meta(ge=0, le=2**53)]
MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Acquaintance:
    """Somebody, and where one stands with them; ``since`` is None for nobody in particular, ``blocked`` by oneself."""

    account: Account
    standing: Standing
    since: float | None = None
    blocked: bool = False

    @property
    def shows_status(self) -> bool:
        return not self.blocked and self.account.visibility.status.admits(friend=self.standing is Standing.ACCEPTED)


@dataclass(frozen=True, slots=True)
class Suggestion:
    account: Account
    mutual_friends: int


@dataclass(frozen=True, slots=True)
class Change:
    before: Standing
    after: Standing
    since: float


@dataclass(frozen=True, slots=True)
class Bound:
    most: int
    code: str
    text: str


BOUNDS: Final[Mapping[Standing, Bound]] = {
    Standing.OUTGOING: Bound(
        MAX_REQUESTS, "too_many_requests", "As many of your requests wait for answers as may; take some back first."
    ),
    Standing.INCOMING: Bound(
        MAX_INCOMING,
        "too_many_incoming_requests",
        "As many requests wait for this person as may; ask again when they have answered some.",
    ),
    Standing.ACCEPTED: Bound(
        MAX_FRIENDS, "too_many_friends", "One of you two has as many friends as one may; a friendship has to end first."
    ),
}


class FriendLists(Protocol):
    async def page(
        self, unit: Transaction, person: UUID, standing: Standing, *, before: tuple[float, UUID] | None, limit: int
    ) -> Sequence[Acquaintance]:
        """The latest first, from behind the position ``before`` (since when, who)."""
        ...

    async def count(self, unit: Transaction, person: UUID, standing: Standing) -> int: ...

    async def standings(self, unit: Transaction, person: UUID, others: Collection[UUID]) -> Mapping[UUID, Friendship]:
        """Those of ``others`` whom ``person`` has a friendship or a request with."""
        ...

    async def suggested(
        self, unit: Transaction, person: UUID, *, before: tuple[int, UUID] | None, limit: int
    ) -> Sequence[Suggestion]:
        """Friends of friends who let others find them, with whom there is neither friendship, request nor block;
        those with the most friends in common first, from behind the position ``before`` (how many, who)."""
        ...


async def take_step(
    store: FriendStore, unit: Transaction, person: UUID, other: UUID, *, step: Step, now: float
) -> Change:
    """Raises NotFound for a step that cannot be taken from where the two stand."""
    friendship = await store.get(unit, person, other)
    before = friendship.seen_by(person) if friendship is not None else Standing.NONE
    after = TRANSITIONS.get((before, step))
    if after is None:
        raise NotFound("There is no such friend or request.")
    if after is before:
        return Change(before, after, friendship.since if friendship is not None else now)
    if after is Standing.NONE:
        await store.remove(unit, person, other)
    else:
        asker, asked = (friendship.asker, friendship.asked) if friendship is not None else (person, other)
        await store.put(unit, Friendship(asker, asked, after is Standing.ACCEPTED, now))
    return Change(before, after, now)


async def announce(announcer: Announcer, person: UUID, other: UUID, change: Change) -> None:
    """To both, each with where they stand now; to nobody when nothing has changed."""
    if change.after is not change.before:
        kind = NEWS[change.after]
        await announcer.to([person], kind, {"user_id": other, "friendship": change.after.value})
        await announcer.to([other], kind, {"user_id": person, "friendship": change.after.mirrored.value})


def require_two(person: UUID, other: UUID) -> None:
    if person == other:
        raise Unprocessable("This takes somebody else.", code="not_with_oneself")


async def require_both(accounts: AccountStore, unit: Transaction, person: UUID, other: UUID) -> Account:
    """The other one. Raises NotFound when either is gone: what is being erased gets no new ties, to be found later."""
    found = await accounts.many(unit, frozenset((person, other)))
    if len(found) != 2 or any(account.state is State.ERASING for account in found.values()):
        raise NotFound("There is no such person.")
    return found[other]


class Friends:
    def __init__(
        self,
        *,
        units: UnitsOfWork,
        store: FriendStore,
        lists: FriendLists,
        blocks: BlockStore,
        accounts: AccountStore,
        announcer: Announcer,
        clock: Clock,
    ) -> None:
        self._units = units
        self._store = store
        self._lists = lists
        self._blocks = blocks
        self._accounts = accounts
        self._announcer = announcer
        self._clock = clock

    async def meet(self, person: UUID, other: UUID, step: Step) -> Acquaintance:
        """ASK or ACCEPT. Raises NotFound (also to those whom ``other`` has blocked), Forbidden
        ``friend_requests_closed``, Conflict ``person_blocked``, Unprocessable ``not_with_oneself`` or a code of
        BOUNDS."""
        require_two(person, other)
        now = self._clock.now()
        # Not in the unit: everybody who asks the same person would have to wait for everybody else. So it may be some
        # more, of those who ask at one moment.
        waiting = await self._units.read(lambda unit: self._lists.count(unit, other, Standing.INCOMING))

        async def work(unit: Transaction) -> tuple[Account, Change]:
            account = await require_both(self._accounts, unit, person, other)
            if account.state is not State.ACTIVE or await self._blocks.by(unit, other, person):
                raise NotFound("There is no such person.")
            if await self._blocks.by(unit, person, other):
                raise Conflict("You have blocked this person; unblock them first.", code="person_blocked")
            change = await take_step(self._store, unit, person, other, step=step, now=now)
            if change.before is not change.after:
                await self._require_room(unit, person, change.after)
                if change.after is Standing.ACCEPTED:
                    await self._require_room(unit, other, change.after)
                else:
                    await self._require_askable(unit, person, account)
                    _require_below(waiting + 1, Standing.INCOMING)
            return account, change

        account, change = await self._units.write(work)
        await announce(self._announcer, person, other, change)
        return Acquaintance(account, change.after, change.since)

    async def part(self, person: UUID, other: UUID, step: Step) -> None:
        """REJECT or REMOVE. Raises NotFound."""
        now = self._clock.now()
        change = await self._units.write(lambda unit: take_step(self._store, unit, person, other, step=step, now=now))
        await announce(self._announcer, person, other, change)

    async def page(self, person: UUID, standing: Standing, *, cursor: str | None, limit: int) -> Page[Acquaintance]:
        listing = f"friends:{standing.value}"
        before = decode_moment(listing, cursor)
        found = await self._units.read(
            lambda unit: self._lists.page(unit, person, standing, before=before, limit=limit + 1)
        )
        items = list(found[:limit])
        if len(found) <= limit:
            return Page(items, None)
        return Page(items, encode_moment(listing, items[-1].since or 0.0, items[-1].account.id))

    async def suggestions(self, person: UUID, *, cursor: str | None, limit: int) -> Page[Suggestion]:
        listing = "suggestions"
        before = None if cursor is None else decode_cursor(listing, cursor, tuple[Whole, UUID])
        found = await self._units.read(lambda unit: self._lists.suggested(unit, person, before=before, limit=limit + 1))
        items = list(found[:limit])
        if len(found) <= limit:
            return Page(items, None)
        return Page(items, encode_cursor(listing, (items[-1].mutual_friends, items[-1].account.id)))

    async def look_at(self, viewer: UUID, other: UUID) -> Acquaintance:
        """Somebody as ``viewer`` may see them. Raises NotFound, also to those whom they have blocked."""

        async def work(unit: Transaction) -> Acquaintance:
            account = await self._accounts.get(unit, other)
            if account is None or account.state is State.ERASING or await self._blocks.by(unit, other, viewer):
                raise NotFound("There is no such person.")
            friendship = await self._store.get(unit, viewer, other)
            if friendship is None:
                return Acquaintance(account, Standing.NONE, blocked=await self._blocks.by(unit, viewer, other))
            return Acquaintance(account, friendship.seen_by(viewer), friendship.since)

        return await self._units.read(work)

    async def _require_askable(self, unit: Transaction, person: UUID, account: Account) -> None:
        askers = account.visibility.friend_requests
        if askers is Askers.EVERYONE:
            return
        if askers is Askers.FRIENDS_OF_FRIENDS:
            theirs = await self._store.friends_of(unit, account.id)
            if theirs & await self._store.friends_of(unit, person):
                return
        # The same for both: whether the two have a friend in common is not to be found out here.
        raise Forbidden("This person takes no requests from you; they can send you one.", code="friend_requests_closed")

    async def _require_room(self, unit: Transaction, person: UUID, standing: Standing) -> None:
        _require_below(await self._lists.count(unit, person, standing), standing)


def _require_below(count: int, standing: Standing) -> None:
    bound = BOUNDS[standing]
    if count > bound.most:
        raise Unprocessable(bound.text, code=bound.code)


def encode_moment(listing: str, since: float, person: UUID) -> str:
    return encode_cursor(listing, (round(since * MICROSECONDS), person))


def decode_moment(listing: str, cursor: str | None) -> tuple[float, UUID] | None:
    """Raises Malformed ``bad_cursor``."""
    if cursor is None:
        return None
    moment, person = decode_cursor(listing, cursor, tuple[Whole, UUID])
    return moment / MICROSECONDS, person
