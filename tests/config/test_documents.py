"""What people read about the configuration is what the code does."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from config import reference
from config.loader import load_settings, read_configuration
from config.printing import print_configuration
from config.schema import all_keys, section_types
from config.sections import Settings

ROOT = Path(__file__).parents[2]


def test_the_generated_documents_are_up_to_date() -> None:
    assert reference.stale_documents(ROOT) == [], "run `python -m config.reference --write`"


def test_drift_is_noticed(tmp_path: Path) -> None:
    example, manual = tmp_path / reference.EXAMPLE_FILE, tmp_path / reference.MANUAL_FILE
    assert reference.stale_documents(tmp_path) == [example, manual]
    manual.parent.mkdir()
    example.write_text(reference.example())
    manual.write_text(reference.manual())
    assert reference.stale_documents(tmp_path) == []
    example.write_text(reference.example() + "#extra = 1\n")
    assert reference.stale_documents(tmp_path) == [example]


def test_the_command_checks_and_refuses_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    assert reference.main(["--check"]) == 0
    assert reference.main([]) == 2
    assert "usage" in capsys.readouterr().err


def test_the_example_is_the_defaults_as_it_is_and_uncommented(tmp_path: Path) -> None:
    file = tmp_path / "secureconnect.toml"
    file.write_text(reference.example())
    assert load_settings(file=file, environ={}) == Settings()
    uncommented = re.sub(r"^#(?=[a-z])", "", reference.example(), flags=re.MULTILINE)
    file.write_text(uncommented)
    assert load_settings(file=file, environ={}) == Settings()
    written = {f"{section}.{name}" for section, keys in tomllib.loads(uncommented).items() for name in keys}
    assert written == set(all_keys())


def test_every_key_is_explained_with_its_variable() -> None:
    for key in all_keys().values():
        assert key.description.endswith("."), key.path
        for document in (reference.example(), reference.manual()):
            assert key.description in document.replace("\n# ", " "), key.path
            assert key.variable in document
    for section in section_types().values():
        assert section.__doc__


def test_printing_shows_every_value_its_origin_and_no_secret(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('[server]\nport = 9000\n[database]\nurl = "postgresql://u:hunter2@h/n"\n')
    environ = {
        "SECURECONNECT_MAIL_SENDER": '"Q" <q@x.example>',
        "SECURECONNECT_DATABASE_REPLICA_URLS": "postgresql://u:hunter2@r/n",
        "SECURECONNECT_SERVER_ALLOWED_ORIGINS": "https://a.example,https://b.example",
    }
    printed = print_configuration(read_configuration(file=file, environ=environ))
    assert "hunter2" not in printed
    tables = tomllib.loads(printed)
    assert {f"{section}.{name}" for section, keys in tables.items() for name in keys} == set(all_keys())
    assert tables["server"]["port"] == 9000
    assert tables["server"]["allowed_origins"] == ["https://a.example", "https://b.example"]
    assert tables["database"] == {**tables["database"], "url": "set", "replica_urls": ["set"], "timeout": "5s"}
    assert tables["security"]["secret"] == "not set"
    assert tables["mail"]["sender"] == '"Q" <q@x.example>'
    lines = {line.split(" = ")[0]: line for line in printed.splitlines()}
    assert lines["sender"].endswith("# environment variable SECURECONNECT_MAIL_SENDER")
    assert lines["url"].endswith("# default")  # redis.url, the last of that name
    assert re.search(rf"^port = 9000 +# {file}:2$", printed, re.MULTILINE)
    assert re.search(rf'^url = "set" +# {file}:4$', printed, re.MULTILINE)
