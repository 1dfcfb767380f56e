"""The compose file: waits for health, hands out secrets as files, and configures a server that accepts it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.loader import load_settings

FOLDER = Path(__file__).resolve().parent.parent.parent / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
STORES = sorted(set(SERVICES) - {"server"})


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    shutil.copy2(FOLDER / "make-secrets.sh", tmp_path)
    subprocess.run([tmp_path / "make-secrets.sh"], check=True, capture_output=True)
    return tmp_path / "secrets"


def test_the_server_waits_until_every_store_is_healthy() -> None:
    waits = SERVICES["server"]["depends_on"]
    assert sorted(waits) == STORES
    assert all(wait == {"condition": "service_healthy"} for wait in waits.values())
    assert all("healthcheck" in SERVICES[name] for name in STORES)


def test_every_secret_is_a_file_that_the_script_writes(secrets: Path) -> None:
    declared = {name: entry["file"] for name, entry in COMPOSE["secrets"].items()}
    assert {Path(file).name for file in declared.values()} == {path.name for path in secrets.iterdir()}
    used = {name for service in SERVICES.values() for name in service.get("secrets", ())}
    assert used == set(declared)


def test_secrets_are_random_and_kept_when_the_script_runs_again(secrets: Path) -> None:
    first = {path.name: path.read_text() for path in secrets.iterdir()}
    assert all(len(first[name]) >= 48 for name in ("signing_secret", "postgres_password", "redis_password"))
    assert len(set(first.values())) == len(first)
    subprocess.run([secrets.parent / "make-secrets.sh"], check=True, capture_output=True)
    assert {path.name: path.read_text() for path in secrets.iterdir()} == first


def test_no_credential_stands_in_the_file() -> None:
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|TOKEN|KEY", name) and "ACCESS_KEY" not in name:
                assert (name.endswith("_FILE") and str(value).startswith("/run/secrets/")) or "ALLOW" in name, name


def test_the_server_accepts_what_the_file_configures(secrets: Path) -> None:
    environment = {name: str(value) for name, value in SERVICES["server"]["environment"].items()}
    for name, value in environment.items():
        environment[name] = value.replace("/run/secrets/", f"{secrets}/")
    environment["SECURECONNECT_SERVER_PUBLIC_URL"] = "https://meet.example.org"
    environment["SECURECONNECT_MEDIA_ADVERTISED"] = "203.0.113.7"
    environment["SECURECONNECT_OBJECTS_PUBLIC_ENDPOINT"] = "https://files.example.org"
    settings = load_settings(file=None, environ=environment)
    assert settings.server.environment == "production"
    assert settings.database.url.reveal().startswith("postgresql://secureconnect:")
    assert settings.redis.url.reveal().startswith("redis://:")
    assert settings.messages.cassandra_hosts == ("cassandra",)


def test_stores_publish_no_port_to_the_world() -> None:
    for name in STORES:
        for port in SERVICES[name].get("ports", ()):
            assert port.startswith("127.0.0.1:"), name
    assert COMPOSE["networks"]["stores"] == {"internal": True}


def test_the_redis_health_check_knows_a_healthy_server(redis_server: Any, tmp_path: Path) -> None:
    check = SERVICES["redis"]["healthcheck"]["test"][1].replace("$$", "$")
    password = tmp_path / "redis_password"
    password.write_text("")
    check = check.replace("/run/secrets/redis_password", str(password)).replace(
        "redis-cli", f"redis-cli -h 127.0.0.1 -p {redis_server.port}"
    )
    assert subprocess.run(["sh", "-c", check], check=False, capture_output=True, timeout=10).returncode == 0
    dead = check.replace(f"-p {redis_server.port}", "-p 1")
    assert subprocess.run(["sh", "-c", dead], check=False, capture_output=True, timeout=10).returncode != 0


def test_the_postgres_health_check_knows_a_healthy_server(postgres: Any) -> None:
    _, *check = SERVICES["postgres"]["healthcheck"]["test"]
    binary = next(iter(Path("/usr/lib/postgresql").glob(f"*/bin/{check[0]}")), None)
    words = [str(binary or check[0]), *check[1:], "-h", "127.0.0.1"]
    env = {"PATH": os.environ["PATH"]}
    assert subprocess.run([*words, "-p", str(postgres.port)], env=env, check=False, timeout=10).returncode == 0
    assert subprocess.run([*words, "-p", "1"], env=env, check=False, timeout=10).returncode != 0
