"""The doctor's look at the machine: ports, disk, limits, clock, certificates, tools. Changes nothing."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import socket
import ssl
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509

from api.cli.findings import Finding, Verdict
from api.listening import CannotListen, bind
from config.sections import Server, Settings

# A 1080p simulcast publisher sends bursts of some hundred kilobytes; with Debian's default of 208 KiB the kernel
# drops the end of them whenever the process is late by a few milliseconds.
UDP_BUFFER_BYTES = 4 << 20
DESCRIPTORS = 8192
FREE_BYTES = 1 << 30
SLOW_SYNC_SECONDS = 0.05
EXPIRES_SOON = timedelta(days=14)
CONNECT_SECONDS = 3.0


def python_and_tools(checkout: Path) -> Iterator[Finding]:
    yield Finding(Verdict.FINE, "python", f"{platform.python_version()} on {platform.system()} {platform.release()}")
    for folder, tool, loss in (
        ("native", "cargo", "the native engine cannot be built; media runs on the slower portable one"),
        ("web", "npm", "the pages cannot be built"),
    ):
        if (checkout / folder).is_dir() and shutil.which(tool) is None:
            yield Finding(Verdict.ODD, tool, f"not installed: {loss}")


def port(settings: Server) -> Iterator[Finding]:
    try:
        bind(settings.host, settings.port).close()
        yield Finding(Verdict.FINE, "port", f"{settings.host} TCP {settings.port} is free")
    except CannotListen as error:
        yield Finding(Verdict.BROKEN, "port", str(error))


def data_directory(path: Path) -> Iterator[Finding]:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        seconds = _time_of_sync(path)
    except OSError as error:
        yield Finding(Verdict.BROKEN, "data", f"{path} cannot be written: {error.strerror}; set DATA_DIR=...")
        return
    free = shutil.disk_usage(path).free
    if free < FREE_BYTES:
        yield Finding(Verdict.ODD, "data", f"{path} has {free >> 20} MiB left; stores stop when it is full")
    elif seconds > SLOW_SYNC_SECONDS:
        text = f"{path}: a durable write takes {seconds * 1000:.0f} ms on this disk; messages will be as slow"
        yield Finding(Verdict.ODD, "data", text)
    else:
        text = f"{path}: {free >> 30} GiB free, a durable write takes {seconds * 1000:.1f} ms"
        yield Finding(Verdict.FINE, "data", text)


def _time_of_sync(path: Path) -> float:
    with tempfile.TemporaryFile(dir=path) as file:
        started = time.perf_counter()
        file.write(b"\0" * 4096)
        file.flush()
        os.fsync(file.fileno())
        return time.perf_counter() - started


def limits_of_the_system() -> Iterator[Finding]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < DESCRIPTORS:
        cure = f"`ulimit -n {min(hard, 65536)}` or LimitNOFILE="
        yield Finding(Verdict.ODD, "descriptors", f"this process may open {soft} files and sockets; raise it: {cure}")
    else:
        yield Finding(Verdict.FINE, "descriptors", f"{soft} files and sockets may be open")
    for name in ("rmem_max", "wmem_max"):
        found = Path("/proc/sys/net/core", name)
        try:
            size = int(found.read_text("ascii"))
        except (OSError, ValueError):
            continue
        if size < UDP_BUFFER_BYTES:
            cure = f"`sysctl -w net.core.{name}={UDP_BUFFER_BYTES}`"
            text = f"net.core.{name} is {size >> 10} KiB, bursts of media get lost: {cure}"
            yield Finding(Verdict.ODD, "UDP buffers", text)
        else:
            yield Finding(Verdict.FINE, "UDP buffers", f"net.core.{name} is {size >> 10} KiB")


def clock() -> Iterator[Finding]:
    """Tokens and message order need clocks of nodes that agree; whether one is kept in step only the system knows."""
    marker = Path("/run/systemd/timesync/synchronized")
    servers = [Path(place) for place in ("/run/chrony/chronyd.pid", "/run/ntpd.pid", "/var/run/ntpd.pid")]
    shown = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    if marker.exists() or any(place.exists() for place in servers):
        yield Finding(Verdict.FINE, "clock", f"{shown}, kept in step")
    else:
        cure = "fine on a virtual machine that takes its host's time, else run chrony"
        yield Finding(Verdict.ODD, "clock", f"{shown}; no time service seen here: {cure}")


def certificates(settings: Settings) -> Iterator[Finding]:
    authorities = {
        "database": settings.database.tls_ca,
        "messages": settings.messages.tls_ca,
        "redis": settings.redis.tls_ca,
        "objects": settings.objects.tls_ca,
        "mail": settings.mail.tls_ca,
    }
    for name, path in authorities.items():
        if path:
            yield _authority(f"{name}.tls_ca", Path(path))
    if settings.server.public_url.startswith("https://"):
        yield _public_certificate(settings.server.public_url)


def _authority(key: str, path: Path) -> Finding:
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        return Finding(Verdict.BROKEN, "certificates", f"{key}: {path}: {error.strerror}")
    except ValueError:
        return Finding(Verdict.BROKEN, "certificates", f"{key}: {path} holds no PEM certificate")
    return _judge(key, min(item.not_valid_after_utc for item in found))


def _public_certificate(url: str) -> Finding:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    context = ssl.create_default_context()
    try:
        with (
            socket.create_connection((host, port), timeout=CONNECT_SECONDS) as raw,
            context.wrap_socket(raw, server_hostname=host) as wrapped,
        ):
            encoded = wrapped.getpeercert(binary_form=True) or b""
    except (OSError, ssl.SSLError) as error:
        return Finding(Verdict.ODD, "certificates", f"{url}: {error}; is the proxy in front of this server running?")
    return _judge(url, x509.load_der_x509_certificate(encoded).not_valid_after_utc)


def _judge(subject: str, ends: datetime) -> Finding:
    left = ends - datetime.now(UTC)
    if left < timedelta(0):
        return Finding(Verdict.BROKEN, "certificates", f"{subject} expired on {ends:%Y-%m-%d}; renew it")
    if left < EXPIRES_SOON:
        return Finding(Verdict.ODD, "certificates", f"{subject} expires in {left.days} days; renew it")
    return Finding(Verdict.FINE, "certificates", f"{subject} is valid until {ends:%Y-%m-%d}")
