"""The one place that turns errors into answers: problem+json (RFC 9457) with a stable ``code``."""

from __future__ import annotations

import math
from http import HTTPStatus

from aiohttp import web
from msgspec import UNSET, Struct, UnsetType
from msgspec.json import Encoder

from kernel.errors import (
    Conflict,
    DependencyUnavailable,
    Forbidden,
    Malformed,
    NotFound,
    Overloaded,
    RateLimited,
    SecureConnectError,
    TimedOut,
    TooLarge,
    Unauthenticated,
    Unprocessable,
    UnsupportedMediaType,
)

STATUS_OF: dict[type[SecureConnectError], int] = {
    Malformed: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    TimedOut: 408,
    Conflict: 409,
    TooLarge: 413,
    UnsupportedMediaType: 415,
    Unprocessable: 422,
    RateLimited: 429,
    DependencyUnavailable: 503,
    Overloaded: 503,
}

# What aiohttp raises by itself, in our words.
_CODE_OF_STATUS = {
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not know that method."),
    413: ("too_large", "The request body is larger than this server accepts."),
    417: ("expectation_failed", "Only `Expect: 100-continue` is understood."),
}

CONTENT_TYPE = "application/problem+json"


class ProblemField(Struct, frozen=True):
    field: str
    message: str


class Problem(Struct, frozen=True, kw_only=True):
    """An error, RFC 9457. ``code`` is stable: programs read it, people read ``detail``."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    request_id: str | UnsetType = UNSET
    errors: tuple[ProblemField, ...] | UnsetType = UNSET


_encoder = Encoder()


def problem_response(
    status: int,
    code: str,
    detail: str,
    *,
    request_id: str | None = None,
    errors: tuple[ProblemField, ...] = (),
    retry_after: float | None = None,
) -> web.Response:
    problem = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        request_id=request_id or UNSET,
        errors=errors or UNSET,
    )
    response = web.Response(status=status, body=_encoder.encode(problem), content_type=CONTENT_TYPE)
    if retry_after is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(retry_after)))
    return response


def status_of(error: SecureConnectError) -> int:
    for kind in type(error).__mro__:
        status = STATUS_OF.get(kind)
        if status is not None:
            return status
    return 500


def from_error(error: SecureConnectError, request_id: str | None) -> web.Response:
    retry_after, detail = error.retry_after, error.detail
    if retry_after is None and isinstance(error, DependencyUnavailable | Overloaded | RateLimited):
        retry_after = 1.0
    if isinstance(error, DependencyUnavailable):
        # The reason names hosts and what a client of ours said; it is for the log and for health on this machine.
        detail = f"Something this needs does not answer ({error.dependency}); try again."
    response = problem_response(
        status_of(error),
        error.code,
        detail,
        request_id=request_id,
        errors=tuple(ProblemField(item.field, item.message) for item in error.fields),
        retry_after=retry_after,
    )
    if isinstance(error, Unauthenticated):
        response.headers["WWW-Authenticate"] = 'Bearer realm="secureconnect"'
    return response


def from_http_exception(error: web.HTTPException, request_id: str | None) -> web.StreamResponse:
    if error.status < 400:
        return error
    code, detail = _CODE_OF_STATUS.get(error.status, ("http_error", error.reason))
    response = problem_response(error.status, code, detail, request_id=request_id)
    for name in ("Allow", "Location"):
        if name in error.headers:
            response.headers[name] = error.headers[name]
    return response


def internal_error(request_id: str) -> web.Response:
    detail = f"Something failed here. It was logged; quote {request_id} when you report it."
    return problem_response(500, "internal_error", detail, request_id=request_id)
