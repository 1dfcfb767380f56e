"""The generated secret: one per installation however many processes start, and kept from everyone else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.problems import ConfigError
from config.secrets import derive_key, known_secrets, obtain_secret
from config.sections import Database, Redis, Security, Settings, Telemetry
from config.values import Secret

OBTAIN = """
import sys
from pathlib import Path
from config.secrets import obtain_secret
from config.sections import Security
sys.stdout.write("ready\\n"); sys.stdout.flush()
sys.stdin.readline()
sys.stdout.write(obtain_secret(Security(), Path(sys.argv[1])).reveal())
"""


def test_a_secret_is_made_once_and_read_afterwards(tmp_path: Path) -> None:
    data = tmp_path / "var" / "data"
    first = obtain_secret(Security(), data)
    assert obtain_secret(Security(), data) == first
    assert len(base64.urlsafe_b64decode(first.reveal())) == 48
    assert stat.S_IMODE((data / "secret").stat().st_mode) == 0o600
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert [path.name for path in data.iterdir()] == ["secret"]


def test_two_installations_have_different_secrets(tmp_path: Path) -> None:
    assert obtain_secret(Security(), tmp_path / "a") != obtain_secret(Security(), tmp_path / "b")


def test_a_configured_secret_leaves_the_disk_alone(tmp_path: Path) -> None:
    configured = Secret("c" * 40)
    assert obtain_secret(Security(secret=configured), tmp_path / "data") == configured
    assert not (tmp_path / "data").exists()


def test_processes_that_start_together_get_the_same_secret(tmp_path: Path) -> None:
    for round_ in range(5):
        data = tmp_path / str(round_)
        command = [sys.executable, "-c", OBTAIN, str(data)]
        processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        secrets = {process.communicate(timeout=30)[0] for process in processes}
        assert secrets == {(data / "secret").read_text().strip()}
        assert [path.name for path in data.iterdir()] == ["secret"]


def test_the_loser_of_the_race_takes_the_winners_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    winner = "w" * 64
    link = Path.hardlink_to

    def someone_is_faster(path: Path, draft: Path) -> None:
        path.write_text(winner + "\n")
        path.chmod(0o600)
        link(path, draft)

    monkeypatch.setattr(Path, "hardlink_to", someone_is_faster)
    assert obtain_secret(Security(), tmp_path).reveal() == winner
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602, 0o610])
def test_a_secret_that_others_can_use_is_refused_with_the_cure(tmp_path: Path, mode: int) -> None:
    obtain_secret(Security(), tmp_path)
    (tmp_path / "secret").chmod(mode)
    with pytest.raises(ConfigError, match=rf"mode {mode:04o}\); run `chmod 600 "):
        obtain_secret(Security(), tmp_path)


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "shorter than 32"), (b"short\n", "shorter than 32"), (b"\xff" * 64, "is not text")]
)
def test_a_damaged_secret_is_not_replaced(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=said):
        obtain_secret(Security(), tmp_path)
    assert path.read_bytes() == content


def test_a_data_directory_that_is_none_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=rf"cannot be used: File exists: {tmp_path / 'file'}"):
        obtain_secret(Security(), tmp_path / "file")
    (tmp_path / "secret").mkdir(mode=0o700)
    with pytest.raises(ConfigError, match="cannot be used: Is a directory"):
        obtain_secret(Security(), tmp_path)


def test_a_link_into_nowhere_is_explained(tmp_path: Path) -> None:
    (tmp_path / "secret").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="cannot be used: No such file"):
        obtain_secret(Security(), tmp_path)


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    obtain_secret(Security(), tmp_path / "warm")
    before = len(list(Path("/proc/self/fd").iterdir()))
    obtain_secret(Security(), tmp_path / "data")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


# --- keys -------------------------------------------------------------------------------------------------

SECRET = Secret("s" * 48)


def test_keys_are_those_of_the_published_construction() -> None:
    """HKDF-SHA256 (RFC 5869) computed by hand: nothing that was signed may become invalid by an upgrade."""
    extracted = hmac.digest(bytes(32), SECRET.reveal().encode(), hashlib.sha256)
    expanded = hmac.digest(extracted, b"secureconnect/access tokens\x01", hashlib.sha256)
    assert derive_key(SECRET, "access tokens") == expanded


@given(st.text(st.characters(codec="utf-8"), min_size=1), st.text(st.characters(codec="utf-8"), min_size=1))
def test_every_purpose_has_a_key_of_its_own(one: str, other: str) -> None:
    assert (derive_key(SECRET, one) == derive_key(SECRET, other)) == (one == other)


@given(st.integers(min_value=1, max_value=128))
def test_keys_are_as_long_as_asked(length: int) -> None:
    assert len(derive_key(SECRET, "x", length)) == length


@pytest.mark.parametrize(("secret", "purpose"), [(Secret(), "x"), (SECRET, "")])
def test_no_key_comes_of_nothing(secret: Secret, purpose: str) -> None:
    with pytest.raises(ValueError, match="secret that is set"):
        derive_key(secret, purpose)


def test_the_secrets_of_a_configuration_are_known_with_the_passwords_inside() -> None:
    settings = Settings(
        database=Database(
            url=Secret("postgresql://u:p%40ss-one@h/n"), replica_urls=(Secret("postgresql://u:two-two@h/n"),)
        ),
        redis=Redis(url=Secret("redis://h")),
        telemetry=Telemetry(metrics_token=Secret("metrics")),
    )
    assert {secret.reveal() for secret in known_secrets(settings, SECRET)} == {
        SECRET.reveal(),
        "postgresql://u:p%40ss-one@h/n",
        "p%40ss-one",
        "p@ss-one",
        "postgresql://u:two-two@h/n",
        "two-two",
        "redis://h",
        "metrics",
    }
