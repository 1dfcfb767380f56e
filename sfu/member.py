"""A participant as whoever holds its socket sees it: what it may ask for. Everything raises errors of
``sfu.refusals`` and has then changed nothing; after the end of its stay all of it raises ``not_joined``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sfu.notices import Joined
from sfu.requests import Negotiated, Publication, Receive


class Member(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def joined(self) -> Joined | None:
        """As it was on coming in; None for one who waits to be let in, who is told ``Admitted`` later."""
        ...

    async def negotiate(self, sdp: str, publish: Sequence[Publication], receive: Receive) -> Negotiated:
        """Returns before anything is told that the answer is needed for. Refused: ``invalid_sdp`` (the detail begins
        with the reason), ``negotiation_in_progress``, ``not_granted``, ``encryption_required``,
        ``mode_forbids_clear_media``, ``too_many_tracks``, ``node_overloaded``."""
        ...

    def take_candidate(self, candidate: str, mid: str) -> None:
        """Checked for its form and forgotten: addresses are learned from checks. Refused: ``invalid_sdp``."""
        ...

    def want(self, track: str, width: int, height: int, fps: float | None = None, priority: int = 0) -> None:
        """``unknown_track``. 0 x 0 for one that is not seen and keeps its slot."""
        ...

    def unwant(self, track: str) -> None: ...

    def pin(self, track: str, *, pinned: bool) -> None: ...

    def mute(self, track: str, *, muted: bool) -> None:
        """Its own. One that the gate muted may be tried anew this way, once it says that it is not muted."""
        ...

    def unpublish(self, track: str) -> None: ...

    def set_metadata(self, metadata: str | None, name: str | None = None) -> None:
        """Without a name that stays. ``metadata_too_long``."""
        ...

    def raise_hand(self, *, raised: bool) -> None: ...

    def react(self, emoji: str) -> None: ...

    def send_data(self, payload: bytes, to: Sequence[str] | None = None, *, reliable: bool = True) -> None:
        """``not_granted``, ``encryption_required``, ``mode_forbids_clear_media``, ``unknown_participant``,
        ``rate_limited``."""
        ...

    def leave(self) -> None:
        """Tells the others. It is not told ``Ended`` itself."""
        ...

    def socket_lost(self) -> None:
        """It stays for as long as docs/signaling.md says, is told things meanwhile, and is told ``Ended`` when that was
        too long."""
        ...

    def socket_back(self) -> None: ...
