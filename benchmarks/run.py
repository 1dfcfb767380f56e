"""Runs every measurement one after the other and keeps what each printed: ``make bench``.

``make bench ARGS="http_shell jobs"`` runs some of them. Raw output goes to ``benchmarks/results/<name>.txt``, headed
by what the machine was; benchmarks/README.md says what the figures mean.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "results"
MEASUREMENTS = {
    "http_shell": "a small POST through the request shell, against a bare aiohttp handler",
    "messagelog": "durable appends to the embedded message log",
    "jobs": "durable jobs end to end",
    "prekeys": "bundles of the key directory under 200-way contention, no one-time key twice",
    "conversations": "lists of conversations among 100,000",
    "people": "searches and suggestions among 100,000 people",
    "logins": "a hundred people who sign in at once, and the event loop's lag meanwhile",
    "authenticated": "an authenticated request that does nothing, against an anonymous one",
    "forwarding": "a forwarded packet of the portable engine, beside Janus (needs root and Debian's package janus)",
    "first_frame": "from joining to the first picture decoded, in a browser (needs Debian's chromium)",
    "bus": "ephemeral state and the event bus, in memory and over Redis",
}


def machine() -> str:
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    return (
        f"# {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}, {os.cpu_count()} cores, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, load before {load}"
    )


def measure(name: str) -> bool:
    print(f"==> {name}: {MEASUREMENTS[name]}", flush=True)
    head = machine()
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}"], stdout=subprocess.PIPE, text=True, check=False, timeout=1800
    )
    print(done.stdout, flush=True)
    print(f"==> {name} took {time.monotonic() - started:.0f} s", flush=True)
    if done.returncode == 0:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{name}.txt").write_text(f"{head}\n{done.stdout}")
    return done.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MEASUREMENTS))
    names = parser.parse_args().names or list(MEASUREMENTS)
    unknown = sorted(set(names) - set(MEASUREMENTS))
    if unknown:
        parser.error(f"there is no measurement named {', '.join(unknown)}")
    failed = [name for name in names if not measure(name)]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
