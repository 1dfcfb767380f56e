"""Every name under which something is counted is in the table, and nothing else is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from media.drops import HONEST, NOTABLE, PARSED, is_expected, is_named
from media.gate import Reason
from media.icevalues import EXPECTED_DROPS
from media.portable.streams import Unplaced
from media.sequence import Late

MEDIA = Path(__file__).parents[2] / "media"
# Ends and people use these; no engine counts what they refuse.
ELSEWHERE = {"candidates.py", "framecrypto.py", "framekeys.py", "sframe.py", "gate.py"}
# Names that are put together.
COMPOSED = (
    {f"gate_{reason.value}" for reason in Reason}
    | {f"sink_{late.value}" for late in Late}
    | {unplaced.value for unplaced in Unplaced}
)


def counted() -> Iterator[str]:
    for file in sorted(MEDIA.rglob("*.py")):
        if file.name in ELSEWHERE or file == MEDIA / "drops.py":
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "BadPacket":
                yield from literals(node.args[0])
            elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Subscript):
                if ast.unparse(node.target.value).endswith("drops"):
                    yield from literals(node.target.slice)
            elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("_REASONS", "_STRANGERS"):
                yield from literals(node.value)
            elif isinstance(node, ast.AnnAssign) and ast.unparse(node.target) in ("_REASONS", "_STRANGERS"):
                yield from literals(node.value or node)


def literals(node: ast.AST) -> Iterator[str]:
    """Whole ones: a part of a name that is put together is none."""
    if isinstance(node, ast.JoinedStr):
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    for child in ast.iter_child_nodes(node):
        yield from literals(child)


def test_whatever_is_counted_has_a_name_in_the_table() -> None:
    found = set(counted())
    assert len(found) > 80
    assert {name for name in found | COMPOSED if not is_named(name)} == set()


def test_no_name_in_the_table_is_counted_by_nobody() -> None:
    assert (HONEST.keys() | NOTABLE.keys()) - set(counted()) - COMPOSED == set()


def test_no_name_is_both_noise_and_notable() -> None:
    assert HONEST.keys().isdisjoint(NOTABLE)
    assert not any(name.startswith(PARSED) for name in HONEST if name not in ("sctp_after_end",))


def test_what_ice_expects_is_expected_here() -> None:
    assert all(map(is_expected, EXPECTED_DROPS))
    assert not is_expected("internal_error")
