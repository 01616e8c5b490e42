"""Threads of the kernels."""

from __future__ import annotations

import pytest

from lama_edge.kernels import threads


@pytest.fixture
def in_threads(monkeypatch):
    """Run a function while so many threads, however few processors, share even little work."""

    def run(count, function):
        monkeypatch.setattr(threads, "_LEAST", 1 << 8)
        threads.set_threads(count)
        return function()

    return run
