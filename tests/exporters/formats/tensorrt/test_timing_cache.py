"""The timing cache: read, written and ignored when it is foreign, with a real builder's config."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from lama_edge.engines import Library
from lama_edge.exporters.formats.tensorrt.parser import open_parser
from lama_edge.exporters.formats.tensorrt.timing_cache import (
    attach,
    load_timing_cache,
    save_timing_cache,
)
from lama_edge.models.zoo import CACHE_VARIABLE

# RTX still has the functions, and says that they time nothing.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def config(rtx: Library) -> Any:
    opened = open_parser(rtx)
    return opened.builder.create_builder_config()


def test_a_cache_is_kept_and_used_by_the_next_build(config: Any, tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.cache"
    assert not attach(config, path)
    save_timing_cache(config, path)
    assert path.stat().st_size > 0
    assert [one.name for one in path.parent.iterdir()] == ["a.cache"]
    assert attach(config, path)


@pytest.mark.parametrize("refused", [True, False])
def test_a_foreign_cache_is_not_used_and_the_build_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, refused: bool
) -> None:
    class Config:
        """RTX takes any bytes, so TensorRT's two ways of refusing them are spelt out here."""

        used: bytes | None = None

        def create_timing_cache(self, known: bytes) -> bytes | None:
            return None if known and refused else known

        def set_timing_cache(self, cache: bytes, ignore_mismatch: bool) -> bool:
            assert not ignore_mismatch
            if cache:
                return False
            self.used = cache
            return True

    path, config = tmp_path / "a.cache", Config()
    path.write_bytes(b"another version's")
    with caplog.at_level(logging.WARNING):
        assert not attach(config, path)
    assert "starting afresh" in caplog.text
    assert config.used == b""


def test_a_folder_that_cannot_be_made_is_no_error(
    config: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    attach(config, tmp_path / "file" / "a.cache")
    save_timing_cache(config, tmp_path / "file" / "a.cache")
    assert "cannot be kept" in caplog.text


def test_each_version_and_gpu_has_a_cache_of_its_own(
    rtx: Library, config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    tensorrt = Library("tensorrt", rtx.module, "10.3.0")
    place = load_timing_cache(tensorrt, config, ("8.7",))
    assert place == tmp_path / "timing" / "tensorrt-10.3.0-sm8.7.cache"


def test_rtx_keeps_none(rtx: Library, config: Any) -> None:
    assert load_timing_cache(rtx, config, ("8.6",)) is None
    save_timing_cache(config, None)
