"""The tools that build the page, and the pages that only tests open."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.services.provisioning import unavailable
from tooling.provision import ROOT, locked

WEB: Final = ROOT / "web"
BUILT: Final = WEB / "built"
LOCK: Final = WEB / "package-lock.json"
_MARK: Final = WEB / "node_modules" / ".installed"

_INSTALL_SECONDS: Final = 300
_STEP_SECONDS: Final = 100


@dataclass(frozen=True, slots=True)
class Toolchain:
    """Node with what ``package-lock.json`` pins."""

    node: Path

    def run(self, tool: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """``tool`` is a script below ``node_modules``."""
        return subprocess.run(
            [self.node, WEB / "node_modules" / tool, *words],
            cwd=WEB,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_STEP_SECONDS,
            check=False,
        )

    def build(self, into: Path, *options: str | Path) -> None:
        done = self.run("vite/bin/vite.js", "build", "--outDir", into, "--emptyOutDir", *options)
        assert done.returncode == 0, done.stdout


def installed() -> Toolchain:
    """Skips where there is no Node, or where the packages cannot be had."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        unavailable("Node 20 and npm; the page was built with them, and runs without")
    assert node is not None
    assert npm is not None
    pins = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    with locked("web"):
        if not _MARK.is_file() or _MARK.read_text() != pins:
            done = subprocess.run(
                [npm, "ci", "--no-audit", "--no-fund"],
                cwd=WEB,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=_INSTALL_SECONDS,
                check=False,
            )
            if done.returncode:
                unavailable("the packages of web/package-lock.json; npm says: " + done.stdout[-300:])
            _MARK.write_text(pins)
    return Toolchain(Path(node))
