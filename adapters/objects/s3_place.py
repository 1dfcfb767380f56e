"""Where a bucket is: the URL of every object in it, in both styles of addressing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Self
from urllib.parse import urlsplit

_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}


@dataclass(frozen=True, slots=True)
class Place:
    """``host`` as the Host header has it, port included unless it is the scheme's own."""

    scheme: str
    host: str
    bucket_path: str

    @classmethod
    def of(cls, endpoint: str, bucket: str, addressing: Literal["path", "host"]) -> Self:
        parts = urlsplit(endpoint)
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.path.strip("/") or parts.query:
            raise ValueError(f"an S3 endpoint looks like https://host:port, not {endpoint!r}")
        host = parts.netloc.rpartition("@")[2].lower().removesuffix(_DEFAULT_PORTS[parts.scheme])
        if addressing == "host":
            return cls(parts.scheme, f"{bucket}.{host}", "/")
        return cls(parts.scheme, host, f"/{bucket}")

    def path(self, key: str) -> str:
        """Keys hold only characters that need no encoding; the empty key is the bucket itself."""
        return f"{self.bucket_path.rstrip('/')}/{key}" if key else self.bucket_path

    def url(self, key: str, query: str) -> str:
        return f"{self.scheme}://{self.host}{self.path(key)}{'?' + query if query else ''}"
