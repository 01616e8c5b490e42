"""Where the pages and ONNX Runtime Web are looked for, and what is said where they are not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lama_edge.errors import MissingBackendError, UsageError
from lama_edge.web import parts
from lama_edge.web.parts import ORT_FILES, OrtWeb, compiled_pages, find_ort_web


def test_a_folder_of_onnx_runtime_web_is_taken_with_its_version(ort: OrtWeb) -> None:
    assert ort.version == "1.30.0"
    assert find_ort_web(ort.folder) == ort


@pytest.mark.parametrize("name", ORT_FILES)
def test_a_folder_that_lacks_a_file_is_refused_by_the_files_name(ort: OrtWeb, name: str) -> None:
    (ort.folder / name).unlink()
    with pytest.raises(UsageError, match=rf"ort_web='.*' has no {name}: name the dist folder"):
        find_ort_web(ort.folder)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"ort_web='.*none' has no"):
        find_ort_web(tmp_path / "none")


@pytest.mark.parametrize(
    "script", [b"", b"\xff" * 10_000, b"x" * 10_000 + b"ONNX Runtime Web v1.3"]
)
def test_files_that_tell_no_version_are_refused(ort: OrtWeb, script: bytes) -> None:
    (ort.folder / "ort.wasm.min.mjs").write_bytes(script)
    with pytest.raises(UsageError, match="does not tell its version"):
        find_ort_web(ort.folder)


def test_the_installed_package_is_found_where_no_folder_is_named(
    ort: OrtWeb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "installed/lama_edge_ort_web"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    ort.folder.rename(package / "files")
    monkeypatch.syspath_prepend(str(tmp_path / "installed"))
    monkeypatch.delitem(sys.modules, "lama_edge_ort_web", raising=False)
    assert find_ort_web() == OrtWeb(package / "files", "1.30.0")
    monkeypatch.delitem(sys.modules, "lama_edge_ort_web")


def test_without_the_package_one_line_says_the_three_ways_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "lama_edge_ort_web", None)
    with pytest.raises(MissingBackendError) as missing:
        find_ort_web()
    message = str(missing.value)
    assert 'pip install "lama-edge[web]"' in message
    assert "`make web`" in message
    assert "folder with ort_web" in message
    assert "\n" not in message
    assert missing.value.exit_code == 3


def test_pages_that_were_not_compiled_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "_COMPILED", tmp_path)
    for page in ("bench", "demo"):
        with pytest.raises(MissingBackendError, match=r"^the compiled pages .*: run `make web`$"):
            compiled_pages()
        (tmp_path / page).mkdir()
        (tmp_path / page / "index.html").touch()
    assert compiled_pages() == tmp_path
