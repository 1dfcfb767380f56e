"""Everything about the code that needs no test run, one after the other, all of it even when one fails."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

CHECKS = {
    "format": (str(BIN / "ruff"), "format", "--check", "--quiet", "."),
    "lint": (str(BIN / "ruff"), "check", "--quiet", "."),
    "imports": (str(BIN / "lint-imports"),),
    "types": (str(BIN / "mypy"),),
    "configuration reference": (sys.executable, "-m", "config.reference", "--check"),
    "signaling reference": (sys.executable, "-m", "signaling.reference", "--check"),
    "secrets and registries": (sys.executable, "tooling/scan.py"),
}


def main() -> int:
    failed = []
    for name, command in CHECKS.items():
        started = time.monotonic()
        done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        verdict = "failed" if done.returncode else "ok"
        print(f"==> {name}: {verdict} ({time.monotonic() - started:.1f} s)", flush=True)
        if done.returncode:
            failed.append(name)
            print(done.stdout + done.stderr, flush=True)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
