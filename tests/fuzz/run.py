"""Fuzzes one target, instrumented for coverage: python -m tests.fuzz.run rtcp --seconds 300

A fault is printed with its input in hexadecimal; it belongs into ``tests/fuzz/found`` once it is mended.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["media", "signaling"], enable_loader_override=False):
    from tests.fuzz.seeds import found
    from tests.fuzz.targets import TARGETS, check

# Of one input. The longest offer takes a tenth of it under instrumentation.
SECONDS_FOR_ONE = 5
MEGABYTES = 1024


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("target", choices=sorted(TARGETS))
    asked.add_argument("--seconds", type=int, default=60)
    asked.add_argument("--seed", type=int, default=0, help="0: another one each time")
    given = asked.parse_args()
    target = TARGETS[given.target]

    def once(data: bytes) -> None:
        try:
            check(target, data)
        except BaseException:
            print(f"\nfault in {given.target} by {data.hex()}", file=sys.stderr, flush=True)
            raise

    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder)
        for number, seed in enumerate((*target.seeds(), *found(given.target))):
            (corpus / f"seed-{number}").write_bytes(seed[: target.longest])
        options = {
            "max_total_time": given.seconds,
            "max_len": target.longest,
            "timeout": SECONDS_FOR_ONE,
            "rss_limit_mb": MEGABYTES,
            "seed": given.seed,
            "artifact_prefix": f"{folder}/",
            "print_final_stats": 1,
        }
        atheris.Setup([sys.argv[0], *(f"-{name}={value}" for name, value in options.items()), folder], once)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
