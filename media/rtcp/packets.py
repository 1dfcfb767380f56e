"""The packets we understand, as values. An SSRC is 32 bits, a sequence number 16, whoever is behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """RFC 3550 section 6.4.1. ``fraction_lost`` is in 256ths, ``cumulative_lost`` may be negative (duplicates),
    ``jitter`` in timestamp units, ``last_report`` the middle of an NTP time, ``delay`` in 65536ths of a second."""

    ssrc: int
    fraction_lost: int
    cumulative_lost: int
    highest_sequence: int
    jitter: int
    last_report: int
    delay: int


@dataclass(frozen=True, slots=True)
class SenderReport:
    """``ntp`` has all 64 bits."""

    ssrc: int
    ntp: int
    rtp_timestamp: int
    packet_count: int
    octet_count: int
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class Description:
    """What is said of one source; of its items only these two mean anything here."""

    ssrc: int
    cname: str | None = None
    mid: str | None = None


@dataclass(frozen=True, slots=True)
class SourceDescription:
    chunks: tuple[Description, ...]


@dataclass(frozen=True, slots=True)
class Goodbye:
    ssrcs: tuple[int, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Nack:
    """``lost`` in the order in which they were named, each once."""

    sender_ssrc: int
    media_ssrc: int
    lost: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PictureLoss:
    sender_ssrc: int
    media_ssrc: int


@dataclass(frozen=True, slots=True)
class IntraRequest:
    """A request that is repeated has the same ``sequence``, a new one the next (RFC 5104 section 4.3.1.1)."""

    ssrc: int
    sequence: int


@dataclass(frozen=True, slots=True)
class FullIntraRequest:
    """Whom it concerns stands in the requests; the header's media SSRC is 0 (RFC 5104 section 4.3.1.2)."""

    sender_ssrc: int
    requests: tuple[IntraRequest, ...]


@dataclass(frozen=True, slots=True)
class Remb:
    """``bitrate`` in bit/s, with 18 significant bits on the wire: building rounds down."""

    sender_ssrc: int
    bitrate: int
    ssrcs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A packet that came: its distance from the base, and its ticks of 250 us since the previous one that came."""

    offset: int
    delta: int


@dataclass(frozen=True, slots=True)
class TransportFeedback:
    """Which of ``status_count`` packets from ``base_sequence`` on have come, and when. Only those that came are kept:
    thirty bytes can speak of 65,535 lost ones. ``reference_time`` is signed, in units of 64 ms."""

    sender_ssrc: int
    media_ssrc: int
    base_sequence: int
    status_count: int
    reference_time: int
    feedback_count: int
    arrivals: tuple[Arrival, ...]

    def times(self) -> Iterator[tuple[int, int]]:
        """(sequence number, ticks of 250 us on the receiver's clock) of each that came."""
        ticks = self.reference_time * 256
        for arrival in self.arrivals:
            ticks += arrival.delta
            yield (self.base_sequence + arrival.offset) & 0xFFFF, ticks


Packet: TypeAlias = (
    SenderReport
    | ReceiverReport
    | SourceDescription
    | Goodbye
    | Nack
    | PictureLoss
    | FullIntraRequest
    | Remb
    | TransportFeedback
)
