"""Puts the real servers of the tests on this machine: ``python3 tooling/provision.py [piece ...]``.

Plain standard library, so that it can run before there is an environment, side by side with everything else.
Each piece is built once per pin into a cache outside the tree (a temporary directory, then one rename), under a
file lock: whoever comes second waits for the first and finds it done. Nothing here starts a server.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINS = ROOT / "requirements" / "services"
SWIFT_LOCK = PINS / "swift.lock"
CASSANDRA_POM = PINS / "cassandra" / "pom.xml"
CASSANDRA_CHECKSUMS = PINS / "cassandra" / "checksums.sha256"
MINIO_PINS = (PINS / "minio" / "go.mod", PINS / "minio" / "go.sum")
MINIO_PACKAGE = "github.com/minio/minio"
JAVA_VERSION = 17
POSTGRES_VERSIONS = Path("/usr/lib/postgresql")
OLDEST_POSTGRES = 13


class CannotProvide(Exception):
    """Why a piece is not here, and what to do about it."""


def cache_root() -> Path:
    """Outside the tree, and where the unprivileged accounts of the servers can read: not in root's home."""
    usual = Path("/var/cache") if os.geteuid() == 0 else Path.home() / ".cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or usual) / "secureconnect-tests"


def postgres_programs() -> Path:
    """The directory of initdb and postgres; the newest installed version."""
    found = [path.parent for path in POSTGRES_VERSIONS.glob("*/bin/postgres")]
    recent = [path for path in found if int(path.parent.name) >= OLDEST_POSTGRES]
    if not recent:
        raise CannotProvide("PostgreSQL is not installed: apt-get install postgresql")
    return max(recent, key=lambda path: int(path.parent.name))


def _has_postgres() -> bool:
    try:
        return bool(postgres_programs())
    except CannotProvide:
        return False


def _has_redis() -> bool:
    return shutil.which("redis-server") is not None


def _has_chromium() -> bool:
    return shutil.which("chromium") is not None


@dataclass(frozen=True)
class Piece:
    name: str
    ready: Callable[[], bool]
    build: Callable[[Path], None]
    """Handed the log file to write to."""


def run(
    command: Sequence[str | Path], *, log: Path, nice: int = 0, environment: Mapping[str, str] | None = None
) -> None:
    """Runs one step to its end; it dies with us. The log keeps what it said, the error its last lines."""
    words = ["setpriv", "--pdeathsig", "KILL", "--", "nice", "-n", str(nice), *map(str, command)]
    with log.open("ab") as output:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            check=False,
        )
    if done.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise CannotProvide(f"`{' '.join(map(str, command[:4]))} ...` failed:\n{tail}")


@contextmanager
def _services_stay_down() -> Iterator[None]:
    """Debian starts a server when its package is installed, unless this file says no."""
    policy = Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()


