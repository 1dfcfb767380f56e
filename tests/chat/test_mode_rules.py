"""The rules of the mode, by themselves: what can be true together, and when a round of consent ends how."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chat import mode as rules
from chat.mode import ROUND_LIFETIME, Features, Mode, Policy, Round, RoundState, Wish
from kernel.errors import Conflict, Unprocessable

PEOPLE = [UUID(int=number) for number in range(1, 6)]
FLAGS = st.none() | st.booleans()
WISHES = st.builds(
    Wish,
    mode=st.none() | st.sampled_from(Mode),
    is_e2ee_enabled=FLAGS,
    ai_enabled=FLAGS,
    recording_enabled=FLAGS,
)
FEATURES = st.just(Features()) | st.builds(
    Features, mode=st.just(Mode.INTELLIGENT), ai_enabled=st.booleans(), recording_enabled=st.booleans()
)


@given(FEATURES, WISHES)
def test_what_is_granted_is_what_was_wished_and_can_be_true_together(now: Features, wish: Wish) -> None:
    if contradicts(now, wish):
        with pytest.raises(Unprocessable) as caught:
            rules.wished(now, wish)
        assert caught.value.code == "mode_contradiction"
        return
    granted = rules.wished(now, wish)
    assert granted.is_e2ee_enabled is (granted.mode is Mode.SECURE)
    assert granted.mode is Mode.INTELLIGENT or not (granted.ai_enabled or granted.recording_enabled)
    for name in ("mode", "is_e2ee_enabled", "ai_enabled", "recording_enabled"):
        assert getattr(wish, name) in (None, getattr(granted, name))
    if wish == Wish():
        assert granted == now


def contradicts(now: Features, wish: Wish) -> bool:
    """Said once more in other words: no pair of mode and flags satisfies everything that was asked for."""
    candidates = [Features()] + [
        Features(Mode.INTELLIGENT, ai, recording) for ai in (False, True) for recording in (False, True)
    ]
    asked = {"mode": wish.mode, "is_e2ee_enabled": wish.is_e2ee_enabled}
    if asked["mode"] is None and asked["is_e2ee_enabled"] is None:
        asked["mode"] = now.mode
    asked |= {"ai_enabled": wish.ai_enabled, "recording_enabled": wish.recording_enabled}
    return not any(
        all(value is None or getattr(candidate, name) == value for name, value in asked.items())
        for candidate in candidates
    )


@given(
    to=st.sampled_from(Mode),
    direct=st.booleans(),
    by_owner=st.booleans(),
    policy=st.sampled_from(Policy),
    members=st.integers(1, 1000),
)
def test_nobody_becomes_readable_by_somebody_elses_decision_alone(
    *, to: Mode, direct: bool, by_owner: bool, policy: Policy, members: int
) -> None:
    needed = rules.needs_consent(to, direct=direct, by_owner=by_owner, policy=policy, members=members)
    if to is Mode.SECURE:
        assert not needed
    elif direct or not by_owner:
        assert needed
    else:
        assert needed is (members > 1 and policy is Policy.ALL_CONSENT)


@given(st.sampled_from(Policy), st.integers(1, 1000))
def test_a_policy_becomes_looser_only_while_its_owner_is_alone(policy: Policy, members: int) -> None:
    assert rules.may_become(policy, members=members) is (policy is Policy.ALL_CONSENT or members == 1)


def test_secure_is_not_proposed() -> None:
    with pytest.raises(Unprocessable) as caught:
        rules.proposed(UUID(int=9), UUID(int=8), mode=Mode.SECURE, by=PEOPLE[0], now=0.0)
    assert caught.value.code == "consent_not_needed"


class AskingEverybody(RuleBasedStateMachine):
    """People come, go, are put out and change their minds while a question is open."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.members = {PEOPLE[0]}
        self.said: dict[UUID, bool] = {PEOPLE[0]: True}
        self.ended: Round | None = None
        self.round = rules.proposed(UUID(int=9), UUID(int=8), mode=Mode.INTELLIGENT, by=PEOPLE[0], now=self.now)

    @initialize(others=st.sets(st.sampled_from(PEOPLE[1:]), min_size=1))
    def begin(self, others: set[UUID]) -> None:
        self.members |= others

    def becomes(self, after: Round, expected: RoundState) -> None:
        assert after.state is expected, (after, self.members, self.said)
        self.round = after
        if expected is not RoundState.OPEN:
            assert after.ended_at is not None
            self.ended = after

    def expected(self, otherwise: RoundState | None = None) -> RoundState:
        if self.now >= self.round.expires_at:
            return RoundState.EXPIRED
        if otherwise is not None:
            return otherwise
        agreed = bool(self.members) and all(self.said.get(person) is True for person in self.members)
        return RoundState.ACCEPTED if agreed else RoundState.OPEN

    @precondition(lambda self: self.ended is None)
    @rule(person=st.sampled_from(PEOPLE), consents=st.booleans())
    def say(self, person: UUID, consents: bool) -> None:
        if person not in self.members:
            return
        if self.now >= self.round.expires_at:
            with pytest.raises(Conflict):
                rules.answered(self.round, person, consents=consents, members=self.members, now=self.now)
            return
        self.said[person] = consents
        after = rules.answered(self.round, person, consents=consents, members=self.members, now=self.now)
        self.becomes(after, self.expected(None if consents else RoundState.REFUSED))
        assert after.answers[person].consents is consents

    @rule(person=st.sampled_from(PEOPLE))
    def join(self, person: UUID) -> None:
        self.members.add(person)

    @precondition(lambda self: self.ended is None)
    @rule(person=st.sampled_from(PEOPLE))
    def leave(self, person: UUID) -> None:
        if person not in self.members:
            return
        self.members.discard(person)
        after = rules.after_leaving(self.round, person, members=self.members, now=self.now)
        self.becomes(after, self.expected(RoundState.WITHDRAWN if person == PEOPLE[0] else None))

    @precondition(lambda self: self.ended is None)
    @rule()
    def put_out(self) -> None:
        self.becomes(rules.withdrawn(self.round, self.now), self.expected(RoundState.WITHDRAWN))

    @rule(seconds=st.floats(0, ROUND_LIFETIME / 2))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def what_ended_stays_as_it_ended(self) -> None:
        if self.ended is None:
            return
        for person in PEOPLE:
            with pytest.raises(Conflict) as caught:
                rules.answered(self.ended, person, consents=True, members=self.members, now=self.now)
            assert caught.value.code == "round_over"
            assert rules.after_leaving(self.ended, person, members=self.members, now=self.now) == self.ended
        assert rules.withdrawn(self.ended, self.now) == self.ended
        assert rules.settled(self.ended, self.members, self.now) == self.ended

    @invariant()
    def it_is_open_as_long_as_somebody_has_not_said_yes(self) -> None:
        if self.round.state is RoundState.OPEN:
            assert not all(self.said.get(person) is True for person in self.members)
        assert {person: given.consents for person, given in self.round.answers.items()} == self.said


TestAskingEverybody = AskingEverybody.TestCase
