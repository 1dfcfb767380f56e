"""The mode of a conversation and how it changes. Pure: values and ``now`` in, values or one error out.

Secure is the default and needs nobody's consent. Intelligent lets the server read, so those present say yes first:

- A direct conversation asks both, unless it begins so: nothing has been said in it then.
- A group asks everybody, unless its owner's policy says that the owner decides. That policy is made while the owner is
  alone, so whoever came afterwards could read it; being made stricter is possible at any time.
- A round of consent is open for a day. One refusal ends it. Whoever joins meanwhile is asked too; whoever leaves is no
  longer asked. When somebody is put out, or the proposer leaves, the round ends: nobody is removed to make the others
  unanimous. It ends too when somebody who may asks for Secure.
- Whoever comes into an Intelligent conversation by themselves says that they know.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Self
from uuid import UUID

from kernel.errors import Conflict, FieldError, RateLimited, Unprocessable

ROUND_LIFETIME = 86400.0
# Questions and decisions to turn a conversation Intelligent: each is told to all members and kept.
MOST_ROUNDS_A_DAY = 20


class Mode(Enum):
    SECURE = "secure"
    INTELLIGENT = "intelligent"


class Policy(Enum):
    """Who turns a group Intelligent."""

    OWNER = "owner"
    ALL_CONSENT = "all_consent"


@dataclass(frozen=True, slots=True)
class Features:
    """The mode, and what the server may do under it; nothing of that exists in Secure."""

    mode: Mode = Mode.SECURE
    ai_enabled: bool = False
    recording_enabled: bool = False

    @property
    def is_e2ee_enabled(self) -> bool:
        return self.mode is Mode.SECURE

    @property
    def recorded(self) -> dict[str, str]:
        """As the audit log has them."""
        return {"ai": str(self.ai_enabled).lower(), "recording": str(self.recording_enabled).lower()}


@dataclass(frozen=True, slots=True)
class ModeState:
    """``version`` grows with every change of the mode."""

    features: Features
    version: int

    @property
    def mode(self) -> Mode:
        return self.features.mode


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for; None leaves it as it is. ``is_e2ee_enabled`` is another way to name the mode."""

    mode: Mode | None = None
    is_e2ee_enabled: bool | None = None
    ai_enabled: bool | None = None
    recording_enabled: bool | None = None

    @property
    def is_for_secure(self) -> bool:
        """In so many words."""
        return self.mode is Mode.SECURE or self.is_e2ee_enabled is True


UNCHANGED = Wish()


def wished(now: Features, wish: Wish) -> Features:
    """Raises Unprocessable ``mode_contradiction`` for what cannot be true together."""
    mirrored = None if wish.is_e2ee_enabled is None else _mode_for(e2ee=wish.is_e2ee_enabled)
    if mirrored is not None and wish.mode not in (None, mirrored):
        raise _contradiction("is_e2ee_enabled", "is true in Secure and false in Intelligent")
    mode = wish.mode or mirrored or now.mode
    if mode is Mode.INTELLIGENT:
        return Features(
            mode,
            ai_enabled=now.ai_enabled if wish.ai_enabled is None else wish.ai_enabled,
            recording_enabled=now.recording_enabled if wish.recording_enabled is None else wish.recording_enabled,
        )
    for name in ("ai_enabled", "recording_enabled"):
        if getattr(wish, name):
            raise _contradiction(name, "exists in Intelligent only")
    return Features(mode)


def needs_consent(to: Mode, *, direct: bool, by_owner: bool, policy: Policy, members: int) -> bool:
    """Whether this change waits for a round; ``by_owner``: the owner asks for it."""
    if to is Mode.SECURE:
        return False
    return direct or not by_owner or (policy is Policy.ALL_CONSENT and members > 1)


def may_become(policy: Policy, *, members: int) -> bool:
    return policy is Policy.ALL_CONSENT or members <= 1


def require_known(mode: Mode, *, seen: Mode | None) -> None:
    """Somebody wants to come into a conversation that they take to be as they have ``seen``. Raises Conflict
    ``mode_not_accepted``."""
    if mode is Mode.INTELLIGENT and seen is not Mode.INTELLIGENT:
        raise Conflict(
            'This conversation is Intelligent: the server may read it. Send `"mode": "intelligent"` to come in.',
            code="mode_not_accepted",
        )


