"""Fails when a tracked file holds a secret, or ties a build to somebody's registry: ``python tooling/scan.py``."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LARGEST = 4 << 20


@dataclass(frozen=True)
class Rule:
    what: str
    where: re.Pattern[str]
    """Paths it applies to."""
    pattern: re.Pattern[str]


EVERYWHERE = re.compile("")
# Files that a package manager, an image build or a pipeline reads.
BUILD_FILES = re.compile(
    r"(\.lock|\.toml|\.cfg|\.ini|\.in|\.ya?ml|\.sh|\.mk|pom\.xml|go\.(mod|sum)|package(-lock)?\.json|\.npmrc|pip\.conf|"
    r"settings\.xml|requirements[^/]*\.txt|Dockerfile[^/]*|Containerfile|Makefile|\.ci/run)$"
)
RULES = (
    Rule("a private key", EVERYWHERE, re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----(\s|\\n)+[A-Za-z0-9+/]{40}")),
    Rule("an access key of a cloud", EVERYWHERE, re.compile(r"\b(AKIA|ASIA)(?![0-9A-Z]{9}EXAMPLE)[0-9A-Z]{16}\b")),
    Rule("a token of a forge", EVERYWHERE, re.compile(r"\b(gh[pousr]_[A-Za-z0-9]{36}|glpat-[A-Za-z0-9_-]{20})\b")),
    Rule(
        "an index or a mirror of packages",
        BUILD_FILES,
        re.compile(
            r"--(extra-)?index-url|--find-links|--trusted-host|^\s*(extra-)?index-url\s*=|(PIP|UV)_(EXTRA_)?INDEX|"
            r"PIP_FIND_LINKS|GOPROXY\s*=|GONOSUMDB\s*=|<(repository|mirror|pluginRepository)>|"
            r"registry\s*=\s*[\"']?https?:|\"resolved\":\s*\"https?:|^\s*\[registries|deb \[?[^\n]*https?://",
            re.MULTILINE,
        ),
    ),
    Rule("a proxy", BUILD_FILES, re.compile(r"\b(https?|all|no)_proxy\s*[=:]", re.IGNORECASE)),
)


def findings(name: str, text: str) -> Iterator[str]:
    for rule in RULES:
        if rule.where.search(name):
            for match in rule.pattern.finditer(text):
                line = text.count("\n", 0, match.start()) + 1
                yield f"{name}:{line}: {rule.what}: {match.group().strip()[:40]}"


def tracked(root: Path) -> Iterator[tuple[str, str]]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, check=True, capture_output=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        path = root / name
        if path.is_file() and path.stat().st_size <= LARGEST:
            yield name, path.read_text(errors="replace")


def main() -> int:
    found = [finding for name, text in tracked(ROOT) for finding in findings(name, text)]
    for finding in found:
        print(finding, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
