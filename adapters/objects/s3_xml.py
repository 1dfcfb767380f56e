"""The little XML that S3 speaks, read with expat and without anything XML can do beyond elements and text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import escape

from kernel.objects import UploadedPart

_MAX_DEPTH = 16


class NotXml(Exception):
    """The answer is not the XML of an S3 server."""


@dataclass(slots=True)
class Element:
    name: str
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def value(self, name: str) -> str:
        """The text of the first child of that name; empty when there is none."""
        return next((child.text.strip() for child in self.all(name)), "")

    def all(self, name: str) -> Iterator[Element]:
        return (child for child in self.children if child.name == name)


def parse(body: bytes) -> Element:
    """Namespaces are dropped; a document type, and with it every entity, is refused."""
    parser = expat.ParserCreate(namespace_separator=" ")
    root = Element("")
    open_elements = [root]

    def start(name: str, _attributes: dict[str, str]) -> None:
        if len(open_elements) > _MAX_DEPTH:
            raise NotXml("elements are nested too deep")
        element = Element(name.rpartition(" ")[2])
        open_elements[-1].children.append(element)
        open_elements.append(element)

    def text(data: str) -> None:
        open_elements[-1].text += data

    def refuse(*_declaration: object) -> None:
        raise NotXml("a document type is declared")

    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _name: open_elements.pop()
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = refuse
    try:
        # S3 sends spaces ahead of a slow answer, to keep the connection open; XML allows none there.
        parser.Parse(body.lstrip(), True)
    except expat.ExpatError as error:
        raise NotXml(str(error)) from error
    return root.children[0]


def completion(parts: Sequence[UploadedPart]) -> bytes:
    listed = "".join(
        f"<Part><PartNumber>{part.number}</PartNumber><ETag>&quot;{escape(part.etag)}&quot;</ETag></Part>"
        for part in parts
    )
    return _document("CompleteMultipartUpload", listed)


def location(region: str) -> bytes:
    return _document("CreateBucketConfiguration", f"<LocationConstraint>{escape(region)}</LocationConstraint>")


def _document(name: str, content: str) -> bytes:
    return f'<{name} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{content}</{name}>'.encode()
