"""The folders of the product stay small enough to look over."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
MOST_MODULES = 14


def test_no_folder_has_more_modules_side_by_side_than_one_can_look_over() -> None:
    counted = Counter(
        path.parent.relative_to(ROOT)
        for room in ("src/lama_edge", "models", "exporters", "runtimes", "benchmarks")
        for path in (ROOT / room).rglob("*.py")
        if "node_modules" not in path.parts
        if not any(folder.is_symlink() for folder in path.parents)
    )
    assert len(counted) > 20
    assert {str(folder): n for folder, n in counted.items() if n > MOST_MODULES} == {}
