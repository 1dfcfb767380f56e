"""Titles and descriptions. Pure. They are kept as they were written and shown as text."""

from __future__ import annotations

from kernel.errors import FieldError, Unprocessable

MAX_TITLE = 128
MAX_DESCRIPTION = 2000


def title(text: str) -> str:
    """One line. Raises Unprocessable ``invalid_title``."""
    line = text.strip()
    if not 1 <= len(line) <= MAX_TITLE or not all(char.isprintable() for char in line):
        message = f"is one line of 1 to {MAX_TITLE} characters that can be seen"
        raise Unprocessable(f"A title {message}.", code="invalid_title", fields=[FieldError("title", message)])
    return line


def description(text: str) -> str | None:
    """None for an empty one."""
    return text.strip() or None
