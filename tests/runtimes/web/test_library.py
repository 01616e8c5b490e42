"""The browser's library: what it fills is what Python fills, in Node and in Chromium."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chromium import chromium, ort_web, served
from model_cases import Cases
from web_library import WEB, compile_library

from lama_edge.spec import Size

pytestmark = pytest.mark.browser

Vitest = Callable[..., None]
ELSEWHERE = "https://packages.test/lama-edge/dist/"
# A page that has the library from elsewhere, as from a network that hands out packages.
FAR_PAGE = f"""<!doctype html><meta charset="utf-8"><title>Far</title><script type="module">
import {{ Inpainter }} from "{ELSEWHERE}index.js";
window.precision = async () => {{
  const inpainter = await Inpainter.open("/tiny.onnx", {{ ort: "/ort/", provider: "wasm" }});
  return inpainter.info.precision;
}};
</script>"""


@pytest.fixture(scope="module")
def all_cases(tmp_path_factory: pytest.TempPathFactory, exported: Callable[..., Path]) -> Path:
    """Every family in both forms, the embedded model in every precision, free sizes, batches."""
    cases = Cases(tmp_path_factory.mktemp("cases"), [])
    cases.add_models(exported)
    return cases.folder


def test_models_run_in_node(vitest: Vitest, all_cases: Path) -> None:
    vitest("node", "tests/node/model.test.ts", cases=all_cases)


def test_models_run_in_chromium_in_two_threads(vitest: Vitest, all_cases: Path) -> None:
    vitest("chromium", "tests/chromium", cases=all_cases)


def test_without_isolation_one_thread_works(vitest: Vitest, all_cases: Path) -> None:
    vitest("plain", cases=all_cases)


def test_webgpu_is_tried_first_and_gives_way(vitest: Vitest, all_cases: Path) -> None:
    made = [sys.executable, WEB / "building/selftest.py", all_cases / "assets"]
    subprocess.run(made, check=True, capture_output=True)
    vitest("webgpu", cases=all_cases)


def test_the_library_may_lie_on_another_origin_than_the_page(
    tmp_path: Path, exported: Callable[..., Path]
) -> None:
    library = tmp_path / "dist"
    compile_library(library)

    def hand_out(route: Any) -> None:
        headers = {
            "Access-Control-Allow-Origin": "*",
            "Cross-Origin-Resource-Policy": "cross-origin",
        }
        path = library / route.request.url.removeprefix(ELSEWHERE)
        route.fulfill(path=path, content_type="text/javascript", headers=headers)

    files = {
        "/": FAR_PAGE.encode(),
        "/tiny.onnx": exported(None, Size(64, 64)),
        "/ort": ort_web(),
    }
    with served(files) as address, chromium() as browser:
        page = browser.new_page()
        page.context.route(f"{ELSEWHERE}**", hand_out)
        page.goto(f"{address}/")
        page.wait_for_function("window.precision !== undefined")
        assert page.evaluate("window.precision()") == "fp32"
