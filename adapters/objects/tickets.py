"""Signed URLs of the local store: everything a URL permits is in its query, and the signature covers all of it."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from adapters.objects.keys import (
    checked_content_type,
    checked_expiry,
    checked_key,
    checked_number,
    checked_size,
    checked_upload,
)
from kernel.clock import Clock
from kernel.errors import Forbidden
from kernel.objects import SignedUrl

PATH = "/v1/objects/"

# The key also signs other things; the purpose keeps one kind of signature from passing as another.
_PURPOSE = "secureconnect object url 1"


@dataclass(frozen=True, slots=True)
class Grant:
    """What a verified URL permits; ``upload`` and ``part`` come together, ``size`` is None for reading."""

    method: str
    key: str
    expires_at: float
    content_type: str | None = None
    size: int | None = None
    upload: str | None = None
    part: int | None = None
    file_name: str | None = None

    def admit_body(self, content_type: str | None, content_length: int | None) -> None:
        """Raises Forbidden unless a PUT announces exactly the body that was signed for."""
        if content_length != self.size or (self.content_type is not None and content_type != self.content_type):
            raise Forbidden(
                "The body's Content-Length or Content-Type is not the one this URL was signed for.",
                code="signature_invalid",
            )


class LocalSigner:
    """ObjectSigner whose URLs lead to this process (``base_url`` + /v1/objects/...)."""

    def __init__(self, signing_key: bytes, base_url: str, clock: Clock) -> None:
        self._key = signing_key
        self._base = base_url.rstrip("/") + PATH
        self._clock = clock

    async def sign_get(self, key: str, *, expires_in: float, file_name: str | None = None) -> SignedUrl:
        named = {} if file_name is None else {"name": file_name.encode("utf-8", "replace").decode()}
        return self._sign("GET", key, expires_in, named, {})

    async def sign_put(self, key: str, *, expires_in: float, content_type: str, size: int) -> SignedUrl:
        parameters = {"type": checked_content_type(content_type), "size": str(checked_size(size))}
        return self._sign("PUT", key, expires_in, parameters, {"Content-Type": content_type})

    async def sign_part(self, key: str, upload: str, number: int, *, expires_in: float, size: int) -> SignedUrl:
        parameters = {
            "upload": checked_upload(upload),
            "part": str(checked_number(number)),
            "size": str(checked_size(size)),
        }
        return self._sign("PUT", key, expires_in, parameters, {})

    def _sign(
        self, method: str, key: str, expires_in: float, parameters: Mapping[str, str], headers: Mapping[str, str]
    ) -> SignedUrl:
        expires = math.ceil(self._clock.now() + checked_expiry(expires_in))
        signed = {**parameters, "expires": str(expires)}
        signature = _signature(self._key, method, checked_key(key), signed)
        length = {"Content-Length": parameters["size"]} if "size" in parameters else {}
        url = f"{self._base}{key}?{urlencode({**signed, 'signature': signature})}"
        return SignedUrl(url, method, {**headers, **length}, float(expires))


def verify(signing_key: bytes, method: str, key: str, query: Mapping[str, str], *, now: float) -> Grant:
    """What a request's URL permits. Raises Forbidden ``signature_invalid`` or ``signature_expired``.

    HEAD is permitted by a GET's signature. ``query`` holds each parameter once (hand in the decoded pairs; of a
    repeated name the signature can only match one value, so any choice is safe).
    """
    parameters = {name: value for name, value in query.items() if name != "signature"}
    signed_method = "GET" if method == "HEAD" else method
    expected = _signature(signing_key, signed_method, key, parameters)
    offered = query.get("signature", "").encode("utf-8", "replace")
    if not hmac.compare_digest(expected.encode(), offered):
        raise Forbidden("This URL was not signed by us, or was changed.", code="signature_invalid")
    # From here on the parameters are our own, so they have the form we gave them.
    expires_at = float(parameters["expires"])
    if now >= expires_at:
        raise Forbidden("This URL has expired; ask for a new one.", code="signature_expired")
    size, part = parameters.get("size"), parameters.get("part")
    return Grant(
        signed_method,
        key,
        expires_at,
        content_type=parameters.get("type"),
        size=None if size is None else int(size),
        upload=parameters.get("upload"),
        part=None if part is None else int(part),
        file_name=parameters.get("name"),
    )


def _signature(signing_key: bytes, method: str, key: str, parameters: Mapping[str, str]) -> str:
    statement = json.dumps([_PURPOSE, method, key, sorted(parameters.items())])
    return hmac.new(signing_key, statement.encode(), hashlib.sha256).hexdigest()
