"""Where settings are read from: a TOML file, the environment, and the small files secrets are kept in."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

# A configuration is kilobytes and a secret less; more is the wrong file.
LARGEST_CONFIGURATION = 1 << 20
LARGEST_VALUE_FILE = 64 << 10

_HEADER = re.compile(r"\s*\[\s*([A-Za-z0-9_-]+)\s*\]")
_ASSIGNMENT = re.compile(r"\s*([A-Za-z0-9_-]+(?:\s*\.\s*[A-Za-z0-9_-]+)?)\s*=")


def read_toml(path: Path) -> tuple[dict[str, object], dict[str, int]]:
    """The tables of a file and the line of each ``section.key``. Raises ValueError naming the cause."""
    text = _read_text(path, LARGEST_CONFIGURATION)
    try:
        return tomllib.loads(text), _lines_of_keys(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"not valid TOML: {error}") from error
    except RecursionError as error:
        raise ValueError("not a configuration: nested too deeply") from error


def read_value_file(name: str) -> str:
    """The content of a file that holds one value, without its trailing newline."""
    if not name:
        raise ValueError("names no file")
    text = _read_text(Path(name), LARGEST_VALUE_FILE)
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise ValueError(f"the file {name} is empty")
    return text


def _read_text(path: Path, largest: int) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(largest + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ValueError(f"the file {path} cannot be read: {reason}") from error
    if len(content) > largest:
        raise ValueError(f"the file {path} is larger than {largest} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"the file {path} is not UTF-8 text") from error


def _lines_of_keys(text: str) -> dict[str, int]:
    """Good enough to point at: inside a multi-line string it may see a key that is none."""
    lines: dict[str, int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            section = header[1]
            lines.setdefault(section, number)
        elif assignment := _ASSIGNMENT.match(line):
            name = re.sub(r"\s", "", assignment[1])
            lines.setdefault(f"{section}.{name}" if section else name, number)
    return lines
