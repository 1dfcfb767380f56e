"""The image's steps, executed in an empty directory, yield a server that runs as nobody special and is healthy."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.docker import dockerfile
from tests.docker.dockerfile import Stage
from tests.docker.emptyroot import EmptyRoot

ROOT = Path(__file__).resolve().parent.parent.parent
STAGES = dockerfile.read(ROOT / "docker" / "Dockerfile")

pytestmark = [pytest.mark.slow(alone=False), pytest.mark.timeout(600)]


def needs_root() -> None:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("running the image's steps needs root and unshare")


def build(stage: Stage, root: EmptyRoot, built: dict[str, Path]) -> None:
    directory = "/"
    environment: dict[str, str] = {}
    for kind, words in stage.steps:
        match kind:
            case "ENV":
                environment[words[0]] = words[1]
            case "WORKDIR":
                directory = words[0]
                (root.directory / directory.lstrip("/")).mkdir(parents=True, exist_ok=True)
            case "COPY" if words[0].startswith("--from="):
                source = built[words[0].removeprefix("--from=")] / words[1].lstrip("/")
                root.copy_in([source], words[2])
            case "COPY":
                target = os.path.normpath(Path(directory, words[-1]))
                root.copy_in([ROOT / name for name in words[:-1]], target)
            case "RUN":
                root.run(["/bin/sh", "-c", words[0]], environment=environment, user="0:0", directory=directory)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, EmptyRoot]]:
    needs_root()
    cache = Path("/var/cache/secureconnect-tests/image-packages")
    cache.mkdir(parents=True, exist_ok=True)
    directory = tmp_path_factory.mktemp("image")
    # Every folder on the way has to let the unprivileged user through, as / does in an image.
    for folder in (directory, *directory.parents[:2]):
        folder.chmod(0o755)
    built: dict[str, Path] = {}
    root = None
    for number, stage in enumerate(STAGES):
        root = EmptyRoot(directory / f"stage{number}", cache)
        build(stage, root, built)
        built[stage.name] = root.directory
    assert root is not None
    yield STAGES[-1], root
    shutil.rmtree(directory, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_the_server_of_the_image_runs_unprivileged_and_its_health_check_passes(
    image: tuple[Stage, EmptyRoot],
) -> None:
    stage, root = image
    assert stage.user not in ("", "0", "0:0", "root")
    environment = stage.environment | {"SECURECONNECT_SERVER_PORT": str(free_port())}
    where = {"environment": environment, "user": stage.user, "directory": stage.working_directory}
    words, full = root.command(stage.command, **where)  # type: ignore[arg-type]
    log = root.directory / "tmp" / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(words, env=full, stdout=output, stderr=subprocess.STDOUT)
        try:
            healthy = False
            deadline = time.monotonic() + 60
            while not healthy and time.monotonic() < deadline and server.poll() is None:
                check, check_env = root.command(stage.health, **where)  # type: ignore[arg-type]
                healthy = subprocess.run(check, env=check_env, capture_output=True, check=False).returncode == 0
            assert healthy, log.read_text()
        finally:
            # Becoming another user frees a process of dying with its parent, so unshare cannot see to it.
            if server.poll() is None:
                for process in psutil.Process(server.pid).children(recursive=True):
                    process.kill()
                server.kill()
            server.wait()
    owners = {path.stat().st_uid for path in (root.directory / "data").rglob("*")}
    assert owners == {int(stage.user.partition(":")[0])}


def test_the_health_check_fails_when_nothing_answers(image: tuple[Stage, EmptyRoot]) -> None:
    stage, root = image
    environment = stage.environment | {"SECURECONNECT_SERVER_PORT": str(free_port())}
    with pytest.raises(AssertionError, match="Connection refused"):
        root.run(stage.health, environment=environment, user=stage.user, directory=stage.working_directory)


def test_build_tools_stay_behind(image: tuple[Stage, EmptyRoot]) -> None:
    _, root = image
    left = {path.name for path in (root.directory / "opt" / "secureconnect" / "bin").iterdir()}
    assert "uv" not in left
    assert "secureconnect" in left
