"""Settings of a conversation, its mode among them, and the rounds of consent. The rules are ``chat.mode``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from msgspec import UNSET, UnsetType

from chat import mode as rules
from chat.doors import require_reachable
from chat.membership import Action, Role, require
from chat.mode import Features, Mode, Policy, Question, Round, RoundState, Tally, Wish
from chat.news import News, Newsroom
from chat.ports import Audit, ConversationLists, ConversationStore, MemberLists, Reach, RoundLists, RoundStore
from chat.records import Conversation, Listed, Seat
from chat.seats import no_conversation, seat_for
from identity.audit import SYSTEM
from kernel.clock import Clock
from kernel.cursors import Page, decode_cursor, encode_cursor
from kernel.errors import Conflict, NotFound, Unprocessable
from kernel.ids import IdGenerator, floor_at
from kernel.units import Transaction, UnitsOfWork

ROUNDS = "mode proposals"
DAY = 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsChange:
    """What is left out stays; a ``retention`` of None keeps messages for ever."""

    wish: Wish = rules.UNCHANGED
    policy: Policy | None = None
    retention: int | UnsetType | None = UNSET


class Modes:
    def __init__(
        self,
        *,
        units: UnitsOfWork,
        newsroom: Newsroom,
        store: ConversationStore,
        lists: ConversationLists,
        member_lists: MemberLists,
        rounds: RoundStore,
        round_lists: RoundLists,
        people: Reach,
        audit: Audit,
        ids: IdGenerator,
        clock: Clock,
    ) -> None:
        self._units = units
        self._newsroom = newsroom
        self._store = store
        self._lists = lists
        self._member_lists = member_lists
        self._rounds = rounds
        self._round_lists = round_lists
        self._people = people
        self._audit = audit
        self._ids = ids
        self._clock = clock

    async def change_settings(self, conversation: UUID, person: UUID, change: SettingsChange) -> Listed:
        """Raises NotFound, Forbidden; Unprocessable ``mode_contradiction``, ``consent_required``,
        ``policy_after_joining`` or ``direct_conversation``; RateLimited ``too_many_proposals``."""

        async def work(unit: Transaction, news: News) -> Listed | None:
            seat = await seat_for(self._store, unit, conversation, person, Action.CHANGE_SETTINGS)
            members = await self._people_in(unit, conversation)
            before = seat.conversation
            after = await self._with_policy(unit, seat, change.policy)
            if not isinstance(change.retention, UnsetType) and change.retention != before.retention:
                after = replace(after, retention=change.retention)
                await self._record(unit, person, "retention", before, to=str(change.retention or "ever"))
            features = rules.wished(after.features, change.wish)
            if features.mode is not before.mode:
                seat = replace(seat, conversation=after)
                after = await self._change_at_once(unit, news, seat, features, members=members)
            elif change.wish.is_for_secure:
                # A question that is open would be answered against what was just asked for.
                await self.withdraw(unit, news, before, by=person, members=members)
            elif features != before.features:
                after = after.under(features)
                await self._record(unit, person, "features", before, **features.recorded)
            if after != before:
                await self._store.put(unit, after)
                news.add(members, conversation, "settings_changed", by=person, **_settings(after))
            return await self._lists.one(unit, conversation, person)

        found = await self._newsroom.write(work)
        if found is None:
            raise no_conversation()
        return found

    async def propose(self, conversation: UUID, person: UUID, mode: Mode) -> Round:
        """Ask everybody. Raises NotFound, Forbidden; Unprocessable ``consent_not_needed``, ``participant_unavailable``
        (the other one of a direct conversation); Conflict ``round_open``, ``mode_already``; RateLimited
        ``too_many_proposals``."""

        async def work(unit: Transaction, news: News) -> Round:
            seat = await seat_for(self._store, unit, conversation, person, Action.PROPOSE_MODE)
            now = self._clock.now()
            asked = rules.proposed(self._ids.next(), conversation, mode=mode, by=person, now=now)
            if seat.conversation.mode is mode:
                raise Conflict(f"This conversation is {mode.value} already.", code="mode_already")
            members = await self._people_in(unit, conversation)
            if seat.conversation.is_direct:
                await require_reachable(self._people, unit, person, frozenset(members))
            earlier = await self._rounds.open_in(unit, conversation)
            if earlier is not None:
                ended = earlier.at(now)
                if ended.state is RoundState.OPEN:
                    raise Conflict("There is an open proposal; it is to be answered first.", code="round_open")
                await self._put(unit, news, seat.conversation, earlier, ended, by=person, members=members)
            result = rules.settled(asked, members, now)
            await self._begin(unit, result, now)
            await self._record(unit, person, "mode_proposal", seat.conversation, proposal=str(asked.id), to=mode.value)
            news.add(members, conversation, "mode_proposed", **_question(asked))
            await self._conclude(unit, news, seat.conversation, result, by=person, members=members)
            return result

        return await self._newsroom.write(work)

    async def answer(self, conversation: UUID, person: UUID, proposal: UUID, *, consents: bool) -> Round:
        """To say the same again changes nothing. Raises NotFound, Conflict ``round_over``."""

        async def work(unit: Transaction, news: News) -> Round:
            seat = await seat_for(self._store, unit, conversation, person, Action.CONSENT)
            asked = await self._rounds.get(unit, conversation, proposal)
            if asked is None:
                raise _no_proposal()
            members = await self._people_in(unit, conversation)
            result = rules.answered(asked, person, consents=consents, members=members, now=self._clock.now())
            if result.state is RoundState.OPEN and person in asked.answers:
                return asked
            said = "consent" if consents else "refuse"
            await self._record(unit, person, "mode_answer", seat.conversation, proposal=str(proposal), answer=said)
            news.add(members, conversation, "mode_answered", proposal_id=proposal, user_id=person, answer=said)
            await self._put(unit, news, seat.conversation, asked, result, by=person, members=members)
            return result

        return await self._newsroom.write(work)

    async def proposal(self, conversation: UUID, person: UUID, proposal: UUID) -> Round:
        """As it stands now. Raises NotFound."""

        async def look(unit: Transaction) -> Round | None:
            await seat_for(self._store, unit, conversation, person)
            return await self._rounds.get(unit, conversation, proposal)

        found = await self._units.read(look)
        if found is None:
            raise _no_proposal()
        return found.at(self._clock.now())

    async def proposals(
        self, conversation: UUID, person: UUID, *, cursor: str | None, limit: int
    ) -> Page[tuple[Question, Tally]]:
        """Who asked for what and how many said what, the latest first. Raises NotFound, Malformed ``bad_cursor``."""
        before = None if cursor is None else decode_cursor(ROUNDS, cursor, UUID)

        async def look(unit: Transaction) -> Sequence[tuple[Question, Tally]]:
            await seat_for(self._store, unit, conversation, person)
            return await self._round_lists.page(unit, conversation, before=before, most=limit + 1)

        found = await self._units.read(look)
        now = self._clock.now()
        shown = [(asked.at(now), tally) for asked, tally in found[:limit]]
        return Page(shown, encode_cursor(ROUNDS, shown[-1][0].id) if len(found) > limit else None)

    async def ask(self, unit: Transaction, news: News, conversation: UUID, people: Collection[UUID]) -> None:
        """Those who come are asked what everybody there was."""
        asked = await self._rounds.open_in(unit, conversation)
        if asked is not None and asked.at(self._clock.now()).state is RoundState.OPEN:
            news.add(people, conversation, "mode_proposed", **_question(asked))

    async def after_leaving(
        self, unit: Transaction, news: News, conversation: Conversation, person: UUID, *, members: Collection[UUID]
    ) -> None:
        """``person`` is no longer asked; ``members`` are those who stay."""
        asked = await self._rounds.open_in(unit, conversation.id)
        if asked is not None:
            result = rules.after_leaving(asked, person, members=members, now=self._clock.now())
            await self._put(unit, news, conversation, asked, result, by=person, members=members)

    async def withdraw(
        self, unit: Transaction, news: News, conversation: Conversation, *, by: UUID, members: Collection[UUID]
    ) -> None:
        asked = await self._rounds.open_in(unit, conversation.id)
        if asked is not None:
            result = rules.withdrawn(asked, self._clock.now())
            await self._put(unit, news, conversation, asked, result, by=by, members=members)

    async def end_overdue(self, overdue: Question) -> None:
        """Whoever is waiting hears that nobody settled it in time. Fine when it has ended, or is not there any more."""

        async def work(unit: Transaction, news: News) -> None:
            asked = await self._rounds.get(unit, overdue.conversation, overdue.id)
            found = await self._store.get(unit, overdue.conversation)
            if asked is None or found is None or asked.state is not RoundState.OPEN:
                return
            members = await self._people_in(unit, found.id)
            ended = asked.at(self._clock.now())
            await self._put(unit, news, found, asked, ended, by=None, members=members)

        await self._newsroom.write(work)

    async def _with_policy(self, unit: Transaction, seat: Seat, policy: Policy | None) -> Conversation:
        found = seat.conversation
        if policy is None or policy is found.mode_policy:
            return found
        require(seat.member.role, Action.SET_POLICY)
        if not rules.may_become(policy, members=found.member_count):
            raise Unprocessable(
                "That the owner decides is settled before anybody else joins; ask for consent instead.",
                code="policy_after_joining",
            )
        await self._record(unit, seat.member.person, "mode_policy", found, to=policy.value)
        return replace(found, mode_policy=policy)

    async def _change_at_once(
        self, unit: Transaction, news: News, seat: Seat, features: Features, *, members: Collection[UUID]
    ) -> Conversation:
        found, person = seat.conversation, seat.member.person
        if rules.needs_consent(
            features.mode,
            direct=found.is_direct,
            by_owner=seat.member.role is Role.OWNER,
            policy=found.mode_policy,
            members=found.member_count,
        ):
            raise Unprocessable(
                "Everybody here is asked first: make a proposal at .../mode/proposals.", code="consent_required"
            )
        await self.withdraw(unit, news, found, by=person, members=members)
        if features.mode is Mode.INTELLIGENT:
            now = self._clock.now()
            made = rules.decided(self._ids.next(), found.id, mode=features.mode, by=person, now=now)
            await self._begin(unit, made, now)
        return await self._switched(unit, news, found, features, by=person, members=members)

    async def _begin(self, unit: Transaction, asked: Round, now: float) -> None:
        since = floor_at(int((now - DAY) * 1000))
        rules.require_seldom(await self._rounds.count(unit, asked.conversation, since=since))
        await self._rounds.add(unit, asked)

    async def _put(
        self,
        unit: Transaction,
        news: News,
        conversation: Conversation,
        before: Round,
        after: Round,
        *,
        by: UUID | None,
        members: Collection[UUID],
    ) -> None:
        await self._rounds.put(unit, after, before=before)
        await self._conclude(unit, news, conversation, after, by=by, members=members)

    async def _conclude(
        self,
        unit: Transaction,
        news: News,
        conversation: Conversation,
        asked: Round,
        *,
        by: UUID | None,
        members: Collection[UUID],
    ) -> None:
        """What follows from how a round stands now, by what somebody did."""
        if asked.state is RoundState.OPEN:
            return
        state = asked.state.value
        ended_by = None if asked.state is RoundState.EXPIRED else by
        await self._record(unit, ended_by, "mode_proposal_ended", conversation, proposal=str(asked.id), state=state)
        news.add(members, conversation.id, "mode_proposal_ended", proposal_id=asked.id, state=state)
        if asked.state is RoundState.ACCEPTED:
            proposer, proposal = asked.proposed_by, str(asked.id)
            changed = await self._switched(
                unit, news, conversation, Features(asked.mode), by=proposer, members=members, proposal=proposal
            )
            await self._store.put(unit, changed)

    async def _switched(
        self,
        unit: Transaction,
        news: News,
        found: Conversation,
        features: Features,
        *,
        by: UUID | None,
        members: Collection[UUID],
        **details: str,
    ) -> Conversation:
        after = replace(found.under(features), mode_version=found.mode_version + 1)
        version, to = after.mode_version, after.mode.value
        told = {"from": found.mode.value, "to": to, "version": str(version), **features.recorded, **details}
        await self._record(unit, by, "mode", found, **told)
        news.add(members, found.id, "mode_changed", mode=to, mode_version=version, by=by)
        return after

    async def _record(
        self, unit: Transaction, person: UUID | None, what: str, conversation: Conversation, **details: str
    ) -> None:
        actor = SYSTEM if person is None else str(person)
        action, subject = f"conversation.{what}", str(conversation.id)
        await self._audit.record(unit, actor=actor, action=action, subject=subject, details=details)

    async def _people_in(self, unit: Transaction, conversation: UUID) -> list[UUID]:
        return [member.person for member in await self._member_lists.all(unit, conversation)]


def _settings(conversation: Conversation) -> dict[str, object]:
    return {
        "ai_enabled": conversation.ai_enabled,
        "recording_enabled": conversation.recording_enabled,
        "retention": conversation.retention,
        "mode_policy": conversation.mode_policy.value,
    }


def _question(asked: Question) -> dict[str, object]:
    return {"proposal_id": asked.id, "mode": asked.mode.value, "by": asked.proposed_by}


def _no_proposal() -> NotFound:
    return NotFound("There is no such proposal.")
