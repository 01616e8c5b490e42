"""The wheel of ONNX Runtime Web: the npm package's own files, with the texts of their licences."""

from __future__ import annotations

import gzip
import json
from importlib import metadata
from pathlib import Path

import pytest
from places import ROOT

from lama_edge.web.parts import ORT_FILES, find_ort_web

NPM = ROOT / "runtimes/web/node_modules/onnxruntime-web"

pytestmark = pytest.mark.browser


@pytest.fixture
def installed() -> metadata.Distribution:
    if not NPM.is_dir():
        pytest.skip("`make web` has not been run here")
    try:
        return metadata.distribution("lama-edge-ort-web")
    except metadata.PackageNotFoundError:
        pytest.skip("`make web` has not been run here")


def test_it_is_the_npm_packages_version_and_files(installed: metadata.Distribution) -> None:
    npm = json.loads((NPM / "package.json").read_text())
    ort = find_ort_web()
    assert ort.version == installed.version == npm["version"]
    for name in ORT_FILES:
        given = (NPM / "dist" / name).read_bytes()
        assert (ort.folder / name).read_bytes() == given
        assert gzip.decompress((ort.folder / f"{name}.gz").read_bytes()) == given
    assert {path.name.removesuffix(".gz") for path in ort.folder.iterdir()} == set(ORT_FILES)


def test_it_has_the_licence_and_the_notices_of_what_is_in_it(
    installed: metadata.Distribution,
) -> None:
    assert installed.metadata["License-Expression"] == "MIT"
    named = [file for file in installed.files or [] if "licenses" in file.parts]
    assert sorted(Path(file).name for file in named) == ["LICENSE", "ThirdPartyNotices.txt"]
    texts = {Path(file).name: file.read_text(encoding="utf-8") for file in named}
    assert "Copyright (c) Microsoft Corporation" in texts["LICENSE"]
    # What WebAssembly and WebGPU bring beside ONNX Runtime itself.
    assert {"dawn", "abseil-cpp"} <= set(texts["ThirdPartyNotices.txt"].splitlines())
    assert "Emscripten authors" in texts["ThirdPartyNotices.txt"]