def _install_packages(*packages: str) -> Callable[[Path], None]:
    def build(log: Path) -> None:
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            raise CannotProvide(
                f"not installed, and this account may not: as root, apt-get install {' '.join(packages)}"
            )
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        with locked("apt"), _services_stay_down():
            run(["apt-get", "update", "-q"], log=log, environment=quiet)
            command = ["apt-get", "install", "-q", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"]
            run([*command, *packages], log=log, environment=quiet)

    return build


@contextmanager
def locked(name: str) -> Iterator[None]:
    lock = cache_root() / "locks" / name
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def pinned(name: str, *pins: Path) -> Path:
    """Where a built piece lives: another pin is another directory, so an old build is never taken for a new one."""
    digest = hashlib.sha256(b"".join(pin.read_bytes() for pin in pins)).hexdigest()[:12]
    return cache_root() / f"{name}-{digest}"


def built(name: str, pins: Sequence[Path], build: Callable[[Path, Path], None]) -> Piece:
    """A piece of the cache. ``build`` fills an empty directory beside it; the rename makes it exist, all at once."""

    def ready() -> bool:
        return pinned(name, *pins).is_dir()

    def fill(log: Path) -> None:
        target = pinned(name, *pins)
        unfinished = target.with_name(f"{target.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        unfinished.chmod(0o755)
        build(unfinished, log)
        unfinished.rename(target)

    return Piece(name, ready, fill)


def _interpreter() -> str:
    """A Python that an unprivileged account can run too: root's own may lie in root's home."""
    for candidate in ("/usr/bin/python3", sys.executable):
        command = [candidate, "-c", "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))"]
        if Path(candidate).exists() and subprocess.run(command, check=False, capture_output=True).returncode == 0:
            return candidate
    raise CannotProvide("no Python 3.11 with venv and ensurepip: apt-get install python3-venv")


def _build_swift(directory: Path, log: Path) -> None:
    # A virtual environment knows its own path only in the scripts of bin/, which nobody uses here.
    run([_interpreter(), "-m", "venv", directory], log=log)
    run([directory / "bin" / "python", "-m", "pip", "install", "--require-hashes", "-r", SWIFT_LOCK], log=log)


def swift_python() -> Path:
    return pinned("swift", SWIFT_LOCK) / "bin" / "python"


def java() -> str:
    """The JDK Cassandra 5 is made for, also where the machine's default is another one."""
    homes = sorted(Path("/usr/lib/jvm").glob(f"java-{JAVA_VERSION}-*/bin/java"))
    found = str(homes[0]) if homes else shutil.which("java")
    if found is None:
        raise CannotProvide(f"no Java {JAVA_VERSION}: apt-get install openjdk-{JAVA_VERSION}-jre-headless")
    return found


def _build_cassandra(directory: Path, log: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise CannotProvide("no Maven: apt-get install maven")
    java()
    downloads, jars = directory / "downloads", directory / "jars"
    resolve = [maven, "-B", "--strict-checksums", "-f", str(CASSANDRA_POM), f"-Dmaven.repo.local={downloads}"]
    run([*resolve, "dependency:copy-dependencies", f"-DoutputDirectory={jars}"], log=log)
    verify(jars, CASSANDRA_CHECKSUMS)
    shutil.rmtree(downloads)


def verify(directory: Path, checksums: Path) -> None:
    expected = {name: digest for digest, name in map(str.split, checksums.read_text().splitlines())}
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.iterdir()}
    if found != expected:
        wrong = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
        raise CannotProvide(f"not what {checksums.name} says they are: {', '.join(wrong)}")


def cassandra_jars() -> Path:
    return pinned("cassandra", CASSANDRA_POM, CASSANDRA_CHECKSUMS) / "jars"


def _build_minio(directory: Path, log: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise CannotProvide("no Go: install it from your distribution or from its makers (1.24 or newer)")
    module = directory / "module"
    module.mkdir()
    for pin in MINIO_PINS:
        shutil.copy(pin, module)
    # One compiler at a time and behind everyone else: the tests are running meanwhile. The compiler's own cache
    # lies beside the result, so that a build which was interrupted goes on where it stopped.
    environment = {"CGO_ENABLED": "0", "GOCACHE": str(cache_root() / "go-build"), "GOFLAGS": "-mod=readonly"}
    flags = ["-p", "1", "-trimpath", "-ldflags", "-s -w", "-o", str(directory / "minio")]
    run([go, "-C", str(module), "build", *flags, MINIO_PACKAGE], log=log, nice=15, environment=environment)
    shutil.rmtree(cache_root() / "go-build", ignore_errors=True)


def minio_program() -> Path:
    return pinned("minio", *MINIO_PINS) / "minio"


PIECES = {
    piece.name: piece
    for piece in (
        Piece("postgres", _has_postgres, _install_packages("postgresql")),
        Piece("redis", _has_redis, _install_packages("redis-server")),
        Piece("chromium", _has_chromium, _install_packages("chromium")),
        built("swift", [SWIFT_LOCK], _build_swift),
        built("cassandra", [CASSANDRA_POM, CASSANDRA_CHECKSUMS], _build_cassandra),
        built("minio", MINIO_PINS, _build_minio),
    )
}


def provide(name: str) -> None:
    """Returns when the piece is there. CannotProvide: why it is not."""
    piece = PIECES[name]
    if piece.ready():
        return
    with locked(name):
        if piece.ready():
            return
        started = time.monotonic()
        log = cache_root() / "logs" / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"")
        print(f"[{name}] being installed (its log: {log})", flush=True)
        piece.build(log)
        if not piece.ready():
            raise CannotProvide(f"its installation ended well, and yet it is not there; see {log}")
        print(f"[{name}] ready after {time.monotonic() - started:.0f} s", flush=True)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "pieces", nargs="*", metavar="piece", help=f"any of: {', '.join(PIECES)}; all when none is named"
    )
    names = parser.parse_args(arguments).pieces or list(PIECES)
    unknown = set(names) - set(PIECES)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")

    def attempt(name: str) -> str | None:
        try:
            provide(name)
        except CannotProvide as reason:
            return f"[{name}] {reason}"
        return None

    with ThreadPoolExecutor(len(names)) as together:
        failures = [failure for failure in together.map(attempt, names) if failure]
    for failure in failures:
        print(failure, file=sys.stderr, flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
