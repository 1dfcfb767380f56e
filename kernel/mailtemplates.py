"""Mails as templates with typed values: everything put into HTML is escaped, every link is http or https.

A template is checked when it is made, at import: a placeholder without a value, a value without a place and a text
where only a link may stand are programming errors that no recipient ever sees.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, fields
from string import Template
from typing import TYPE_CHECKING, Final, Generic, TypeVar, get_type_hints
from urllib.parse import urlsplit

from kernel.mail import Mail

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Values = TypeVar("Values", bound="DataclassInstance")

# The one place in a tag where a value may stand, and it has to be a Link there.
_LINK_PLACE: Final = re.compile(r'href="\$\{(\w+)\}"')
_TAG: Final = re.compile(r"<[^>]*>")
# Text inside these is not escaped as HTML is.
_RAW_ELEMENTS: Final = re.compile(r"<\s*(script|style)\b", re.IGNORECASE)

# Characters that would let a name start a line of its own or turn the text around it.
_CONTROL_CATEGORIES: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
_DIRECTION_CONTROLS: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, slots=True)
class Link:
    """An absolute http or https URL: the only kind of value that may become an ``href``."""

    url: str

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or not self.url.isprintable() or " " in self.url:
            raise ValueError("a link in a mail is an absolute http or https URL without spaces")


class MailTemplate(Generic[Values]):
    """``${name}`` stands for the field ``name`` of ``values``, a dataclass of ``str``, ``int`` and ``Link`` fields.

    In HTML a placeholder stands in text, or a Link alone in ``href="${name}"``; nowhere else in a tag.
    """

    def __init__(self, values: type[Values], *, subject: str, text: str, html: str) -> None:
        self._subject, self._text, self._html = Template(subject), Template(text), Template(html)
        hints = get_type_hints(values)
        self._names = tuple(field.name for field in fields(values))
        if wrong := [name for name in self._names if hints[name] not in (str, int, Link)]:
            raise TypeError(f"{values.__name__} has fields that are neither str, int nor Link: {wrong}")
        for part in (self._subject, self._text, self._html):
            if not part.is_valid() or not set(part.get_identifiers()) <= set(self._names):
                raise ValueError(f"a placeholder is malformed or not a field of {values.__name__}: {part.template!r}")
        # The text is a whole mail of its own: who reads no HTML gets everything.
        if missing := set(self._names) - set(self._text.get_identifiers()):
            raise ValueError(f"the text leaves out {sorted(missing)}")
        _check_html(html, {name for name in self._names if hints[name] is Link})

    def mail(self, values: Values, *, message_id: str, to: str) -> Mail:
        return Mail(
            message_id=message_id,
            to=to,
            subject=self._filled(self._subject, values, _as_text),
            text=self._filled(self._text, values, _as_text),
            html=self._filled(self._html, values, _as_html),
        )

    def _filled(self, template: Template, values: Values, shown: Callable[[str | int | Link], str]) -> str:
        return template.substitute({name: shown(getattr(values, name)) for name in self._names})


def _check_html(template: str, links: set[str]) -> None:
    if _RAW_ELEMENTS.search(template):
        raise ValueError("a mail's HTML has neither script nor style elements")
    placed = set(_LINK_PLACE.findall(template))
    if not placed <= links:
        raise ValueError(f"only a Link may be an href, not {sorted(placed - links)}")
    for tag in _TAG.findall(_LINK_PLACE.sub("", template)):
        if "$" in tag:
            raise ValueError(f'inside a tag a value stands only as href="${{link}}", not as in {tag}')


def _as_text(value: str | int | Link) -> str:
    """One line, reading the way it looks."""
    raw = value.url if isinstance(value, Link) else str(value)
    kept = (" " if unicodedata.category(char) in _CONTROL_CATEGORIES else char for char in raw)
    return " ".join("".join(char for char in kept if char not in _DIRECTION_CONTROLS).split())


def _as_html(value: str | int | Link) -> str:
    return html.escape(_as_text(value), quote=True)
