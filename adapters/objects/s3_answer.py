"""An S3 server's answer: read within a bound, errors raised as what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import aiohttp

from adapters.objects import s3_xml
from adapters.objects.s3_errors import Failing, error_of

# Lists of at most 1,000 keys or parts are well under this.
_LARGEST: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def etag(self) -> str:
        return self.headers.get("ETag", "").strip('"')

    def xml(self, root: str) -> s3_xml.Element:
        """The document it carries. S3 may report an error under status 200, when it found out late."""
        try:
            document = s3_xml.parse(self.body)
        except s3_xml.NotXml as error:
            raise Failing(f"it sent no XML where S3 sends {root}: {error}") from error
        if document.name == "Error":
            raise error_of(self.status, self.body)
        if document.name != root:
            raise Failing(f"it sent {document.name} where S3 sends {root}")
        return document


async def answer_of(response: aiohttp.ClientResponse) -> Answer:
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > _LARGEST:
            raise Failing(f"its answer is larger than {_LARGEST} bytes")
    if response.status >= 300:
        raise error_of(response.status, bytes(body))
    return Answer(response.status, response.headers, bytes(body))
