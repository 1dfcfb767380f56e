"""The one place where what went wrong becomes an ``error`` frame, and the end of a socket where it cannot go on."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

import structlog

from kernel.errors import DependencyUnavailable, Forbidden, Malformed, SecureConnectError
from signaling.messages import Fault

_log = structlog.stdlib.get_logger("signaling")

LONGEST_DETAIL: Final = 300


class CloseCode(IntEnum):
    """1000 and 1001 are of RFC 6455, those from 4000 on are ours."""

    DONE = 1000
    GOING_AWAY = 1001
    BROKEN_PROTOCOL = 4400
    FORBIDDEN = 4403
    TOO_SLOW = 4408


class BrokenProtocol(Malformed):
    """The client sent what no client of this protocol sends."""


class CannotStay(Forbidden):
    """Refused at the door: there is nothing to go on with."""

    @classmethod
    def after(cls, refusal: SecureConnectError) -> Self:
        return cls(refusal.detail, code=refusal.code)


@dataclass(frozen=True, slots=True)
class Verdict:
    fault: Fault
    close: CloseCode | None = None


def judged(error: Exception) -> Verdict:
    """Ours is logged, under an id that the client is told."""
    if not isinstance(error, SecureConnectError) or isinstance(error, DependencyUnavailable):
        return _ours(error)
    fault = Fault(error.code, error.detail[:LONGEST_DETAIL])
    if isinstance(error, BrokenProtocol):
        return Verdict(fault, CloseCode.BROKEN_PROTOCOL)
    if isinstance(error, CannotStay):
        return Verdict(fault, CloseCode.FORBIDDEN)
    return Verdict(fault)


def _ours(error: Exception) -> Verdict:
    error_id = secrets.token_hex(8)
    _log.error("a request of a room failed", error_id=error_id, exc_info=error)
    return Verdict(Fault("internal_error", "Something failed here. It was logged under this id.", error_id))
