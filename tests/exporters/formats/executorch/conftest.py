"""Programs, each made once for all tests."""

from __future__ import annotations

import pytest

pytest.importorskip("executorch")

from executorch_programs import Programs


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    return Programs(tmp_path_factory)
