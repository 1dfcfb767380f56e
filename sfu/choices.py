"""Why everybody in a room has what they have: every choice of a slot and of a layer with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from media.engine import Layer
from sfu.allocation import Choice
from sfu.meeting import Meeting
from sfu.participants import Participant
from sfu.slots import Change


@dataclass(frozen=True, slots=True)
class Choices:
    """Of one subscriber. ``slots`` has by mid the last change and its reason, ``layers`` by track what it may be sent
    and why not more, ``flowing`` by mid the layer that the engine sends at this moment."""

    participant: str
    slots: Mapping[str, Change]
    layers: Mapping[str, Choice]
    flowing: Mapping[str, Layer | None]
    budget: int
    used: int


def choices(meeting: Meeting) -> tuple[Choices, ...]:
    return tuple(_of(one) for one in meeting.participants.values())


def _of(one: Participant) -> Choices:
    seat, connection = one.seat, one.connection
    flowing: dict[str, Layer | None] = {}
    if connection is not None:
        for slot in connection.slots:
            flowing[slot.mid] = connection.flowing.get(connection.sink(slot.mid), (None, None))[1]
    layers = seat.layers
    return Choices(one.id, dict(seat.reasons), dict(layers.choices), flowing, layers.budget, layers.used)
