"""Builds the parts that are not Python, each only when its sources changed: ``python3 tooling/parts.py``.

A missing tool is no failure: the server starts without the part, and this says what that costs.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PRODUCTS = frozenset({"target", "node_modules", "dist"})


@dataclass(frozen=True)
class Part:
    folder: str
    tool: str
    steps: tuple[tuple[str, ...], ...]
    cost: str


PARTS = (
    Part(
        folder="native",
        tool="cargo",
        steps=(("cargo", "build", "--release", "--locked"),),
        cost="media is carried by the portable engine, which serves far fewer participants",
    ),
    Part(
        folder="web",
        tool="npm",
        steps=(("npm", "ci", "--no-audit", "--no-fund"), ("npm", "run", "build")),
        cost="the meeting page and the dashboard are not served; the APIs are",
    ),
)


def fingerprint(folder: Path) -> str:
    """Of names, sizes and times, not contents: asking must cost next to nothing at every start."""
    seen = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and PRODUCTS.isdisjoint(path.relative_to(folder).parts):
            state = path.stat()
            seen.update(f"{path.relative_to(folder)}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    return seen.hexdigest()


def build(root: Path, part: Part) -> bool:
    """Whether the part is there afterwards."""
    folder = root / part.folder
    stamp = root / "build" / f"{part.folder}.stamp"
    current = fingerprint(folder)
    if stamp.exists() and stamp.read_text() == current:
        return True
    if shutil.which(part.tool) is None:
        print(f"==> {part.folder}/ is not built, {part.tool} is not installed: {part.cost}", flush=True)
        return False
    print(f"==> building {part.folder}/ with {part.tool}", flush=True)
    for step in part.steps:
        if subprocess.run(step, cwd=folder, check=False).returncode:
            print(f"==> {part.folder}/ could not be built (its own words are above): {part.cost}", flush=True)
            return False
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(fingerprint(folder))
    return True


def main(root: Path = ROOT) -> None:
    for part in PARTS:
        if (root / part.folder).is_dir():
            build(root, part)


if __name__ == "__main__":
    main()
