"""The schema of every message: up to date, valid, complete, and what the decoders do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from sfu.notices import Notice
from signaling import reference
from signaling.requests import REQUESTS
from signaling.telling import ADMITTED, TELLINGS

ROOT = Path(__file__).resolve().parents[2]
MANUAL = (ROOT / "docs/signaling.md").read_text()


def test_the_generated_schema_is_up_to_date() -> None:
    assert not reference.is_stale(ROOT), "run `python -m signaling.reference --write`"


def test_drift_is_noticed(tmp_path: Path) -> None:
    assert reference.is_stale(tmp_path)
    file = tmp_path / reference.SCHEMA_FILE
    file.parent.mkdir()
    file.write_text(reference.written())
    assert not reference.is_stale(tmp_path)
    file.write_text(reference.written().replace("want", "wish"))
    assert reference.is_stale(tmp_path)


def test_the_command_checks_and_refuses_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    assert reference.main(["--check"]) == 0
    assert reference.main([]) == 2
    assert "usage" in capsys.readouterr().err


def test_every_schema_is_one_and_every_reference_leads_somewhere() -> None:
    document = json.loads(reference.written())
    for schema in document["$defs"].values():
        jsonschema_rs.meta.validate({"$schema": document["$schema"], **schema})
    names = set(re.findall(r'"#/\$defs/(\w+)"', reference.written()))
    assert names <= set(document["$defs"])


def test_every_notice_of_a_room_has_its_line_and_its_name_once() -> None:
    kinds = set(Notice.__args__)
    assert {*TELLINGS, *(kind for kind in kinds if kind.type == ADMITTED.name)} == kinds
    assert all(kind.type == telling.name for kind, telling in TELLINGS.items())
    assert len({telling.name for telling in TELLINGS.values()} | {ADMITTED.name}) == len(kinds)


def rows(heading: str) -> set[str]:
    """The names in the first column of the tables under a heading of the manual."""
    [section] = [part for part in MANUAL.split("\n## ") if part.startswith(heading)]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def test_the_manual_has_a_row_for_each_message_and_no_other() -> None:
    assert rows("What the server says") == {telling.name for telling in (ADMITTED, *TELLINGS.values())}
    asked = rows("Coming in") | rows("What the client asks for") | {"negotiate", "candidate"}
    assert asked == set(REQUESTS)


def validator(name: str) -> Any:
    document = json.loads(reference.written())
    return jsonschema_rs.validator_for({"$ref": f"#/$defs/{name}", "$defs": document["$defs"]})


@pytest.mark.parametrize(
    ("name", "value", "fits"),
    [
        ("Want", {"track": "t", "width": 640, "height": 360}, True),
        ("Want", {"track": "t", "width": 640, "height": 360, "newer": True}, True),
        ("Want", {"track": "t", "width": -1, "height": 360}, False),
        ("Want", {"track": "", "width": 1, "height": 1}, False),
        ("Join", {"client": {"name": "page", "version": "1"}, "e2ee": None}, True),
        ("Join", {"client": {"name": "page", "version": "1"}, "e2ee": {"kid_prefix": 1, "sender": "x" * 16}}, False),
        ("DataView", {"from": "p", "payload": "aGk=", "reliable": True}, True),
        ("DataView", {"sender": "p", "payload": "aGk=", "reliable": True}, False),
    ],
)
def test_the_schema_says_what_the_decoders_do(name: str, value: dict[str, Any], fits: bool) -> None:
    assert validator(name).is_valid(value) is fits
