"""The scan of tracked files finds secrets anywhere, and registries and proxies where a build would obey them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tooling.scan import findings, tracked

# Put together here, so that this file is none of what it describes.
KEY = "-----BEGIN " + "PRIVATE KEY-----\n" + 64 * "A"
INDEX = "--index" + "-url https://packages.example/simple"


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("docs/anything.md", f"x\n{KEY}\n", "a private key"),
        ("deep/server.py", "AKIA" + "ABCDEFGHIJKLMNOP", "an access key of a cloud"),
        ("requirements/dev.lock", f"{INDEX}\nredis==1", "an index or a mirror of packages"),
        ("docker/Dockerfile", "ENV PIP_INDEX" + "_URL=https://packages.example", "an index or a mirror of packages"),
        ("docker/Dockerfile.web", "ENV HTTPS" + "_PROXY=http://proxy.example:3128", "a proxy"),
        (
            "web/package-lock.json",
            '"resolved": ' + '"https://packages.example/x.tgz"',
            "an index or a mirror of packages",
        ),
        ("requirements/services/cassandra/pom.xml", "<repo" + "sitory>", "an index or a mirror of packages"),
    ],
)
def test_it_finds(name: str, text: str, what: str) -> None:
    (found,) = findings(name, text)
    assert found.startswith(f"{name}:")
    assert what in found


def test_it_names_the_line() -> None:
    assert next(findings("a.lock", f"one\ntwo\n{INDEX}\n")).startswith("a.lock:3: ")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("docs/proxies.md", "Behind a proxy, set https_proxy=..."),
        ("requirements/dev.lock", "redis==8.1.0 \\\n    --hash=sha256:0123\n    # via -r requirements/dev.in"),
        ("tests/test_signatures.py", "AKIA" + "IOSFODNN7EXAMPLE"),
        ("tests/test_redaction.py", "-----BEGIN " + "PRIVATE KEY-----\\nshort"),
        ("config/sections.py", "trusted_proxies = ()"),
        ("docker/compose.yaml", "trusted_proxies: 10.0.0.0/8"),
    ],
)
def test_it_lets_pass(name: str, text: str) -> None:
    assert list(findings(name, text)) == []


def test_what_is_ignored_is_not_looked_at(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "kept.lock").write_text(INDEX)
    (tmp_path / "ignored.lock").write_text(INDEX)
    subprocess.run(["git", "-C", str(tmp_path), "add", "kept.lock"], check=True)
    assert [name for name, _ in tracked(tmp_path)] == ["kept.lock"]
