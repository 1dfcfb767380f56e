"""Bundles of the key directory, fetched by 200 askers at once, each with a one-time key that nobody else is given.

``python -m benchmarks.prekeys`` measures the embedded store and a PostgreSQL of its own, both with every commit synced
to disk. ``one`` is a single target that all askers want, ``many`` a target for each of them: the difference is what
contention costs. Every key handed out is counted; one that went out twice, or an asker left without although there were
enough, ends the benchmark with an error.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import UUID, uuid4

import uvloop

from benchmarks.jobs import SyncedPostgres, sync_milliseconds
from config.sections import Database
from config.values import Secret
from tests.identity.devices import Device, Directory, directory
from tests.services.process import Session

ASKERS = 200
# A device has no room for more at once.
KEYS_A_REQUEST = 100
# Far beyond any run; a store that dies meanwhile ends the benchmark instead of being waited for.
LONGEST_RUN_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Figures:
    """Bundles a second, and milliseconds from the call to the answer when all of them call at the same moment."""

    one_per_second: float
    one_p50_ms: float
    one_p99_ms: float
    many_per_second: float
    handed_out: int
    handed_out_twice: int


async def fetch(here: Directory, targets: Sequence[UUID], milliseconds: list[float]) -> list[bytes]:
    """Everybody at once; the one-time keys they got."""

    async def ask(target: UUID) -> bytes:
        asked = time.perf_counter()
        [device] = await here.keys.bundle(uuid4(), target)
        milliseconds.append((time.perf_counter() - asked) * 1000)
        assert device.one_time_key is not None, "an asker got none although there were enough"
        return device.one_time_key.public_key

    return await asyncio.gather(*(ask(target) for target in targets))


async def run(here: Directory, rounds: int) -> Figures:
    others = {await here.person(): Device() for _ in range(ASKERS)}
    handed: list[bytes] = []
    one_ms: list[float] = []
    one, many = 0.0, 0.0
    for number in range(rounds):
        # Of one person no more go out than a few stocks an hour.
        phone, target = Device(), await here.person()
        for first in range(0, ASKERS, KEYS_A_REQUEST):
            await here.keys.upload(target, phone.upload(range(first, first + KEYS_A_REQUEST)))
        for other, device in others.items():
            await here.keys.upload(other, device.upload([number]))
        started = time.perf_counter()
        handed += await fetch(here, [target] * ASKERS, one_ms)
        one += time.perf_counter() - started
        started = time.perf_counter()
        handed += await fetch(here, list(others), [])
        many += time.perf_counter() - started
    twice = len(handed) - len(set(handed))
    assert twice == 0, f"{twice} keys were handed out twice"
    hundredths = statistics.quantiles(one_ms, n=100)
    return Figures(ASKERS * rounds / one, hundredths[49], hundredths[98], ASKERS * rounds / many, len(handed), twice)


async def measure(url: Callable[[], str], *, runs: int, rounds: int) -> Figures:
    found = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            settings = Database(url=Secret(url()))
            async with asyncio.timeout(LONGEST_RUN_SECONDS), directory(settings, Path(folder)) as here:
                found.append(await run(here, rounds))
    rates = {
        name: round(statistics.median(getattr(each, name) for each in found), 2)
        for name in ("one_per_second", "one_p50_ms", "one_p99_ms", "many_per_second")
    }
    return Figures(
        **rates,
        handed_out=sum(each.handed_out for each in found),
        handed_out_twice=sum(each.handed_out_twice for each in found),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5, help=f"times that {ASKERS} ask at once, a run")
    parser.add_argument("--only", choices=("embedded", "postgresql"))
    chosen = parser.parse_args()
    results: dict[str, object] = {"fsync_ms": sync_milliseconds()}
    if chosen.only != "postgresql":
        results["embedded"] = asdict(uvloop.run(measure(lambda: "", runs=chosen.runs, rounds=chosen.rounds)))
    if chosen.only != "embedded":
        session = Session()
        try:
            server = SyncedPostgres(session)
            server.start()
            measured = measure(server.create_database, runs=chosen.runs, rounds=chosen.rounds)
            results["postgresql"] = asdict(uvloop.run(measured))
        finally:
            session.close()
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
