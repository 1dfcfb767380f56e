"""What a test and its emulator's process say to each other: a line of JSON each way."""

from __future__ import annotations

from enum import Enum

import msgspec

from tests.emulator.link import Conditions, Counts


class Way(Enum):
    UP = "up"
    DOWN = "down"


class Begin(msgspec.Struct, frozen=True, tag=True):
    """The first order. ``server`` is where datagrams of clients go, ``host`` where clients send them to."""

    host: str
    server_host: str
    server_port: int
    up: Conditions
    down: Conditions
    seed: int


class Change(msgspec.Struct, frozen=True, tag=True):
    way: Way
    conditions: Conditions


class Pause(msgspec.Struct, frozen=True, tag=True):
    way: Way
    seconds: float


class Report(msgspec.Struct, frozen=True, tag=True):
    """Changes nothing; every order is answered alike."""


class Status(msgspec.Struct, frozen=True):
    """``peers`` are addresses of clients so far; ``refused`` the datagrams of those beyond the most there may be, and
    ``unsent`` what the system would not take."""

    port: int
    up: Counts
    down: Counts
    peers: int
    refused: int
    unsent: int


Order = Begin | Change | Pause | Report
