"""The one error family. ``api/problem.py`` turns it into problem+json, signaling into frames; nobody else does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one field of a request; ``field`` is a dotted path such as ``settings.retention``."""

    field: str
    message: str


class SecureConnectError(Exception):
    """Something a caller can be told: ``code`` is stable and machine-read, ``detail`` is for people.

    ``detail`` reaches clients, so it never carries secrets, addresses of other users or internals.
    """

    default_code: ClassVar[str] = "internal_error"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        fields: Sequence[FieldError] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.default_code
        self.fields = tuple(fields)
        self.retry_after = retry_after


class Malformed(SecureConnectError):
    """The bytes or their shape are wrong: nothing was understood, nothing was done."""

    default_code = "malformed_request"


class Unauthenticated(SecureConnectError):
    """We do not know who is asking."""

    default_code = "unauthenticated"


class Forbidden(SecureConnectError):
    """We know who is asking, and they may not."""

    default_code = "forbidden"


class NotFound(SecureConnectError):
    """Not there, or not the caller's to know about: the two are never told apart."""

    default_code = "not_found"


class Conflict(SecureConnectError):
    """True when the caller looked, no longer true now: someone else was first."""

    default_code = "conflict"


class TooLarge(SecureConnectError):
    default_code = "too_large"


class UnsupportedMediaType(SecureConnectError):
    default_code = "unsupported_media_type"


class Unprocessable(SecureConnectError):
    """Understood and refused: well-formed, but a rule says no."""

    default_code = "unprocessable"


class RateLimited(SecureConnectError):
    default_code = "rate_limited"


class Overloaded(SecureConnectError):
    """A bound of ours was reached (a full queue, too many sockets); trying later is right."""

    default_code = "overloaded"


class TimedOut(SecureConnectError):
    """The request as a whole took longer than it is allowed to."""

    default_code = "timeout"


class DependencyUnavailable(SecureConnectError):
    """A store or service did not answer in time, refused, or its circuit is open.

    A write that raises this may or may not have happened; callers retry with the same idempotency key.
    """

    default_code = "dependency_unavailable"

    def __init__(self, dependency: str, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(f"{dependency} is unavailable: {reason}", retry_after=retry_after)
        self.dependency = dependency
        self.reason = reason
