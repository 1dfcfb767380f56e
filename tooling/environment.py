"""Makes ``.venv`` what the lock files say: ``python3 tooling/environment.py runtime|dev``.

Plain standard library, run by the machine's own Python. A stamp of everything that decides on the result lets the
next start do nothing at all; what is installed is verified against the hashes of the lock files.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
LOCKS = {"runtime": REQUIREMENTS / "runtime.lock", "dev": REQUIREMENTS / "dev.lock"}
BOOTSTRAP = REQUIREMENTS / "bootstrap.lock"
OLDEST_PYTHON = (3, 11)
CANDIDATES = ("python3", "python3.11", "python3.12", "python3.13", "/usr/bin/python3")


class CannotInstall(Exception):
    """What is missing on this machine, and how to get it."""


def say(text: str) -> None:
    print(f"==> {text}", flush=True)


def run(*command: str | Path, quiet: bool = False) -> bool:
    output = subprocess.DEVNULL if quiet else None
    return (
        subprocess.run([str(word) for word in command], stdout=output, stderr=output, cwd=ROOT, check=False).returncode
        == 0
    )


def require(*command: str | Path) -> None:
    if not run(*command):
        raise CannotInstall(f"`{' '.join(str(word) for word in command)}` failed; its own words are above")


class Environment:
    def __init__(self, root: Path = ROOT) -> None:
        self.directory = root / ".venv"
        self.python = self.directory / "bin" / "python"
        self._stamp = self.directory / "installed.json"

    def installed(self) -> dict[str, str]:
        """What the stamp says is here: the kind, and the digest of what decided on it."""
        try:
            stamp = json.loads(self._stamp.read_text())
        except (OSError, ValueError):
            return {}
        return stamp if isinstance(stamp, dict) and self.python.exists() else {}

    def provide(self, wanted: str) -> None:
        stamp = self.installed()
        # The development environment holds everything of the runtime's; asking for less takes nothing away.
        kind = "dev" if "dev" in {wanted, stamp.get("kind")} else "runtime"
        if stamp == {"kind": kind, "digest": digest(kind)}:
            return
        started = time.monotonic()
        say(f"installing the {kind} environment into .venv")
        self._stamp.unlink(missing_ok=True)
        self._create()
        require(self.python, "-m", "pip", "install", "-q", "--require-hashes", "-r", BOOTSTRAP)
        uv = self.directory / "bin" / "uv"
        # Compiled now, so that the first start is as quick as every other.
        verified = ["-q", "--require-hashes", "--compile-bytecode"]
        require(uv, "pip", "sync", *verified, "--python", self.python, LOCKS[kind], BOOTSTRAP)
        # The classic editable form is one path in one file: rooms added later are seen, by type checkers too.
        editable = ["--no-deps", "--no-build-isolation", "--config-settings", "editable_mode=compat", "--editable", "."]
        require(uv, "pip", "install", "-q", "--python", self.python, *editable)
        self._stamp.write_text(json.dumps({"kind": kind, "digest": digest(kind)}))
        say(f"installed in {time.monotonic() - started:.0f} s")

    def _create(self) -> None:
        if self.python.exists() and run(self.python, "-m", "pip", "--version", quiet=True):
            return
        interpreter = find_python()
        if not run(interpreter, "-c", "import ensurepip, venv", quiet=True):
            _install_venv()
        require(interpreter, "-m", "venv", "--clear", self.directory)


def digest(kind: str) -> str:
    """Of everything that decides on what gets installed, the place included: scripts carry their path."""
    decided = hashlib.sha256(str(ROOT).encode())
    for path in (LOCKS[kind], BOOTSTRAP, ROOT / "pyproject.toml", Path(__file__)):
        decided.update(path.read_bytes())
    return decided.hexdigest()


def find_python() -> str:
    """An interpreter new enough; $PYTHON decides when it is set."""
    chosen = os.environ.get("PYTHON")
    check = f"import sys; sys.exit(sys.version_info[:2] < {OLDEST_PYTHON})"
    for candidate in [chosen] if chosen else CANDIDATES:
        found = shutil.which(candidate)
        if found and run(found, "-c", check, quiet=True):
            return found
    wanted = ".".join(map(str, OLDEST_PYTHON))
    raise CannotInstall(
        f"no Python {wanted} or newer: apt-get install python3 python3-venv, or name one with PYTHON=..."
    )


def _install_venv() -> None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise CannotInstall("this Python cannot make virtual environments: as root, apt-get install python3-venv")
    say("installing python3-venv")
    require("apt-get", "update", "-q")
    require("apt-get", "install", "-q", "-y", "--no-install-recommends", "python3-venv")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("kind", choices=sorted(LOCKS))
    try:
        Environment().provide(parser.parse_args(arguments).kind)
    except CannotInstall as reason:
        print(f"cannot install: {reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
