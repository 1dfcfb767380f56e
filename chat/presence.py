"""Who is there. A device says so for five minutes at a time; of several devices the one that says most counts.

What devices say is a set of each person in the short-lived state, one mark ``session:status`` a device, which ends by
itself. Whoever may see it is asked of the relational store; nothing durable depends on presence, so where it cannot be
read everybody is offline, which is counted.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol
from uuid import UUID

from chat.ports import Announcements
from identity.accounts import Account, AccountStore, State
from identity.befriending import FriendLists
from identity.blocks import BlockStore
from identity.friends import FriendStore
from identity.visibility import Audience
from kernel.clock import Clock
from kernel.ephemeral import TimedSets
from kernel.errors import SecureConnectError
from kernel.metrics import Metrics
from kernel.units import Transaction, UnitsOfWork

LEASE_SECONDS: Final = 300.0
# How often it is written down, at most, that somebody was seen who goes on being there.
NOTED_SECONDS: Final = 600.0
EVENT: Final = "presence"

# In the set beside the marks of devices: it was written down lately.
_NOTED: Final = "noted"

_log = logging.getLogger(__name__)


class Status(Enum):
    OFFLINE = "offline"
    AWAY = "away"
    ONLINE = "online"
    BUSY = "busy"


# Whoever does not want to be disturbed on one device does not want to be on any.
_SAYS_MOST: Final = (Status.BUSY, Status.ONLINE, Status.AWAY)


def mark_of(session: UUID, status: Status) -> str:
    return f"{session.hex}:{status.value}"


def combined(marks: Collection[str]) -> Status:
    said = {mark.partition(":")[2] for mark in marks}
    return next((status for status in _SAYS_MOST if status.value in said), Status.OFFLINE)


def of_sessions(marks: Collection[str], sessions: Collection[UUID]) -> frozenset[str]:
    own = {session.hex for session in sessions}
    return frozenset(mark for mark in marks if mark.partition(":")[0] in own)


@dataclass(frozen=True, slots=True)
class Presence:
    """Somebody as one person may see them; ``last_seen`` is None while they are seen to be there."""

    person: UUID
    status: Status = Status.OFFLINE
    last_seen: float | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """What somebody lets one person see of them."""

    status: bool
    last_seen: bool


class SeenStore(Protocol):
    async def note(self, unit: Transaction, person: UUID, at: float) -> None:
        """Unless they were seen later."""
        ...

    async def of(self, unit: Transaction, people: Collection[UUID]) -> Mapping[UUID, float]: ...


class SignedIn(Protocol):
    async def require_alive(self, session: UUID) -> None:
        """Raises Unauthenticated ``session_ended``."""
        ...


class Presences:
    def __init__(
        self,
        *,
        leases: TimedSets,
        seen: SeenStore,
        signed_in: SignedIn,
        units: UnitsOfWork,
        accounts: AccountStore,
        friends: FriendStore,
        lists: FriendLists,
        blocks: BlockStore,
        announcements: Announcements,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._leases = leases
        self._seen = seen
        self._signed_in = signed_in
        self._units = units
        self._accounts = accounts
        self._friends = friends
        self._lists = lists
        self._blocks = blocks
        self._announcements = announcements
        self._clock = clock
        failed = metrics.counter("presence_failed_total", "What was not known, ended or told of presence", ("what",))
        self._failed = {what: failed.labels(what) for what in ("read", "end", "tell")}

    async def say(self, person: UUID, session: UUID, status: Status) -> Status:
        """What this device says from now on; answers what all devices of the person say together. Raises
        Unauthenticated ``session_ended``, DependencyUnavailable, Overloaded."""
        if status is Status.OFFLINE:
            return await self._leave(person, [session])
        key, mark = key_of(person), mark_of(session, status)
        before = await self._leases.members(key)
        fresh = await self._leases.add(key, mark, ttl=LEASE_SECONDS)
        if fresh:
            await self._require_signed_in(session, key, mark)
        own = of_sessions(before, [session])
        for stale in own - {mark}:
            await self._leases.remove(key, stale)
        if fresh or own != {mark}:
            after = await self._leases.members(key)
            # Two devices that come at once may both have found nobody, and either may have seen the other go.
            alone = after - {mark} if fresh and not own else before
            await self._tell(person, [combined(before), combined(alone)], combined(after))
        else:
            after = before
        if _NOTED not in before and await self._leases.add(key, _NOTED, ttl=NOTED_SECONDS):
            await self._quietly(self._note(person), "tell")
        return combined(after)

    async def signed_out(self, person: UUID, sessions: Sequence[UUID]) -> None:
        """identity.sessions.Farewell: those sessions have ended. Never fails: what is left lapses."""
        await self._quietly(self._leave(person, sessions), "end")

    async def statuses(self, people: Collection[UUID]) -> Mapping[UUID, Status]:
        """Of people whose status whoever asks may see, in one trip; none for nobody."""
        keys = {person: key_of(person) for person in people}
        if not keys:
            return {}
        try:
            found = await self._leases.members_of_many(list(keys.values()))
        except SecureConnectError:
            self._failed["read"].inc()
            return dict.fromkeys(keys, Status.OFFLINE)
        return {person: combined(found[key]) for person, key in keys.items()}

    async def of(self, viewer: UUID, people: Sequence[UUID]) -> Sequence[Presence]:
        """In the order of ``people``. Somebody of whom the viewer may see nothing is like somebody who is not there."""

        async def work(unit: Transaction) -> tuple[Mapping[UUID, Sight], Mapping[UUID, float]]:
            sights = await self._sights(unit, viewer, people)
            return sights, await self._seen.of(unit, [one for one, sight in sights.items() if sight.last_seen])

        sights, seen = await self._units.read(work)
        statuses = await self.statuses([person for person, sight in sights.items() if sight.status])
        found = []
        for person in people:
            status = statuses.get(person, Status.OFFLINE)
            found.append(Presence(person, status, seen.get(person) if status is Status.OFFLINE else None))
        return found

    async def shown_anew(self, account: Account) -> None:
        """Somebody lets friends see their status, or no longer does. Never fails."""
        status = (await self.statuses([account.id]))[account.id]
        if status is not Status.OFFLINE:
            shown = Status.OFFLINE if _is_hidden(account) else status
            await self._quietly(self._announce_to_friends(account.id, shown), "tell")

    async def _sights(self, unit: Transaction, viewer: UUID, people: Sequence[UUID]) -> Mapping[UUID, Sight]:
        accounts = await self._accounts.many(unit, frozenset(people))
        blocked = await self._blocks.between(unit, viewer, people)
        ties = await self._lists.standings(unit, viewer, people)
        sights = {}
        for person, account in accounts.items():
            if account.state is State.ACTIVE and person not in blocked:
                tie, itself = ties.get(person), person == viewer
                friend = tie is not None and tie.accepted
                lets = account.visibility
                sights[person] = Sight(
                    itself or lets.status.admits(friend=friend), itself or lets.last_seen.admits(friend=friend)
                )
        return sights

    async def _require_signed_in(self, session: UUID, key: str, mark: str) -> None:
        """A session that ended while its device spoke has been looked for already, and nobody looks again."""
        try:
            await self._signed_in.require_alive(session)
        except SecureConnectError:
            await self._leases.remove(key, mark)
            raise

    async def _leave(self, person: UUID, sessions: Sequence[UUID]) -> Status:
        key = key_of(person)
        before = await self._leases.members(key)
        own = of_sessions(before, sessions)
        if not own:
            return combined(before)
        for mark in own:
            await self._leases.remove(key, mark)
        after = combined(await self._leases.members(key))
        await self._tell(person, [combined(before)], after)
        return after

    async def _tell(self, person: UUID, before: Collection[Status], after: Status) -> None:
        """The person's own devices and friends who may see it, of a change; when somebody goes it is written down."""
        if {*before} == {after}:
            return
        if after is Status.OFFLINE:
            await self._quietly(self._note(person), "tell")
        await self._quietly(self._announce(person), "tell")

    async def _announce(self, person: UUID) -> None:
        async def watchers(unit: Transaction) -> frozenset[UUID]:
            account = await self._accounts.get(unit, person)
            if account is None or _is_hidden(account):
                return frozenset()
            return await self._friends.friends_of(unit, person)

        told = await self._units.read(watchers)
        # As it is now: of two changes the one that is told last may have been the first.
        status = combined(await self._leases.members(key_of(person)))
        await self._announcements.to([person, *told], EVENT, _event(person, status))

    async def _announce_to_friends(self, person: UUID, status: Status) -> None:
        friends = await self._units.read(lambda unit: self._friends.friends_of(unit, person))
        await self._announcements.to(friends, EVENT, _event(person, status))

    async def _note(self, person: UUID) -> None:
        now = self._clock.now()

        async def work(unit: Transaction) -> None:
            account = await self._accounts.get(unit, person)
            # Nothing new is kept of whoever is being erased.
            if account is not None and account.state is not State.ERASING:
                await self._seen.note(unit, person, now)

        await self._units.write(work)

    async def _quietly(self, doing: Awaitable[object], what: str) -> None:
        try:
            await doing
        except SecureConnectError as error:
            self._failed[what].inc()
            _log.warning("presence could not be kept up (%s): %s", what, error.code)


def _is_hidden(account: Account) -> bool:
    return account.visibility.status is Audience.NOBODY


def _event(person: UUID, status: Status) -> Mapping[str, object]:
    return {"user_id": person, "status": status.value}


def key_of(person: UUID) -> str:
    """Of the set of marks. Hashed: what has ended may stay in memory for a while."""
    return f"presence:{hashlib.blake2b(person.bytes, digest_size=16).hexdigest()}"
