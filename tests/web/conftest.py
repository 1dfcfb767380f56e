from __future__ import annotations

from pathlib import Path

import pytest

from tests.web.building import WEB, Toolchain, installed


@pytest.fixture(scope="session")
def toolchain() -> Toolchain:
    return installed()


@pytest.fixture(scope="session")
def test_pages(toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of ``web/tests/browser``, built."""
    into = tmp_path_factory.mktemp("pages")
    toolchain.build(into, "--config", WEB / "tests" / "browser" / "vite.config.ts")
    return into
