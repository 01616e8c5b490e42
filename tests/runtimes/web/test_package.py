"""The npm package as users have it: packed, installed into an empty project, erasing in a page."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import chromium, ort_web, served
from numpy.typing import NDArray
from PIL import Image
from web_library import WEB, compile_library, run_node

from lama_edge import __version__
from lama_edge.runtimes.inpainting.inpainter import Inpainter

pytestmark = pytest.mark.browser

Levels = NDArray[np.uint8]

# One model and one picture at a time on processors that others use too.
PATIENCE_MS = 120_000
RADIUS = 12


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as `npm pack` makes it of what `make web` builds."""
    if shutil.which("npm") is None:
        pytest.skip("there is no npm on the PATH")
    source = tmp_path_factory.mktemp("source")
    compile_library(source / "dist")
    for name in ("package.json", "README.md", "LICENSE"):
        shutil.copy(WEB / name, source)
    if (WEB / "assets/selftest.onnx").is_file():
        shutil.copytree(WEB / "assets", source / "assets")
    else:
        subprocess.run(
            [sys.executable, WEB / "building/selftest.py", source / "assets"], check=True
        )
    npm(source, "pack")
    return next(source.glob("*.tgz"))


@pytest.fixture(scope="module")
def installed(packed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty project into which the package was installed, without the network."""
    project = tmp_path_factory.mktemp("project")
    (project / "package.json").write_text('{"name": "empty", "private": true, "type": "module"}')
    npm(project, "install", "--offline", "--no-audit", "--no-fund", str(packed))
    assert {path.name for path in (project / "node_modules").iterdir()} <= {
        "lama-edge", ".package-lock.json",
    }  # fmt: skip
    return project


@pytest.fixture(scope="module")
def model(exported: Callable[..., Path]) -> Path:
    """lama-tiny for pictures of any size."""
    return exported(None)


def npm(folder: Path, *words: str) -> None:
    # A later npm that it would like to tell of is no business of tests.
    environment = dict(os.environ, npm_config_update_notifier="false")
    command = ["npm", *words, "--silent"]
    subprocess.run(command, cwd=folder, env=environment, check=True)


def picture(channels: int) -> Levels:
    """A gradient with noise, 72 x 90, with every alpha where it has one."""
    y, x = np.mgrid[:72, :90]
    levels = np.stack([2 * x, 3 * y, 255 - x - y, 255 - (x > 60) * (2 * y)], axis=2)
    noise = np.random.default_rng(0).integers(-8, 9, levels.shape)
    noise[..., 3] = 0
    return np.clip(levels + noise, 0, 255).astype(np.uint8)[..., :channels]


def hole() -> NDArray[np.bool_]:
    mask = np.zeros((72, 90), bool)
    mask[20:44, 30:58] = True
    return mask


def saved(path: Path, levels: Levels | NDArray[np.bool_]) -> Path:
    Image.fromarray(levels).save(path)
    return path


@contextmanager
def opened(
    files: Mapping[str, Path | bytes],
    path: str,
    *,
    isolated: bool,
    others: tuple[str, ...] = (),
    webgpu: bool = False,
) -> Iterator[Any]:
    """A page that is ready, and asks nobody but its own server, and others that are named."""
    asked: list[str] = []
    with served(files, isolated=isolated) as address, chromium(webgpu=webgpu) as browser:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address + path)
        told(page, "Ready")
        yield page
    ours = (address, f"blob:{address}", "data:", *others)
    assert [url for url in asked if not url.startswith(ours)] == []


def told(page: Any, start: str) -> str:
    """Wait until the page says what starts so, or what went wrong."""
    state = page.locator("#state")
    page.wait_for_function(
        """(start) => {
          const said = document.getElementById("state").textContent;
          return said.startsWith(start) || !/^(Loading|Ready|Erasing|Click)/.test(said);
        }""",
        arg=start,
    )
    said: str = state.text_content()
    assert said.startswith(start), said
    return said


def download(page: Any) -> Levels:
    with page.expect_download() as begun:
        page.click("#save")
    with Image.open(begun.value.path()) as image:
        return np.asarray(image)


def test_the_package_holds_what_is_used_and_nothing_else(packed: Path) -> None:
    with tarfile.open(packed) as archive:
        files = {
            member.name.removeprefix("package/"): archive.extractfile(member).read()  # type: ignore[union-attr]
            for member in archive
        }
    code = {name for name in files if name.endswith(".js")}
    others = {name for name in files if not name.startswith("dist/")}
    assert others == {
        "package.json", "README.md", "LICENSE", "assets/selftest.onnx", "assets/selftest.bin",
    }  # fmt: skip
    assert {"dist/index.js", "dist/worker/worker.js"} <= code
    for name in code:
        assert name.replace(".js", ".d.ts") in files
        # Debuggers show the sources, which are not in the package, out of the maps.
        assert all(json.loads(files[f"{name}.map"])["sourcesContent"])
    manifest = json.loads(files["package.json"])
    assert manifest["version"] == __version__
    assert "dependencies" not in manifest
    assert sum(len(gzip.compress(files[name])) for name in code) < 60_000


def test_a_page_without_a_bundler_erases(installed: Path, model: Path, tmp_path: Path) -> None:
    files: dict[str, Path | bytes] = {
        "/": WEB / "examples/plain/index.html",
        "/model.onnx": model,
        "/node_modules/lama-edge": installed / "node_modules/lama-edge",
        "/node_modules/onnxruntime-web/dist": ort_web(),
    }
    levels = picture(4)
    with opened(files, "/", isolated=False) as page:
        page.set_input_files("[name=picture]", saved(tmp_path / "picture.png", levels))
        page.set_input_files("[name=mask]", saved(tmp_path / "mask.png", hole()))
        page.click("button")
        told(page, "Erased")
        erased = download(page)
    with Inpainter.open(model) as inpainter:
        expected = inpainter(Image.fromarray(levels), Image.fromarray(hole()))
    assert np.array_equal(erased[~hole()], levels[~hole()])
    assert np.abs(erased.astype(int) - np.asarray(expected)).max() <= 1
    assert not np.array_equal(erased[hole()], levels[hole()])


CDN_PAGE = """<!doctype html><p id="state">Loading</p><script type="module">
const state = document.getElementById("state");
try {
  const { Inpainter } = await import("ADDRESS/lama-edge/dist/index.js");
  const inpainter = await Inpainter.open("/model.onnx", { provider: "wasm", threads: 2 });
  const grey = (data) => ({ data, width: 64, height: 64, channels: 1 });
  const picture = grey(new Uint8Array(64 * 64).fill(90));
  const mask = grey(new Uint8Array(64 * 64).fill(1, 640, 1280));
  const { report } = await inpainter.inpaint(picture, mask);
  state.textContent = `Ready: ${report.runs} run in ${inpainter.info.threads} threads`;
} catch (error) { state.textContent = String(error); }
</script>"""


def test_the_files_may_lie_at_another_origin(installed: Path, model: Path) -> None:
    elsewhere = {
        "/lama-edge": installed / "node_modules/lama-edge",
        "/onnxruntime-web/dist": ort_web(),
    }
    with served(elsewhere, isolated=False, shared=True) as cdn:
        files: dict[str, Path | bytes] = {
            "/": CDN_PAGE.replace("ADDRESS", cdn).encode(),
            "/model.onnx": model,
        }
        with opened(files, "/", isolated=True, others=(cdn,)) as page:
            assert page.text_content("#state") == "Ready: 1 run in 2 threads"


@pytest.fixture(scope="module")
def vite_project(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example for Vite with the installed package, ONNX Runtime Web copied as it says."""
    project = tmp_path_factory.mktemp("vite")
    shutil.copytree(WEB / "examples/vite", project, dirs_exist_ok=True)
    shutil.copytree(installed / "node_modules", project / "node_modules")
    (project / "node_modules/onnxruntime-web").mkdir()
    (project / "node_modules/onnxruntime-web/dist").symlink_to(ort_web())
    run_node("copy_ort.js", folder=project)
    return project


@pytest.mark.parametrize("resolution", ["bundler", "nodenext"])
def test_its_types_are_found(vite_project: Path, resolution: str) -> None:
    module = {"bundler": "esnext", "nodenext": "nodenext"}[resolution]
    compiler = WEB / "node_modules/typescript/bin/tsc"
    options = ["--module", module, "--moduleResolution", resolution]
    assert run_node(compiler, "-p", vite_project, *options) == ""


@pytest.fixture(scope="module")
def built(vite_project: Path, model: Path) -> Path:
    """What Vite builds of it, without a warning."""
    shutil.copy(model, vite_project / "public/model.onnx")
    bundler = WEB / "node_modules/vite/bin/vite.js"
    assert run_node(bundler, "build", "--logLevel", "warn", folder=vite_project) == ""
    return vite_project / "dist"


# The software adapter would take a minute: WebAssembly under the name of WebGPU takes its place, so
# what runs is all but the GPU.
QUICK_GPU = b"""
export * from "./ort.wasm.min.mjs";
import { env, InferenceSession as Whole } from "./ort.wasm.min.mjs";
export const InferenceSession = {
  create: (bytes, options) => Whole.create(bytes, { ...options, executionProviders: ["wasm"] }),
};
const device = Object.assign(new EventTarget(), { lost: new Promise(() => {}) });
Object.defineProperty(env, "webgpu", { value: { device: Promise.resolve(device) } });
"""


def test_a_built_page_finds_its_self_test(built: Path) -> None:
    files: dict[str, Path | bytes] = {"/app/ort/ort.webgpu.min.mjs": QUICK_GPU, "/app": built}
    with opened(files, "/app/", isolated=True, webgpu=True) as page:
        assert page.text_content("#state") == "Ready, with webgpu"


def test_a_page_built_by_vite_erases(built: Path, tmp_path: Path) -> None:
    levels = picture(3)
    with opened({"/app": built}, "/app/", isolated=True) as page:
        page.set_input_files("#file", saved(tmp_path / "picture.png", levels))
        told(page, "Click")
        for x, y in ((40, 30), (70, 50)):
            page.click("canvas", position={"x": x, "y": y})
            told(page, "Erased")
            page.evaluate("document.getElementById('state').textContent = 'Ready'")
        erased = download(page)
    y, x = np.mgrid[:72, :90]
    centres = ((40, 30), (70, 50))
    distance = np.min([np.hypot(x + 0.5 - cx, y + 0.5 - cy) for cx, cy in centres], axis=0)
    changed = (erased != levels).any(axis=2)
    assert not changed[distance > RADIUS + 2].any()
    assert changed[distance < RADIUS - 1].mean() > 0.9
