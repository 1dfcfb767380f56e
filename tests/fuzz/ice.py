"""Our side of ICE before peers that do what they like: participants with good passwords, strangers, and victims whose
addresses are forged.

Bytes are steps of theirs. Whatever they are: nothing is raised, strangers get no answer, who has not answered a check
of ours gets no more than an answer to each request and a few checks, and no address counts as a transport's before the
right peer has answered from there.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from media import stun
from media.icelite import Agents
from media.icevalues import Credentials, Limits, Outcome, Path, Send
from media.stun import Claim, Kind, Message, Role

LIMITS: Final = Limits(transports=4, paths=3, pending=16, probed_addresses=8)
PATHS: Final = tuple(Path(local, f"192.0.2.{host}", 40_000 + host) for local in (1, 2) for host in range(4))
PEER: Final = Credentials(b"peer", b"p" * 24)
WRONG: Final = b"w" * 24
FINGERPRINT_BYTES: Final = 8
CONTROLLING: Final = Claim(Role.CONTROLLING, 1)


@dataclass
class Course:
    steps: Iterator[int]
    dice: random.Random
    now: float = 0.0
    transports: dict[int, list[Credentials]] = field(default_factory=dict)
    checks: list[Send] = field(default_factory=list)
    answered: set[tuple[int, Path]] = field(default_factory=set)
    sent_to: Counter[tuple[str, int]] = field(default_factory=Counter)
    asked_from: Counter[tuple[str, int]] = field(default_factory=Counter)
    number: int = 0

    def __post_init__(self) -> None:
        self.agents = Agents(0, self.dice.randbytes, LIMITS)

    def run(self) -> None:
        for step in self.steps:
            _STEPS[step % len(_STEPS)](self)
            self.hold()

    def next_byte(self) -> int:
        return next(self.steps, 0)

    def path(self) -> Path:
        return PATHS[self.next_byte() % len(PATHS)]

    def did(self, outcome: Outcome) -> None:
        for send in outcome.sends:
            self.sent_to[send.path.address] += 1
            if stun.parse(send.data).message.kind is Kind.REQUEST:
                self.checks = [*self.checks[-15:], send]

    def received(self, data: bytes, path: Path) -> Outcome:
        outcome = self.agents.receive(data, path, self.now)
        assert all(isinstance(stun.parse(send.data), stun.Received) for send in outcome.sends)
        self.did(outcome)
        return outcome

    def hold(self) -> None:
        proven = {path.address for _, path in self.answered}
        spans = 2 + self.now / LIMITS.probe_interval
        for address, number in self.sent_to.items():
            assert address in proven or number <= self.asked_from[address] + spans
        for path in PATHS:
            owner = self.agents.transport_at(path)
            assert owner is None or (owner, path) in self.answered
        for transport in self.transports:
            chosen = self.agents.destination(transport)
            assert chosen is None or (transport, chosen) in self.answered

    def create(self) -> None:
        if len(self.agents) < LIMITS.transports:
            handle, ours = self.agents.create(PEER, self.now)
            self.transports[handle] = [ours]

    def restart(self) -> None:
        for handle, known in list(self.transports.items())[-1:]:
            known.append(self.agents.restart(handle, PEER))

    def remove(self) -> None:
        if self.transports:
            handle = list(self.transports)[self.next_byte() % len(self.transports)]
            self.agents.remove(handle)
            del self.transports[handle]
            self.answered = {one for one in self.answered if one[0] != handle}

    def asked(self, *, password: bytes | None = None, nominates: bool = False, claim: Claim = CONTROLLING) -> bytes:
        self.number += 1
        known = list(self.transports.values())
        sets = known[self.next_byte() % len(known)] if known else [Credentials(b"nobody", WRONG)]
        ours = sets[self.next_byte() % len(sets)]
        transaction = self.number.to_bytes(12, "big")
        username = ours.ufrag + b":" + PEER.ufrag
        message = Message(Kind.REQUEST, transaction, username, 1, nominates=nominates, claim=claim)
        return stun.build(message, ours.password if password is None else password)

    def ask(self) -> None:
        flags, path = self.next_byte(), self.path()
        self.asked_from[path.address] += 1
        claim = Claim(Role.CONTROLLED, 1) if flags & 12 == 12 else CONTROLLING
        self.received(self.asked(nominates=bool(flags & 1), claim=claim), path)

    def ask_as_a_stranger(self) -> None:
        outcome = self.received(self.asked(password=WRONG, nominates=True), self.path())
        assert outcome == Outcome()

    def send_broken(self) -> None:
        data = bytearray(self.asked(nominates=True))
        place, value = self.next_byte(), self.next_byte()
        # The fingerprint behind it is not covered by the integrity: it only tells STUN from other things.
        data[place % (len(data) - FINGERPRINT_BYTES)] ^= value or 1
        assert self.received(bytes(data), self.path()) == Outcome()

    def answer(self) -> None:
        """As the peer does that was checked."""
        if not self.checks:
            return
        check = self.checks.pop(self.next_byte() % len(self.checks))
        before = self.owners()
        self.received(_answer_to(check, PEER.password), check.path)
        self.answered |= self.owners() - before

    def owners(self) -> set[tuple[int, Path]]:
        return {(owner, path) for path in PATHS if (owner := self.agents.transport_at(path)) is not None}

    def answer_wrongly(self) -> None:
        """From elsewhere, or by somebody who does not know the password."""
        if not self.checks:
            return
        check = self.checks[self.next_byte() % len(self.checks)]
        elsewhere = self.path()
        password = WRONG if elsewhere == check.path or self.next_byte() & 1 else PEER.password
        before = self.owners()
        assert self.received(_answer_to(check, password), elsewhere) == Outcome()
        assert self.owners() == before

    def wait(self) -> None:
        self.now += self.next_byte() / 16
        self.did(self.agents.tick(self.now))


def _answer_to(check: Send, password: bytes) -> bytes:
    transaction = stun.parse(check.data).message.transaction
    return stun.build(Message(Kind.SUCCESS, transaction, mapped=("192.0.2.99", 1)), password)


_STEPS: Final = (
    Course.ask,
    Course.answer,
    Course.wait,
    Course.ask,
    Course.answer,
    Course.create,
    Course.ask_as_a_stranger,
    Course.send_broken,
    Course.answer_wrongly,
    Course.restart,
    Course.remove,
)


def ice(data: bytes, _: bytes) -> None:
    course = Course(iter(data), random.Random(1))  # noqa: S311
    course.create()
    course.run()


def seeds() -> list[bytes]:
    connect = bytes([0, 1, 0, 0, 0, 1, 0])
    roam = bytes([0, 1, 1, 0, 0, 1, 0, 2, 40, 0, 1, 5, 0, 0, 1, 0])
    return [connect, connect + roam, connect + bytes([9, 0, 1, 2, 0, 1, 1, 0, 2, 255] * 3), bytes(range(11)) * 4]
