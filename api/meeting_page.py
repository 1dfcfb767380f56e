"""The meeting page as it was built from ``web/``: a few files that never change while the process runs."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

BUILT: Final = Path(__file__).resolve().parent.parent / "web" / "built"
INDEX: Final = "index.html"
ASSETS: Final = "assets/"
# By their names, for what a system's own table of types does not know.
_TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".wasm": "application/wasm"}


@dataclass(frozen=True, slots=True)
class File:
    body: bytes
    content: str


class MeetingPage:
    """Read once, when it is first asked for: a start need not wait for it, nor the event loop."""

    def __init__(self, built: Path = BUILT) -> None:
        self._built = built
        self._reading = asyncio.Lock()
        self._files: Mapping[str, File] | None = None

    async def index(self) -> File | None:
        """None in a checkout where nobody has built it."""
        return (await self._all()).get(INDEX)

    async def asset(self, name: str) -> File | None:
        """One whose name holds a hash of it, so that it can be kept for ever."""
        return (await self._all()).get(ASSETS + name)

    async def _all(self) -> Mapping[str, File]:
        async with self._reading:
            if self._files is None:
                self._files = await asyncio.to_thread(_read, self._built)
            return self._files


def _read(folder: Path) -> Mapping[str, File]:
    found = [path for path in (folder / INDEX, *sorted((folder / ASSETS).glob("*"))) if path.is_file()]
    return {path.relative_to(folder).as_posix(): File(path.read_bytes(), _type_of(path)) for path in found}


def _type_of(path: Path) -> str:
    return _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
