"""Resolves the dependencies anew and writes the lock files, with hashes and without any registry's address."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {
    "requirements/runtime.lock": ("pyproject.toml",),
    "requirements/dev.lock": ("pyproject.toml", "--group", "dev"),
    "requirements/bootstrap.lock": ("requirements/bootstrap.in",),
    "requirements/services/swift.lock": ("requirements/services/swift.in",),
}
OPTIONS = ("--universal", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url", "--no-header")


def main() -> int:
    uv = Path(sys.executable).with_name("uv")
    for lock, sources in LOCKS.items():
        print(f"==> {lock}", flush=True)
        command = [str(uv), "pip", "compile", "--quiet", "--upgrade", *OPTIONS, *sources, "--output-file", lock]
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
