"""An empty directory made to look like the image's base: this machine's system folders, read-only, and nothing else.

Commands run in it by chroot, inside a mount and process namespace of their own that takes everything away when it
ends. Needs root.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_SYSTEM = ("bin", "lib", "lib64", "sbin", "usr", "dev", "proc")
# /usr/local is the Python of the official images; here it is the one that runs the tests.
_PYTHON = Path(sys.base_prefix)
_ACCOUNTS = ("passwd", "group", "shadow", "gshadow", "login.defs")
_NETWORK = ("ssl", "hosts", "resolv.conf", "nsswitch.conf", "ld.so.cache")


class EmptyRoot:
    def __init__(self, directory: Path, cache: Path) -> None:
        self.directory = directory
        self._cache = cache
        directory.mkdir(parents=True)
        for name in (*_SYSTEM, "etc", "tmp", "cache"):
            if (link := Path("/", name)).is_symlink():
                (directory / name).symlink_to(link.readlink())
            else:
                (directory / name).mkdir()
        (directory / "tmp").chmod(0o1777)
        for name in (*_ACCOUNTS, *_NETWORK):
            source = Path("/etc", name)
            if source.is_dir():
                shutil.copytree(source, directory / "etc" / name, symlinks=True, dirs_exist_ok=True)
            elif source.exists():
                shutil.copy2(source, directory / "etc" / name)

    def copy_in(self, sources: Sequence[Path], target: str) -> None:
        destination = self.directory / target.lstrip("/")
        for source in sources:
            if source.is_dir():
                ignore = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, destination, symlinks=True, dirs_exist_ok=True, ignore=ignore)
            else:
                destination.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, destination / source.name)

    def command(
        self, command: Sequence[str], *, environment: Mapping[str, str], user: str, directory: str
    ) -> tuple[list[str], dict[str, str]]:
        """The words and environment for ``subprocess``; the namespace dies with the process."""
        root = shlex.quote(str(self.directory))
        mounts = [f"mount --rbind -o ro /{name} {root}/{name}" for name in _SYSTEM if not Path("/", name).is_symlink()]
        script = "; ".join(
            [
                "set -e",
                "mount --make-rprivate /",
                *mounts,
                f"mount --bind -o ro {shlex.quote(str(_PYTHON))} {root}/usr/local",
                f"mount --bind {shlex.quote(str(self._cache))} {root}/cache",
                f"mkdir -p {root}{shlex.quote(directory)}",
                f"exec /usr/sbin/chroot --userspec={user} {root} /bin/sh -c "
                + shlex.quote(f"cd {shlex.quote(directory)} && exec {shlex.join(command)}"),
            ]
        )
        # What lets this machine reach package registries is part of the machine, not of the image.
        passed = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_"))}
        base = {"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/tmp", "UV_CACHE_DIR": "/cache"}
        # The official images have their libpython in the loader's cache; a Python that was moved here is not in ours.
        base["LD_LIBRARY_PATH"] = "/usr/local/lib"
        words = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "/bin/sh", "-c", script]
        return words, {**passed, **base, **environment}

    def run(self, command: Sequence[str], *, environment: Mapping[str, str], user: str, directory: str) -> None:
        words, full = self.command(command, environment=environment, user=user, directory=directory)
        done = subprocess.run(words, env=full, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode != 0:
            raise AssertionError(
                f"{shlex.join(command)} failed ({done.returncode}):\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
            )
