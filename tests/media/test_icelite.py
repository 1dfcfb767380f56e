"""Our side of ICE: who is heard, where media goes, and what is never sent to whom."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field, replace
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media import stun
from media.icelite import Agents
from media.icevalues import (
    MAX_WORKERS,
    ConsentLost,
    Credentials,
    Event,
    Full,
    Limits,
    Outcome,
    Path,
    Randomness,
    Restarted,
    Selected,
    Send,
    Unreached,
    local_ufrag,
    made_credentials,
    worker_of,
)
from media.stun import Claim, Failure, Kind, Message, Received, Role

HOME = Path(1, "192.0.2.7", 50000)
AWAY = Path(1, "198.51.100.7", 40000)
VICTIM = Path(1, "203.0.113.1", 53)
REMOTE = Credentials(b"peer", b"password-of-the-peer-1234")
CONTROLLING = Claim(Role.CONTROLLING, 1)


def chance(seed: int) -> Randomness:
    return Random(seed).randbytes  # noqa: S311


@dataclass
class Peer:
    """A browser of one transport: what it says and answers."""

    agents: Agents
    transport: int
    local: Credentials
    remote: Credentials = REMOTE
    count: int = 0
    claim: Claim = CONTROLLING
    log: list[Event] = field(default_factory=list)

    def request(self, *, nominates: bool = False, password: bytes | None = None) -> bytes:
        self.count += 1
        message = Message(
            Kind.REQUEST,
            self.count.to_bytes(12, "big"),
            username=self.local.ufrag + b":" + self.remote.ufrag,
            priority=1,
            nominates=nominates,
            claim=self.claim,
        )
        return stun.build(message, password or self.local.password)

    def says(self, path: Path, now: float, *, nominates: bool = False) -> Outcome:
        outcome = self.agents.receive(self.request(nominates=nominates), path, now)
        self.log += outcome.events
        return outcome

    def answers(self, outcome: Outcome, now: float) -> Outcome:
        """Every check in it, from where it was sent to."""
        together = Outcome()
        for send in checks(outcome):
            got = self.agents.receive(self.answer_to(send), send.path, now)
            together.sends += got.sends
            together.events += got.events
        self.log += together.events
        return together

    def answer_to(self, send: Send, password: bytes | None = None) -> bytes:
        received = stun.parse(send.data)
        assert received.is_authentic(self.remote.password)
        answer = Message(Kind.SUCCESS, received.message.transaction, mapped=("192.0.2.200", 7000))
        return stun.build(answer, password or self.remote.password)

    def connects(self, path: Path, now: float) -> None:
        self.answers(self.says(path, now, nominates=True), now)
        assert self.agents.destination(self.transport) == path


def agents_with(limits: Limits | None = None, worker: int = 5) -> Agents:
    return Agents(worker, chance(1), limits)


def peer_of(agents: Agents, now: float = 0.0, remote: Credentials = REMOTE) -> Peer:
    transport, local = agents.create(remote, now)
    return Peer(agents, transport, local, remote)


def parsed(outcome: Outcome) -> list[Received]:
    return [stun.parse(send.data) for send in outcome.sends]


def checks(outcome: Outcome) -> list[Send]:
    return [send for send in outcome.sends if stun.parse(send.data).message.kind is Kind.REQUEST]


def test_a_request_is_answered_with_where_it_came_from_and_checked_at_once() -> None:
    peer = peer_of(agents_with())
    outcome = peer.says(HOME, 0.0)
    answer, check = parsed(outcome)
    assert (answer.message.kind, answer.message.mapped) == (Kind.SUCCESS, HOME.address)
    assert answer.is_authentic(peer.local.password)
    assert check.message.username == REMOTE.ufrag + b":" + peer.local.ufrag
    assert check.message.claim is not None
    assert check.message.claim.role is Role.CONTROLLED
    assert not check.message.nominates
    assert {send.path for send in outcome.sends} == {HOME}


def test_media_goes_to_a_nominated_address_once_it_has_answered() -> None:
    agents = agents_with()
    peer = peer_of(agents)
    outcome = peer.says(HOME, 0.0, nominates=True)
    assert outcome.events == []
    assert agents.destination(peer.transport) is None
    assert agents.transport_at(HOME) is None
    assert peer.answers(outcome, 0.03).events == [Selected(peer.transport, HOME)]
    assert agents.transport_at(HOME) == peer.transport
    assert agents.round_trip(peer.transport) == pytest.approx(0.03)


def test_an_address_that_answered_waits_for_its_nomination() -> None:
    agents = agents_with()
    peer = peer_of(agents)
    peer.answers(peer.says(HOME, 0.0), 0.1)
    assert agents.transport_at(HOME) == peer.transport
    assert agents.destination(peer.transport) is None
    assert peer.says(HOME, 0.2, nominates=True).events == [Selected(peer.transport, HOME)]


def test_the_last_nomination_wins_and_not_before_its_address_answered() -> None:
    agents = agents_with()
    peer = peer_of(agents)
    peer.connects(HOME, 0.0)
    moved = peer.says(AWAY, 1.0, nominates=True)
    assert agents.destination(peer.transport) == HOME
    peer.answers(moved, 1.1)
    assert agents.destination(peer.transport) == AWAY
    peer.says(HOME, 1.2, nominates=True)
    assert agents.destination(peer.transport) == HOME


def test_media_never_moves_to_a_victim_and_few_checks_reach_it() -> None:
    agents = agents_with()
    peer = peer_of(agents)
    peer.connects(HOME, 0.0)
    sent: list[float] = []
    for step in range(1000):
        now = 1.0 + step / 100
        outcome = peer.says(VICTIM, now, nominates=True)
        outcome.sends += agents.tick(now).sends
        assert len([send for send in outcome.sends if send.path == VICTIM]) <= 2
        sent += [now for send in checks(outcome) if send.path == VICTIM]
        assert all(len(send.data) < 160 for send in outcome.sends)
    assert agents.destination(peer.transport) == HOME
    assert agents.transport_at(VICTIM) is None
    assert min(later - sooner for sooner, later in pairwise(sent)) >= 0.249
    assert len(sent) <= 8


def test_transports_together_send_one_check_to_an_unproven_address() -> None:
    agents = agents_with()
    peers = [peer_of(agents) for _ in range(20)]
    sent = [check for peer in peers for check in checks(peer.says(VICTIM, 1.0))]
    assert len(sent) == 1
    assert agents.drops["ice_probe_held"] == 19


def test_one_forged_request_brings_a_bounded_number_of_checks() -> None:
    agents = agents_with()
    peer = peer_of(agents)
    sent = len(checks(peer.says(VICTIM, 0.0)))
    for step in range(1, 200):
        sent += len(checks(agents.tick(step / 10)))
    assert sent == Limits().probes


def test_an_address_that_answered_on_one_socket_is_checked_on_another_at_once() -> None:
    agents = agents_with()
    peer = peer_of(agents)
    first = peer.says(HOME, 0.0)
    other = HOME._replace(local=2)
    assert checks(peer.says(other, 0.0)) == []
    assert [send.path for send in checks(peer.answers(first, 0.01))] == [other]


@pytest.mark.parametrize(
    ("reason", "change"),
    [
        ("ice_unknown_ufrag", lambda peer: replace(peer, local=Credentials(b"x" * 11, b"p"))),
        ("ice_other_worker", lambda peer: replace(peer, local=made_credentials(6, chance(2)))),
        ("ice_integrity", lambda peer: replace(peer, local=Credentials(peer.local.ufrag, b"guess"))),
        ("ice_remote_ufrag", lambda peer: replace(peer, remote=Credentials(b"else", b""))),
    ],
)
def test_strangers_get_no_answer(reason: str, change: object) -> None:
    assert callable(change)
    agents = agents_with()
    stranger = change(peer_of(agents))
    assert stranger.says(AWAY, 0.0, nominates=True) == Outcome()
    assert agents.drops == {reason: 1}


def test_without_integrity_there_is_no_answer() -> None:
    agents = agents_with()
    peer = peer_of(agents)
    username = peer.local.ufrag + b":" + REMOTE.ufrag
    assert agents.receive(stun.build(Message(Kind.REQUEST, bytes(12), username=username), None), AWAY, 0.0) == Outcome()
    assert agents.drops == {"ice_no_integrity": 1}


def test_what_must_be_understood_and_is_not_is_answered_420() -> None:
    agents = agents_with()
    peer = peer_of(agents)
    plain = Message(Kind.REQUEST, bytes(12), username=peer.local.ufrag + b":" + REMOTE.ufrag)
    inner = stun.build(plain, None)[:-8] + b"\x7f\x00\x00\x00"
    signed = _signed(inner, peer.local.password)
    (answer,) = parsed(agents.receive(signed, HOME, 0.0))
    assert answer.message.failure == Failure(420, "Unknown Attribute")
    assert answer.message.unknown == (0x7F00,)
    assert answer.is_authentic(peer.local.password)


def test_a_peer_that_takes_itself_to_be_controlled_is_told_487() -> None:
    agents = agents_with()
    peer = peer_of(agents)
    peer.claim = Claim(Role.CONTROLLED, 0)
    (answer,) = parsed(peer.says(HOME, 0.0, nominates=True))
    assert answer.message.failure == Failure(487, "Role Conflict")
    peer.claim = CONTROLLING
    peer.connects(HOME, 0.1)


def test_answers_that_are_forged_or_come_from_elsewhere_prove_nothing() -> None:
    agents = agents_with()
    peer = peer_of(agents)
    (check,) = checks(peer.says(HOME, 0.0, nominates=True))
    agents.receive(peer.answer_to(check), AWAY, 0.1)
    agents.receive(peer.answer_to(check, b"guess"), HOME, 0.1)
    agents.receive(stun.build(Message(Kind.SUCCESS, bytes(12)), REMOTE.password), HOME, 0.1)
    assert agents.destination(peer.transport) is None
    assert agents.drops == {"ice_asymmetric": 1, "ice_integrity": 1, "ice_late_answer": 1}
    agents.receive(peer.answer_to(check), HOME, 0.1)
    assert agents.destination(peer.transport) == HOME


def test_a_check_that_is_refused_proves_nothing() -> None:
    agents = agents_with()
    peer = peer_of(agents)
    (check,) = checks(peer.says(HOME, 0.0))
    refusal = Message(Kind.ERROR, stun.parse(check.data).message.transaction, failure=Failure(487))
    agents.receive(stun.build(refusal, REMOTE.password), HOME, 0.1)
    assert agents.transport_at(HOME) is None
    assert agents.drops == {"ice_check_refused": 1}


def test_consent_is_renewed_while_the_peer_answers() -> None:
    agents = agents_with()
    peer = peer_of(agents)
    peer.connects(HOME, 0.0)
    sent = 0
    for step in range(1, 1200):
        outcome = agents.tick(step / 10)
        sent += len(checks(outcome))
        assert outcome.events == []
        peer.answers(outcome, step / 10 + 0.05)
    assert 40 <= sent <= 60
    assert agents.round_trip(peer.transport) == pytest.approx(0.05, abs=0.01)


def test_a_peer_that_stops_answering_gets_nothing_more_until_it_nominates_again() -> None:
    agents = agents_with()
    peer = peer_of(agents)
    peer.connects(HOME, 0.0)
    lost = [(step / 10, event) for step in range(1, 300) for event in agents.tick(step / 10).events]
    ((at, event),) = lost
    assert event == ConsentLost(peer.transport)
    assert 15.0 <= at <= 18.0
    assert agents.destination(peer.transport) is None
    assert agents.transport_at(HOME) is None
    peer.connects(HOME, 40.0)


def test_a_stall_of_ours_ends_nothing() -> None:
    agents = agents_with()
    peer = peer_of(agents)
    peer.connects(HOME, 0.0)
    asked = agents.tick(3.5)
    late = agents.tick(60.0)
    assert late.events == []
    peer.answers(asked, 60.0)
    peer.answers(late, 60.0)
    assert agents.tick(60.1).events == []
    assert agents.destination(peer.transport) == HOME


def test_a_peer_has_its_time_to_answer_after_a_stall_of_ours() -> None:
    agents = agents_with()
    peer = peer_of(agents)
    peer.connects(HOME, 0.0)
    lost = [60.0 + step / 10 for step in range(300) for _ in agents.tick(60.0 + step / 10).events]
    assert [72.5 <= at <= 76.0 for at in lost] == [True]


def test_an_address_that_answered_long_ago_answers_anew_before_media_goes_there() -> None:
    agents = agents_with()
    peer = peer_of(agents)
    peer.connects(HOME, 0.0)
    peer.answers(peer.says(AWAY, 0.0), 0.0)
    for step in range(1, 200):
        peer.answers(agents.tick(step / 10), step / 10)
    moved = peer.says(AWAY, 20.0, nominates=True)
    assert agents.destination(peer.transport) == HOME
    peer.answers(moved, 20.1)
    assert agents.destination(peer.transport) == AWAY


def test_a_restart_of_a_restart_keeps_the_address_in_use() -> None:
    agents = agents_with()
    peer = peer_of(agents)
    peer.connects(HOME, 0.0)
    peer.says(AWAY, 0.5, nominates=True)
    renewed = replace(peer, local=agents.restart(peer.transport, REMOTE))
    renewed.says(HOME, 1.0)
    agents.restart(peer.transport, REMOTE)
    assert agents.destination(peer.transport) == HOME
    assert agents.transport_at(HOME) == peer.transport


def test_a_transport_that_nobody_reaches_is_said_once() -> None:
    agents = agents_with()
    peer = peer_of(agents)
    assert agents.tick(29.9).events == []
    assert agents.tick(30.0).events == [Unreached(peer.transport)]
    assert agents.tick(60.0).events == []


def test_after_a_restart_both_credentials_are_heard_until_the_new_ones_are_used() -> None:
    agents = agents_with()
    old = peer_of(agents)
    old.connects(HOME, 0.0)
    fresh = Credentials(b"fresh", b"another-password-of-the-peer")
    new = Peer(agents, old.transport, agents.restart(old.transport, fresh), fresh)
    assert new.local.ufrag != old.local.ufrag
    assert old.says(HOME, 1.0).sends
    moved = new.says(AWAY, 1.1, nominates=True)
    old.says(HOME, 1.2, nominates=True)
    assert agents.destination(old.transport) == HOME
    assert new.answers(moved, 1.3).events == [Selected(old.transport, AWAY), Restarted(old.transport)]
    assert old.says(HOME, 1.4, nominates=True) == Outcome()
    assert agents.drops == {"ice_unknown_ufrag": 1}
    assert agents.transport_at(HOME) is None


def test_a_restart_over_the_same_address_moves_at_once() -> None:
    agents = agents_with()
    old = peer_of(agents)
    old.connects(HOME, 0.0)
    fresh = Credentials(b"fresh", b"another-password-of-the-peer")
    new = Peer(agents, old.transport, agents.restart(old.transport, fresh), fresh)
    assert new.says(HOME, 1.0, nominates=True).events == [Restarted(old.transport)]
    assert agents.destination(old.transport) == HOME
    assert new.answers(agents.tick(4.0), 4.0) == Outcome()
    assert agents.drops == {}


def test_a_second_restart_replaces_the_first_unused_one() -> None:
    agents = agents_with()
    peer = peer_of(agents)
    peer.connects(HOME, 0.0)
    first = agents.restart(peer.transport, REMOTE)
    agents.restart(peer.transport, REMOTE)
    assert replace(peer, local=first).says(HOME, 1.0) == Outcome()
    assert peer.says(HOME, 1.0).sends
    assert agents.destination(peer.transport) == HOME


def test_an_address_belongs_to_who_answered_there_last() -> None:
    agents = agents_with()
    first = peer_of(agents)
    first.connects(HOME, 0.0)
    second = peer_of(agents, 1.0, Credentials(b"other", b"password-of-somebody-else"))
    taken = second.answers(second.says(HOME, 1.0, nominates=True), 1.1)
    assert taken.events == [ConsentLost(first.transport), Selected(second.transport, HOME)]
    assert agents.transport_at(HOME) == second.transport
    assert agents.destination(first.transport) is None


def test_nothing_of_a_removed_transport_is_left() -> None:
    agents = agents_with()
    peer = peer_of(agents)
    peer.connects(HOME, 0.0)
    pending = agents.tick(4.0)
    agents.remove(peer.transport)
    agents.remove(peer.transport)
    assert peer.answers(pending, 4.1) == Outcome()
    assert peer.says(HOME, 4.2) == Outcome()
    assert agents.transport_at(HOME) is None
    assert agents.destination(peer.transport) is None
    assert agents.round_trip(peer.transport) is None
    assert len(agents) == 0
    assert agents.drops == {"ice_late_answer": 1, "ice_unknown_ufrag": 1}


def test_tables_are_bounded() -> None:
    agents = agents_with(Limits(transports=2, paths=3, pending=4, probed_addresses=6))
    peers = [peer_of(agents), peer_of(agents)]
    with pytest.raises(Full):
        agents.create(REMOTE, 0.0)
    for port in range(1, 6):
        for peer in peers:
            peer.says(Path(1, "203.0.113.1", port), 0.0)
    assert agents.drops == {"ice_paths_full": 4, "ice_probe_held": 3}
    for step in range(1, 4):
        agents.tick(step / 2)
    assert agents.drops["ice_checks_full"] > 0
    agents.tick(6.0)
    assert peers[0].says(HOME, 6.0).sends


def test_paths_that_are_used_no_more_are_forgotten() -> None:
    agents = agents_with(Limits(paths=2))
    peer = peer_of(agents)
    peer.connects(HOME, 0.0)
    peer.answers(peer.says(AWAY, 0.0), 0.1)
    assert peer.says(VICTIM, 0.2) == Outcome()
    for step in range(1, 400):
        peer.answers(agents.tick(step / 10), step / 10)
    assert agents.transport_at(AWAY) is None
    assert peer.says(VICTIM, 41.0).sends


def test_the_name_tells_the_worker() -> None:
    agents = agents_with(worker=MAX_WORKERS - 1)
    peer = peer_of(agents)
    assert worker_of(local_ufrag(stun.parse(peer.request()).message.username)) == MAX_WORKERS - 1
    assert worker_of(b"") is None
    assert worker_of(b"--0123456789") is None
    with pytest.raises(ValueError, match="worker"):
        Agents(MAX_WORKERS, chance(1))


@given(st.integers(0, MAX_WORKERS - 1), st.integers(0, 2**32))
def test_credentials_are_of_the_alphabet_and_name_their_worker(worker: int, seed: int) -> None:
    made = made_credentials(worker, chance(seed))
    assert worker_of(made.ufrag) == worker
    assert len(made.password) == 24
    assert (made.ufrag + made.password).replace(b"+", b"a").replace(b"/", b"a").isalnum()


@given(st.binary(max_size=200))
def test_hostile_datagrams_are_counted_and_unanswered(datagram: bytes) -> None:
    agents = agents_with()
    peer_of(agents)
    assert agents.receive(datagram, AWAY, 0.0) == Outcome()
    assert agents.drops.total() == 1


ACTIONS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2), st.integers(0, 3)), max_size=60)


@given(ACTIONS)
def test_media_only_ever_goes_where_the_peer_has_answered(actions: list[tuple[int, int, int]]) -> None:
    agents = agents_with()
    peers = [peer_of(agents), peer_of(agents)]
    answered: set[tuple[int, Path]] = set()
    now = 0.0
    kept: list[Send] = []
    for action, who, where in actions:
        peer = peers[who % 2]
        path = Path(1, "192.0.2.1", 1000 + where)
        now += where * 1.3
        match action:
            case 0 | 1:
                kept += checks(peer.says(path, now, nominates=action == 1))
            case 2 | 3 if kept:
                send = kept.pop(where % len(kept))
                name = stun.parse(send.data).message.username or b""
                owner = next((one for one in peers if name.endswith(one.local.ufrag)), None)
                if owner is not None:
                    agents.receive(owner.answer_to(send), send.path, now)
                    answered.add((owner.transport, send.path))
            case 4:
                kept += checks(agents.tick(now))
            case 5:
                peers[who % 2] = replace(peer, local=agents.restart(peer.transport, REMOTE))
            case _:
                now += 5.0
        for one in peers:
            goes = agents.destination(one.transport)
            assert goes is None or ((one.transport, goes) in answered and agents.transport_at(goes) == one.transport)


def _signed(message: bytes, password: bytes) -> bytes:
    """With the integrity that it lacks."""
    length = (len(message) - 20 + 24).to_bytes(2, "big")
    covered = message[:2] + length + message[4:]
    return covered + b"\x00\x08\x00\x14" + hmac.digest(password, covered, "sha1")
