"""The server's side of ICE (RFC 8445, the lite implementation), for all transports of one worker. Pure: datagrams and
``now`` in; what to send and what happened out.

We are always controlled: the peer chooses the address, and the last choice that is authentic counts. Beyond what a lite
implementation owes, we check each address ourselves before anything but STUN goes there: a participant knows the
password of their own transport and could otherwise point media at somebody else by a forged source. An address that
has not answered gets, besides one answer to each request, at most one check in ``probe_interval`` over all transports,
and few in a row. The same checks renew the peer's consent (RFC 7675) and measure the round trip.

Strangers get no answer at all, not even an error: a reply to a forged source would be our own reflection. What is not
answered is counted by name.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from itertools import count

from media import stun
from media.candidates import priority
from media.errors import BadPacket
from media.icevalues import (
    MAX_WORKERS,
    ConsentLost,
    Credentials,
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
from media.stun import Address, Claim, Failure, Kind, Message, Received, Role

# RFC 8445 section 7.1.1: of a peer-reflexive candidate, whose type preference is 110.
_CHECK_PRIORITY = priority(110, 0xFFFF)
# RFC 6298 section 2.3.
_RTT_GAIN = 0.125


@dataclass(slots=True, eq=False)
class _Session:
    """One pair of credentials; a restart makes another."""

    owner: _Agent
    number: int
    local: Credentials
    remote: Credentials


@dataclass(slots=True)
class _Trail:
    """A path and what we know of it. ``answered_at``: when it last answered a check of ours."""

    path: Path
    session: _Session
    heard_at: float
    next_check: float
    answered_at: float | None = None
    unanswered: int = 0
    unanswered_since: float = 0.0

    def is_fresh(self, now: float, timeout: float) -> bool:
        return self.answered_at is not None and now - self.answered_at < timeout


@dataclass(slots=True, eq=False)
class _Agent:
    handle: int
    created_at: float
    claim: Claim
    sessions: list[_Session] = field(default_factory=list)
    trails: dict[Path, _Trail] = field(default_factory=dict)
    nominated: _Trail | None = None
    selected: _Trail | None = None
    rtt: float | None = None
    was_reached: bool = False


@dataclass(frozen=True, slots=True)
class _Check:
    agent: _Agent
    trail: _Trail
    session: _Session
    sent_at: float


class Agents:
    """``drops`` counts what was left without effect, by a bounded set of names."""

    def __init__(self, worker: int, randomness: Randomness, limits: Limits | None = None) -> None:
        if not 0 <= worker < MAX_WORKERS:
            raise ValueError(f"a worker is a number below {MAX_WORKERS}")
        self.drops: Counter[str] = Counter()
        self._limits = limits or Limits()
        self._worker = worker
        self._randomness = randomness
        self._handles = count(1)
        self._agents: dict[int, _Agent] = {}
        self._sessions: dict[bytes, _Session] = {}
        self._validated: dict[Path, _Agent] = {}
        self._checks: OrderedDict[bytes, _Check] = OrderedDict()
        self._probed: OrderedDict[Address, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._agents)

    def create(self, remote: Credentials, now: float) -> tuple[int, Credentials]:
        """A transport for a peer that has offered these credentials; its handle is never used again. Raises Full."""
        if len(self._agents) >= self._limits.transports:
            raise Full
        claim = Claim(Role.CONTROLLED, int.from_bytes(self._randomness(8), "big"))
        agent = _Agent(next(self._handles), now, claim)
        self._agents[agent.handle] = agent
        return agent.handle, self._new_session(agent, remote)

    def restart(self, transport: int, remote: Credentials) -> Credentials:
        """The new credentials stand beside the old until the peer has chosen a path with them. Another restart before
        that replaces the unused ones. Raises KeyError for a transport that is gone."""
        agent = self._agents[transport]
        for unused in agent.sessions[1:]:
            if agent.selected is not None and agent.selected.session is unused:
                agent.selected.session = agent.sessions[0]
            self._end_session(unused)
        return self._new_session(agent, remote)

    def remove(self, transport: int) -> None:
        agent = self._agents.pop(transport, None)
        if agent is None:
            return
        for session in list(agent.sessions):
            self._end_session(session)

    def transport_at(self, path: Path) -> int | None:
        """Whose datagrams come from here, for DTLS and SRTP; only of addresses that answered a check of ours."""
        agent = self._validated.get(path)
        return None if agent is None else agent.handle

    def destination(self, transport: int) -> Path | None:
        agent = self._agents.get(transport)
        return agent.selected.path if agent is not None and agent.selected is not None else None

    def round_trip(self, transport: int) -> float | None:
        """Seconds, smoothed."""
        agent = self._agents.get(transport)
        return None if agent is None else agent.rtt

    def receive(self, datagram: stun.Bytes, path: Path, now: float) -> Outcome:
        outcome = Outcome()
        try:
            received = stun.parse(datagram)
            kind = received.message.kind
            if kind is Kind.REQUEST:
                self._request(received, path, now, outcome)
            elif kind is not Kind.INDICATION:
                self._answer(received, path, now, outcome)
        except BadPacket as error:
            self.drops[error.reason] += 1
        return outcome

    def tick(self, now: float) -> Outcome:
        """Ten times a second or so: checks that are due, and what has ended."""
        outcome = Outcome()
        for agent in self._agents.values():
            self._care(agent, now, outcome)
        return outcome

    def _request(self, received: Received, path: Path, now: float, outcome: Outcome) -> None:
        session = self._addressed(received)
        agent, message = session.owner, received.message
        if received.not_understood:
            refusal = Failure(stun.UNKNOWN_ATTRIBUTE, "Unknown Attribute")
            answer = Message(Kind.ERROR, message.transaction, failure=refusal, unknown=received.not_understood)
        elif message.claim is not None and message.claim.role is Role.CONTROLLED:
            # RFC 8445 section 7.3.1.1; whoever is lite does not become controlling, so the peer must, whatever the
            # tie breakers are.
            answer = Message(Kind.ERROR, message.transaction, failure=Failure(stun.ROLE_CONFLICT, "Role Conflict"))
        else:
            trail = self._heard(session, path, now)
            answer = Message(Kind.SUCCESS, message.transaction, mapped=path.address)
            outcome.sends.append(Send(path, stun.build(answer, session.local.password)))
            self._nominate(agent, trail, session, outcome, now=now, nominates=message.nominates)
            if trail is not agent.selected:
                self._check_if_due(agent, trail, now, outcome)
            return
        outcome.sends.append(Send(path, stun.build(answer, session.local.password)))

    def _addressed(self, received: Received) -> _Session:
        """Whom an authentic request is for. Raises BadPacket."""
        username = received.message.username
        ufrag = local_ufrag(username)
        session = self._sessions.get(ufrag)
        if session is None:
            raise BadPacket("ice_other_worker" if worker_of(ufrag) not in (None, self._worker) else "ice_unknown_ufrag")
        if not received.has_integrity:
            raise BadPacket("ice_no_integrity")
        if not received.is_authentic(session.local.password):
            raise BadPacket("ice_integrity")
        if username != session.local.ufrag + b":" + session.remote.ufrag:
            raise BadPacket("ice_remote_ufrag")
        return session

    def _heard(self, session: _Session, path: Path, now: float) -> _Trail:
        agent = session.owner
        trail = agent.trails.get(path)
        if trail is None:
            if len(agent.trails) >= self._limits.paths:
                raise BadPacket("ice_paths_full")
            trail = agent.trails[path] = _Trail(path, session, now, next_check=now)
        elif session.number > trail.session.number:
            # The same address after a restart: who answers there has been shown already.
            trail.session = session
        trail.heard_at = now
        return trail

    def _nominate(
        self, agent: _Agent, trail: _Trail, session: _Session, outcome: Outcome, *, now: float, nominates: bool
    ) -> None:
        """What the peer goes on saying by old credentials does not undo what it chose by new ones."""
        chosen = agent.nominated
        if nominates and (chosen is None or session.number >= chosen.session.number):
            agent.nominated = trail
        self._select(agent, now, outcome)

    def _select(self, agent: _Agent, now: float, outcome: Outcome) -> None:
        trail = agent.nominated
        if trail is None or not trail.is_fresh(now, self._limits.consent_timeout):
            return
        if trail is not agent.selected:
            agent.selected = trail
            agent.was_reached = True
            outcome.events.append(Selected(agent.handle, trail.path))
        if trail.session is not agent.sessions[0]:
            for old in [one for one in agent.sessions if one.number < trail.session.number]:
                self._end_session(old)
            outcome.events.append(Restarted(agent.handle))

    def _answer(self, received: Received, path: Path, now: float, outcome: Outcome) -> None:
        check = self._checks.get(received.message.transaction)
        if check is None or check.agent.trails.get(check.trail.path) is not check.trail:
            raise BadPacket("ice_late_answer")
        if check.trail.path != path:
            # RFC 8445 section 7.2.5.2.1: an answer comes from where the check went.
            raise BadPacket("ice_asymmetric")
        if not received.is_authentic(check.session.remote.password):
            raise BadPacket("ice_integrity")
        del self._checks[received.message.transaction]
        if received.message.kind is Kind.ERROR:
            raise BadPacket("ice_check_refused")
        if received.not_understood:
            raise BadPacket("ice_not_understood")
        self._answered(check, now, outcome)

    def _answered(self, check: _Check, now: float, outcome: Outcome) -> None:
        agent, trail = check.agent, check.trail
        trail.answered_at = now
        trail.unanswered = 0
        trail.next_check = check.sent_at + self._spaced(self._limits.consent_interval)
        sample = max(0.0, now - check.sent_at)
        agent.rtt = sample if agent.rtt is None else agent.rtt + _RTT_GAIN * (sample - agent.rtt)
        before = self._validated.get(trail.path)
        if before is not None and before is not agent:
            # An address changes hands behind a NAT; whoever answered last is there now.
            self._forget(before, before.trails[trail.path], outcome)
        self._validated[trail.path] = agent
        self._select(agent, now, outcome)
        for other in agent.trails.values():
            # Those that the bound on probes has held back.
            if other.answered_at is None and other.path.address == trail.path.address:
                self._check_if_due(agent, other, now, outcome)

    def _care(self, agent: _Agent, now: float, outcome: Outcome) -> None:
        limits = self._limits
        for trail in list(agent.trails.values()):
            if trail is agent.selected:
                if self._has_lost_consent(trail, now):
                    self._forget(agent, trail, outcome)
                    continue
                self._check_if_due(agent, trail, now, outcome)
            elif trail.answered_at is None:
                if now - trail.heard_at >= limits.probe_lifetime:
                    self._forget(agent, trail, outcome)
                elif trail.unanswered < limits.probes:
                    self._check_if_due(agent, trail, now, outcome)
            elif now - trail.answered_at >= limits.idle_path:
                self._forget(agent, trail, outcome)
        if not agent.was_reached and now - agent.created_at >= limits.connect_timeout:
            agent.was_reached = True
            outcome.events.append(Unreached(agent.handle))

    def _has_lost_consent(self, trail: _Trail, now: float) -> bool:
        """Not by time alone: answers may lie unread while this process stood still."""
        limits = self._limits
        return (
            not trail.is_fresh(now, limits.consent_timeout)
            and trail.unanswered >= limits.consent_checks
            and now - trail.unanswered_since >= limits.consent_timeout - limits.consent_interval
        )

    def _check_if_due(self, agent: _Agent, trail: _Trail, now: float, outcome: Outcome) -> None:
        if now < trail.next_check:
            return
        limits = self._limits
        if not trail.is_fresh(now, limits.consent_timeout):
            if not self._is_proven(agent, trail.path.address, now) and not self._may_probe(trail.path.address, now):
                self.drops["ice_probe_held"] += 1
                return
            # Doubled, as RFC 8489 section 6.2.1 doubles.
            wait = limits.probe_interval * 2 ** min(trail.unanswered, limits.probes)
        else:
            wait = limits.consent_interval
        transaction = self._randomness(stun.TRANSACTION_BYTES)
        if not self._remember(transaction, _Check(agent, trail, trail.session, now)):
            self.drops["ice_checks_full"] += 1
            return
        trail.next_check = now + self._spaced(wait)
        if trail.unanswered == 0:
            trail.unanswered_since = now
        trail.unanswered += 1
        session = trail.session
        username = session.remote.ufrag + b":" + session.local.ufrag
        check = Message(Kind.REQUEST, transaction, username=username, priority=_CHECK_PRIORITY, claim=agent.claim)
        outcome.sends.append(Send(trail.path, stun.build(check, session.remote.password)))

    def _is_proven(self, agent: _Agent, address: Address, now: float) -> bool:
        """Whether it has answered on another of our sockets: then it is no victim."""
        timeout = self._limits.consent_timeout
        return any(one.path.address == address and one.is_fresh(now, timeout) for one in agent.trails.values())

    def _may_probe(self, address: Address, now: float) -> bool:
        """The oldest stand in front, so what is over is found there."""
        while self._probed:
            oldest = next(iter(self._probed))
            if now - self._probed[oldest] < self._limits.probe_interval:
                break
            del self._probed[oldest]
        if address in self._probed or len(self._probed) >= self._limits.probed_addresses:
            return False
        self._probed[address] = now
        return True

    def _remember(self, transaction: bytes, check: _Check) -> bool:
        while self._checks:
            oldest = next(iter(self._checks))
            if check.sent_at - self._checks[oldest].sent_at < self._limits.check_lifetime:
                break
            del self._checks[oldest]
        if len(self._checks) >= self._limits.pending:
            return False
        self._checks[transaction] = check
        return True

    def _spaced(self, seconds: float) -> float:
        """RFC 7675 section 5.1: between 0.8 and 1.2 times, so that many do not come at once."""
        return seconds * (0.8 + 0.4 * self._randomness(1)[0] / 255)

    def _forget(self, agent: _Agent, trail: _Trail, outcome: Outcome) -> None:
        self._drop_trail(agent, trail)
        if agent.selected is trail:
            agent.selected = None
            outcome.events.append(ConsentLost(agent.handle))

    def _drop_trail(self, agent: _Agent, trail: _Trail) -> None:
        agent.trails.pop(trail.path, None)
        if self._validated.get(trail.path) is agent:
            del self._validated[trail.path]
        if agent.nominated is trail:
            agent.nominated = None

    def _new_session(self, agent: _Agent, remote: Credentials) -> Credentials:
        number = agent.sessions[-1].number + 1 if agent.sessions else 1
        local = made_credentials(self._worker, self._randomness)
        session = _Session(agent, number, local, remote)
        agent.sessions.append(session)
        self._sessions[local.ufrag] = session
        return local

    def _end_session(self, session: _Session) -> None:
        agent = session.owner
        agent.sessions.remove(session)
        self._sessions.pop(session.local.ufrag, None)
        for trail in [one for one in agent.trails.values() if one.session is session]:
            self._drop_trail(agent, trail)