def require_seldom(lately: int) -> None:
    """``lately``: rounds of the last day. Raises RateLimited ``too_many_proposals``."""
    if lately >= MOST_ROUNDS_A_DAY:
        raise RateLimited(
            f"This conversation is turned Intelligent, or asked about it, at most {MOST_ROUNDS_A_DAY} times a day.",
            code="too_many_proposals",
            retry_after=3600.0,
        )


class RoundState(Enum):
    OPEN = "open"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    # No question was asked: the owner decided, by policy or because nobody else was there.
    DECIDED = "decided"


@dataclass(frozen=True, slots=True)
class Answer:
    consents: bool
    at: float


@dataclass(frozen=True, slots=True)
class Question:
    """What all members are asked. It is kept after its end as the record of who consented. ``proposed_by`` is None once
    that account was erased, which ends an open one."""

    id: UUID
    conversation: UUID
    mode: Mode
    proposed_by: UUID | None
    proposed_at: float
    expires_at: float
    state: RoundState = RoundState.OPEN
    ended_at: float | None = None

    def at(self, now: float) -> Self:
        """As it is by now: a question nobody settled in time is over."""
        if self.state is RoundState.OPEN and now >= self.expires_at:
            return replace(self, state=RoundState.EXPIRED, ended_at=self.expires_at)
        return self


@dataclass(frozen=True, slots=True)
class Round(Question):
    """With what was answered."""

    answers: Mapping[UUID, Answer] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tally:
    """How many said what."""

    consents: int = 0
    refusals: int = 0


def proposed(identifier: UUID, conversation: UUID, *, mode: Mode, by: UUID, now: float) -> Round:
    """Raises Unprocessable ``consent_not_needed``. Who proposes consents with that."""
    if mode is Mode.SECURE:
        raise Unprocessable("Secure needs nobody's consent: change the settings.", code="consent_not_needed")
    answers = {by: Answer(consents=True, at=now)}
    return Round(identifier, conversation, mode, by, now, now + ROUND_LIFETIME, answers=answers)


def decided(identifier: UUID, conversation: UUID, *, mode: Mode, by: UUID, now: float) -> Round:
    """The record of a change that its owner could make alone."""
    answers = {by: Answer(consents=True, at=now)}
    return Round(identifier, conversation, mode, by, now, now, RoundState.DECIDED, now, answers)


def answered(asked: Round, person: UUID, *, consents: bool, members: Collection[UUID], now: float) -> Round:
    """Until the round ends a yes may become a no. Raises Conflict ``round_over``."""
    current = asked.at(now)
    if current.state is not RoundState.OPEN:
        raise Conflict(f"This proposal is over: {current.state.value}.", code="round_over")
    given = replace(current, answers={**current.answers, person: Answer(consents, now)})
    return settled(given, members, now) if consents else _ended(given, RoundState.REFUSED, now)


def after_leaving(asked: Round, person: UUID, *, members: Collection[UUID], now: float) -> Round:
    """``person`` left by their own will; ``members`` are those who stay."""
    current = asked.at(now)
    if current.state is RoundState.OPEN and person == current.proposed_by:
        return _ended(current, RoundState.WITHDRAWN, now)
    return settled(current, members, now)


def withdrawn(asked: Round, now: float) -> Round:
    """Somebody was put out, or the question has answered itself in another way."""
    current = asked.at(now)
    return _ended(current, RoundState.WITHDRAWN, now) if current.state is RoundState.OPEN else current


def settled(asked: Round, members: Collection[UUID], now: float) -> Round:
    """Accepted once everybody who is there has said yes."""
    current = asked.at(now)
    consenting = {person for person, answer in current.answers.items() if answer.consents}
    if current.state is RoundState.OPEN and members and consenting.issuperset(members):
        return _ended(current, RoundState.ACCEPTED, now)
    return current


def _ended(asked: Round, state: RoundState, now: float) -> Round:
    return replace(asked, state=state, ended_at=now)


def _mode_for(*, e2ee: bool) -> Mode:
    return Mode.SECURE if e2ee else Mode.INTELLIGENT


def _contradiction(name: str, message: str) -> Unprocessable:
    return Unprocessable(
        "These settings contradict the mode.",
        code="mode_contradiction",
        fields=[FieldError(f"settings.{name}", message)],
    )
