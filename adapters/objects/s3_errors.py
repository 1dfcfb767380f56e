"""What S3's error codes mean to us."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from adapters.objects import s3_xml
from kernel.errors import Conflict, DependencyUnavailable, NotFound, SecureConnectError, TooLarge, Unprocessable


class Failing(Exception):
    """The server answered that it cannot answer: try again, and count it as an outage."""


class OutsideObject(Exception):
    """The range asked for begins at or after the object's end."""


class BucketMissing(Exception):
    """There is no bucket yet, or no longer."""


def _refused(cure: str) -> Callable[[], SecureConnectError]:
    return lambda: DependencyUnavailable("objects", f"the S3 server refuses us: {cure}")


def _no_such_upload() -> SecureConnectError:
    return NotFound("There is no such upload; it was completed, aborted or abandoned.", code="upload_not_found")


def _no_such_object() -> SecureConnectError:
    return NotFound("There is no such object.")


def _invalid_part() -> SecureConnectError:
    return Unprocessable("A part is missing or was replaced since.", code="invalid_part")


_MEANING: Final[Mapping[str, Callable[[], Exception]]] = {
    "NoSuchKey": _no_such_object,
    "NoSuchUpload": _no_such_upload,
    "NoSuchBucket": lambda: BucketMissing("the bucket does not exist"),
    "InvalidRange": lambda: OutsideObject("the range begins after the object's end"),
    "BucketAlreadyOwnedByYou": lambda: Conflict("The bucket is there already."),
    "InvalidPart": _invalid_part,
    "InvalidPartOrder": _invalid_part,
    "EntityTooSmall": lambda: Unprocessable("Every part but the last has at least 5 MiB.", code="part_too_small"),
    "EntityTooLarge": lambda: TooLarge("The object is larger than the S3 server takes."),
    "PreconditionFailed": lambda: Conflict("The object was changed by someone else."),
    "OperationAborted": lambda: Failing("a conflicting operation is under way"),
    "AccessDenied": _refused("check objects.access_key and what it may do to objects.bucket"),
    "InvalidAccessKeyId": _refused("objects.access_key is not known there"),
    "SignatureDoesNotMatch": _refused("objects.secret_key or objects.region is wrong"),
    "AuthorizationHeaderMalformed": _refused("objects.region is not the bucket's"),
    "PermanentRedirect": _refused("objects.endpoint or objects.region is not the bucket's"),
    "RequestTimeTooSkewed": _refused("its clock and this machine's differ too much"),
    "BucketAlreadyExists": _refused("objects.bucket belongs to someone else"),
    "QuotaExceeded": _refused("its quota is used up"),
    "XMinioStorageFull": _refused("its disks are full"),
}

# An answer without a body (to HEAD) has only its status.
_MEANING_OF_STATUS: Final[Mapping[int, Callable[[], Exception]]] = {
    301: _MEANING["PermanentRedirect"],
    403: _MEANING["AccessDenied"],
    404: _no_such_object,
    412: _MEANING["PreconditionFailed"],
    416: _MEANING["InvalidRange"],
}

# Transit and overload: the same request may well succeed the next time, whatever the status says.
_TRANSIENT: Final = frozenset(
    {"BadDigest", "IncompleteBody", "InternalError", "RequestTimeout", "ServiceUnavailable", "SlowDown"}
    | {"XAmzContentSHA256Mismatch", "ThrottlingException", "ServerBusy"}
)


def error_of(status: int, body: bytes) -> Exception:
    """The exception that an error answer stands for."""
    code, message = _code_and_message(body)
    if status >= 500 or status == 429 or code in _TRANSIENT:
        return Failing(f"{status} {code}: {message}")
    meaning = _MEANING.get(code) or (None if code else _MEANING_OF_STATUS.get(status))
    if meaning is not None:
        return meaning()
    return DependencyUnavailable("objects", f"the S3 server answered {status} {code}: {message}"[:300])


def _code_and_message(body: bytes) -> tuple[str, str]:
    if not body.strip():
        return "", "no message"
    try:
        error = s3_xml.parse(body)
    except s3_xml.NotXml:
        return "", "not an S3 error; is objects.endpoint an S3 server?"
    return error.value("Code"), error.value("Message") or "no message"
