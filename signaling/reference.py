"""Every message as JSON Schema, made from the types: ``python -m signaling.reference --write`` or ``--check``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from signaling.messages import Fault
from signaling.requests import REQUESTS
from signaling.telling import ADMITTED, TELLINGS

SCHEMA_FILE: Final = Path("docs/signaling-schema.json")
_SAYS: Final = "Made by `python -m signaling.reference --write`; do not edit."


def document() -> dict[str, Any]:
    """``requests`` has for each type its data and what its reply may be, ``notices`` what the server says by itself."""
    told = {telling.name: telling.view for telling in (ADMITTED, *TELLINGS.values())}
    replies = [kind for known in REQUESTS.values() for kind in known.replies]
    kinds = [*told.values(), *(known.request for known in REQUESTS.values()), *replies, Fault]
    schemas, definitions = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    of = dict(zip(kinds, schemas, strict=True))
    requests = {
        name: {"data": of[known.request], "replies": [of[kind] for kind in known.replies]}
        for name, known in REQUESTS.items()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": _SAYS,
        "requests": requests,
        "notices": {name: of[view] for name, view in told.items()},
        "error": of[Fault],
        "$defs": dict(sorted(definitions.items())),
    }


def written() -> str:
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def is_stale(root: Path) -> bool:
    file = root / SCHEMA_FILE
    return not file.is_file() or file.read_text(encoding="utf-8") != written()


def main(arguments: list[str]) -> int:
    root = Path(__file__).parent.parent
    if arguments == ["--write"]:
        (root / SCHEMA_FILE).write_text(written(), encoding="utf-8")
        return 0
    if arguments == ["--check"]:
        if is_stale(root):
            sys.stderr.write(f"{SCHEMA_FILE} is out of date; run `python -m signaling.reference --write`\n")
            return 1
        return 0
    sys.stderr.write("usage: python -m signaling.reference --write|--check\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
