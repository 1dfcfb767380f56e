"""The gate of a source: what it lets through, what is held for the start of its frame, what is never forwarded."""

from __future__ import annotations

from collections import Counter
from typing import Final, TypeAlias

from media.engine import GateRule
from media.framecrypto import SEALED_CODECS
from media.gate import Action, Arrival, Judgement, TrackGate
from media.portable.held import Held
from media.portable.packet import Gap, Incoming, Refused

Outcome: TypeAlias = Incoming | Gap | Refused

_START_UNSEEN: Final = "gate_start_unseen"


class Gating:
    """Of one source with all its streams. What ``judge`` returns as ``Incoming`` was judged to be forwarded, each one
    by itself; for every other packet there is a ``Gap`` once that is certain. Drops are counted as ``gate_...`` with
    the word of media.gate.Reason, and as ``gate_codec`` what it cannot judge."""

    __slots__ = ("_drops", "_gate", "_held")

    def __init__(self, rule: GateRule, drops: Counter[str]) -> None:
        """Raises ValueError for key ids that cannot be announced."""
        self._gate = TrackGate(rule.key_ids)
        self._held: Held[Incoming] = Held()
        self._drops = drops

    def announce(self, rule: GateRule) -> None:
        """Also takes back a muting. What was seen of counters stays. Raises ValueError as above."""
        self._gate.announce(rule.key_ids)
        self._gate.unmute()

    @property
    def muted(self) -> bool:
        return self._gate.muted

    def judge(self, packet: Incoming, now: float) -> list[Outcome]:
        outcomes: list[Outcome] = []
        if self._held:
            self._dropped(self._held.expire(now), outcomes)
        if packet.codec not in SEALED_CODECS:
            self._drops["gate_codec"] += 1
            outcomes.append(Gap(packet.stream, packet.number))
            return outcomes
        judgement = self._gate.judge(_arrival(packet))
        if judgement.action is Action.HOLD:
            self._dropped(self._held.add(packet, packet.number, _frame(packet), now), outcomes)
            return outcomes
        self._settle(packet, judgement, outcomes)
        if self._held:
            for waited in self._held.take(_frame(packet)):
                waited.is_repair = True
                self._settle(waited, self._gate.judge(_arrival(waited)), outcomes)
        return outcomes

    def _settle(self, packet: Incoming, judgement: Judgement, outcomes: list[Outcome]) -> None:
        if judgement.action is Action.FORWARD:
            outcomes.append(packet)
            return
        # A packet that would have to be held a second time waits for a start that is forgotten.
        self._drops[f"gate_{judgement.reason.value}" if judgement.reason else _START_UNSEEN] += 1
        outcomes.append(Gap(packet.stream, packet.number))
        if judgement.failed and judgement.reason is not None:
            outcomes.append(Refused(judgement.reason, judgement.mutes))

    def _dropped(self, packets: list[Incoming], outcomes: list[Outcome]) -> None:
        for packet in packets:
            self._drops[_START_UNSEEN] += 1
            outcomes.append(Gap(packet.stream, packet.number))


def _arrival(packet: Incoming) -> Arrival:
    """Streams are told apart by their index: counters rise through a restart of the encoder too, which changes SSRCs
    at will, and so does ``number``."""
    return Arrival(packet.stream, packet.number, packet.timestamp, packet.codec, packet.payload, packet.part)


def _frame(packet: Incoming) -> tuple[int, int, int]:
    return packet.stream, packet.timestamp, packet.part.spatial_id or 0
