"""What happened, in order, until somebody fetches it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence

from media.engine import DtlsDatagram, Event, TransportId

# A handshake has some twenty datagrams, and whoever floods has their own only; DTLS sends again what is lost.
MOST_DTLS = 64


class Events:
    """Only datagrams of DTLS come at a peer's pace, and these have a bound for each transport: the newest is dropped
    and counted as ``dtls_overflow``. Everything else is bounded by what it tells of."""

    def __init__(self, wake: Callable[[], None], drops: Counter[str]) -> None:
        self._wake = wake
        self._drops = drops
        self._waiting: deque[Event] = deque()
        self._datagrams: Counter[TransportId] = Counter()
        self._woken = False

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, event: Event) -> None:
        if isinstance(event, DtlsDatagram):
            if self._datagrams[event.transport] >= MOST_DTLS:
                self._drops["dtls_overflow"] += 1
                return
            self._datagrams[event.transport] += 1
        self._waiting.append(event)
        if not self._woken:
            self._woken = True
            self._wake()

    def fetch(self, most: int) -> Sequence[Event]:
        """Those left over are told of again at once: whoever was woken need not ask until there is nothing."""
        fetched = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        for event in fetched:
            if isinstance(event, DtlsDatagram):
                self._datagrams[event.transport] -= 1
                if not self._datagrams[event.transport]:
                    del self._datagrams[event.transport]
        self._woken = False
        if self._waiting:
            self._woken = True
            self._wake()
        return fetched
