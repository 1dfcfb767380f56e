"""What live rooms report about themselves and about the engine they use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from kernel.metrics import Metrics
from sfu.admission import Load
from sfu.sources import Source

# A tick may take a tenth of a second at most, or it falls behind.
_TICK_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25)


class Meters:
    def __init__(self, metrics: Metrics) -> None:
        self.rooms = metrics.gauge("rooms_live", "Rooms that somebody is in, or was until a moment ago")
        self._participants = metrics.gauge("participants", "Participants in rooms of this node")
        self._transports = metrics.gauge("media_transports", "Participants' connections for media")
        self._slots = metrics.gauge("media_slots", "Streams that this node may have to send")
        self.tick = metrics.histogram(
            "rooms_tick_seconds", "What a look at all rooms took, ten a second", buckets=_TICK_BUCKETS
        )
        self._tracks = metrics.gauge("tracks", "Published tracks", ("source",))
        self._departures = metrics.counter("participants_left_total", "Who left, and why", ("reason",))
        self._handshakes = metrics.counter("media_handshakes_total", "How handshakes of DTLS ended", ("outcome",))
        self._gated = metrics.counter(
            "gated_total", "Frames and messages that a Secure room did not forward: why", ("what", "reason")
        )
        self._muted = metrics.counter("gate_muted_total", "Tracks and messages muted for it", ("what",))
        self._drops = metrics.counter("media_drops_total", "What was not taken or forwarded, by name", ("name",))
        self._messages = metrics.counter("data_messages_dropped_total", "Messages not delivered: why", ("reason",))
        self._faults = metrics.counter("rooms_faults_total", "Faults of ours, by what they cost", ("where",))
        self._flowing = metrics.counter("sources_flowing_total", "Published tracks of which a first packet came")
        self._told: Counter[str] = Counter()

    def loaded(self, load: Load) -> None:
        self._participants.set(load.participants)
        self._transports.set(load.transports)
        self._slots.set(load.slots)

    def published(self, source: Source, by: int) -> None:
        self._tracks.labels(source.value).inc(by)

    def flowing(self) -> None:
        self._flowing.inc()

    def left(self, reason: str) -> None:
        self._departures.labels(reason).inc()

    def handshake(self, outcome: str) -> None:
        self._handshakes.labels(outcome).inc()

    def gated(self, what: str, reason: str, *, mutes: bool) -> None:
        self._gated.labels(what, reason).inc()
        if mutes:
            self._muted.labels(what).inc()

    def message_dropped(self, reason: str) -> None:
        self._messages.labels(reason).inc()

    def fault(self, where: str) -> None:
        self._faults.labels(where).inc()

    def connection_dropped(self, drops: Mapping[str, int]) -> None:
        """What one connection did not take or deliver, once it has ended."""
        for name, count in drops.items():
            self._drops.labels(name).inc(count)

    def engine_dropped(self, totals: Mapping[str, int]) -> None:
        """Counted by the engine since its start; told from here on."""
        for name, total in totals.items():
            self._drops.labels(name).inc(max(0, total - self._told[name]))
            self._told[name] = total
