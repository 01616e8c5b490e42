"""The bench page as it is, in Chromium: measured, judged by what it computed, in a document."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import lan_bench
import pytest
from bench_page import BenchPage, options, without_isolation
from chromium import chromium
from places import DATA
from same_process import without_processes

from lama_edge.benchmarks.bench.run import Bench, BenchResult, run_bench
from lama_edge.benchmarks.documents.store import load_bench
from lama_edge.benchmarks.parity.check import ParityCheck, ParityResult, check_parity
from lama_edge.benchmarks.targets.base import Opening, TargetOptions
from lama_edge.benchmarks.targets.browser import target as module
from lama_edge.benchmarks.targets.registry import open_target
from lama_edge.errors import LamaEdgeError, MissingBackendError
from lama_edge.exporters.formats.record import Export
from lama_edge.models.config import BIG_LAMA
from lama_edge.models.seeded import save_seeded
from lama_edge.pipeline import export_model
from lama_edge.spec import Size
from lama_edge.web.parts import ORT_FILES, find_ort_web

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

QUICK: dict[str, Any] = {
    "rounds": 1, "min_runs": 2, "min_seconds": 0.0, "min_warmup_ms": 0.0, "min_warmup_runs": 1,
}  # fmt: skip
SIZES = {"fourier": Size(64, 96), "regular": Size(64, 48), "dilated": Size(72, 80)}


@pytest.fixture(scope="module")
def options_of_the_page() -> TargetOptions:
    return options()


@pytest.fixture(scope="module")
def browser(options_of_the_page: TargetOptions) -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def bench(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> BenchPage:
    without_processes(monkeypatch)
    return BenchPage(browser, monkeypatch)


@pytest.fixture(scope="module")
def model(exported: Callable[..., Path]) -> Path:
    return exported("fourier", SIZES["fourier"])


def test_both_forms_on_two_threads(
    bench: BenchPage, options_of_the_page: TargetOptions, exported: Callable[..., Path]
) -> None:
    size = Size(64, 64)
    models = (
        exported(None, size),
        exported(None, size, io="uint8", precision="fp16"),
    )
    job = Bench(models, "browser", options_of_the_page, provider="wasm", threads=2, **QUICK)
    result: BenchResult = bench.measure(lambda: run_bench(job))
    document = result.document
    assert [run["error"] for run in document["runs"]] == [None] * 2
    assert result.exit_code == 0
    floats, levels = (run["parity"] for run in document["runs"])
    assert floats["max_abs_diff"] <= 1e-4
    assert levels["passed"]
    assert levels["psnr_db"] >= levels["least_psnr_db"] == 55
    for run in document["runs"]:
        assert (run["provider"], run["threads"]) == ("wasm", 2)
        assert run["runtime"].startswith("onnxruntime-web 1.")
        assert run["program"]["name"] == "lama-edge-web"
        assert len(run["program"]["sha256"]) == 64
        assert run["memory_bytes"] > 1 << 20
        assert set(run["placement"]["providers"]) == {"CPUExecutionProvider"}
    found = document["environment"]
    assert found["browser"]["isolated"] is True
    assert found["browser"]["name"]
    # What runs and what was found is on the page, and nothing is asked of anybody else.
    assert "Measured" in bench.text
    assert all(model.name in bench.text for model in models)
    address = urlsplit(bench.address)
    assert bench.origins == {f"{address.scheme}://{address.netloc}"}
    assert bench.errors == []


@pytest.mark.parametrize("family", SIZES)
def test_a_checkpoint_of_each_family(
    bench: BenchPage,
    options_of_the_page: TargetOptions,
    exported: Callable[..., Path],
    family: str,
) -> None:
    models = [exported(family, SIZES[family]), *[exported(family)] * (family == "fourier")]
    check = ParityCheck(
        tuple(map(str, models)),
        str(DATA / family),
        provider="wasm",
        target="browser",
        options=options_of_the_page,
    )
    result: ParityResult = bench.measure(lambda: check_parity(check))
    assert result.passed
    assert all(row["worst"]["max_abs_diff"] <= 1e-4 for row in result.document["models"])


def test_one_thread_without_isolation(
    bench: BenchPage,
    options_of_the_page: TargetOptions,
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without_isolation(monkeypatch)
    reference = str(DATA / "fourier")
    job = Bench((model,), "browser", options_of_the_page, reference=reference, **QUICK)
    result: BenchResult = bench.measure(lambda: run_bench(job))
    (run,) = result.document["runs"]
    assert (run["error"], run["provider"], run["threads"]) == (None, "wasm", 1)
    assert run["parity"]["max_abs_diff"] <= 1e-4
    assert result.document["environment"]["browser"]["isolated"] is False


def test_without_webgpu_its_row_fails_and_the_others_go_on(
    bench: BenchPage, options_of_the_page: TargetOptions, model: Path
) -> None:
    job = Bench(
        (model, model), "browser", options_of_the_page, providers=("webgpu", "wasm"),
        reference=str(DATA / "fourier"), **QUICK,
    )  # fmt: skip
    result: BenchResult = bench.measure(lambda: run_bench(job))
    lost, run = result.document["runs"]
    assert "WebGPU" in lost["error"]
    assert lost["statistics"] is None
    assert run["parity"]["passed"]
    assert result.exit_code == 3
    assert lost["error"].split(":")[0][:20] in bench.text


def spoilt(options: TargetOptions, folder: Path, script: str) -> TargetOptions:
    """Serve ONNX Runtime Web with a script of ours before its own, in the worker of each task."""
    folder.mkdir()
    for name in ORT_FILES:
        shutil.copy(find_ort_web(options.ort_web).folder / name, folder)
    for name in ("ort.wasm.min.mjs", "ort.webgpu.min.mjs"):
        path = folder / name
        path.write_text(script + path.read_text())
    return replace(options, ort_web=folder)


MEMORY_ENDS = """
WebAssembly.Memory = class extends WebAssembly.Memory {
  constructor(most) { super({ ...most, maximum: most.initial }); }
};
"""


def test_where_memory_ends_the_page_and_the_terminal_say_so_and_there_is_no_figure(
    bench: BenchPage,
    options_of_the_page: TargetOptions,
    exported: Callable[..., Path],
    tmp_path: Path,
) -> None:
    given = spoilt(options_of_the_page, tmp_path / "ort", MEMORY_ENDS)
    job = Bench((exported(None, Size(64, 64)),), "browser", given, provider="wasm", **QUICK)
    result: BenchResult = bench.measure(lambda: run_bench(job))
    (run,) = result.document["runs"]
    assert run["error"].startswith("memory ended while ")
    assert (run["statistics"], run["parity"], result.exit_code) == (None, None, 2)
    assert "memory ended while" in bench.text


GPU_IS_LOST = """
const asked = GPUAdapter.prototype.requestDevice;
GPUAdapter.prototype.requestDevice = async function (...given) {
  const device = await asked.apply(this, given);
  setTimeout(() => device.destroy(), 500);
  return device;
};
"""


def test_a_gpu_that_is_lost_at_work_gives_no_figure_and_is_told_here_and_there(
    options_of_the_page: TargetOptions,
    exported: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without_processes(monkeypatch)
    given = spoilt(options_of_the_page, tmp_path / "ort", GPU_IS_LOST)
    job = Bench((exported(None, Size(64, 64)),), "browser", given, provider="webgpu", **QUICK)
    with chromium(webgpu=True) as found:
        bench = BenchPage(found, monkeypatch)
        result: BenchResult = bench.measure(lambda: run_bench(job), seconds=200)
    (run,) = result.document["runs"]
    assert "the GPU was lost" in run["error"]
    assert (run["statistics"], run["parity"], result.exit_code) == (None, None, 2)
    assert "the GPU was lost" in bench.text


def test_a_page_that_is_closed_while_it_measures_gives_no_figure(
    bench: BenchPage,
    options_of_the_page: TargetOptions,
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "RETURN_S", 1.0)
    job = Bench(
        (model, model), "browser", options_of_the_page, reference=str(DATA / "fourier"),
        **{**QUICK, "min_seconds": 60.0},
    )  # fmt: skip

    def close() -> None:
        bench.page.get_by_text("round 1 of 1").first.wait_for()
        bench.page.wait_for_timeout(500)
        bench.open("about:blank")
        bench.page.close()

    result: BenchResult = bench.measure(lambda: run_bench(job), meanwhile=close)
    errors = [run["error"] for run in result.document["runs"]]
    assert errors == ["the page was closed", "no page came back within 1 s"]
    assert not any(run["statistics"] for run in result.document["runs"])
    assert result.exit_code == 2


def test_two_phones_at_once_and_one_with_another_token(
    bench: BenchPage, options_of_the_page: TargetOptions, model: Path
) -> None:
    said: list[str] = []

    def others() -> None:
        for address in (bench.address, bench.address[:-3] + "abc"):
            page = bench.open(address)
            page.get_by_role("button", name="Try again").wait_for()
            said.append(page.inner_text("main"))

    job = Bench(
        (model,), "browser", options_of_the_page, reference=str(DATA / "fourier"),
        **{**QUICK, "min_seconds": 3.0},
    )  # fmt: skip
    result: BenchResult = bench.measure(lambda: run_bench(job), meanwhile=others)
    busy, refused = said
    assert "nother page is measuring" in busy
    assert "does not take this page" in refused
    assert result.exit_code == 0


def test_stop_on_the_page(
    bench: BenchPage, options_of_the_page: TargetOptions, model: Path
) -> None:
    def stop() -> None:
        bench.page.get_by_role("button", name="Stop").click()

    job = Bench(
        (model, model), "browser", options_of_the_page, reference=str(DATA / "fourier"),
        **{**QUICK, "min_seconds": 60.0},
    )  # fmt: skip

    def work() -> LamaEdgeError | BenchResult:
        try:
            return run_bench(job)
        except LamaEdgeError as error:  # stopped before the first row
            return error

    result = bench.measure(work, meanwhile=stop)
    if isinstance(result, BenchResult):
        errors = {run["error"] for run in result.document["runs"]}
        assert errors == {"the measurement was stopped on the page"}
    else:
        assert "stopped on the page" in str(result)
    assert "topped" in bench.text


def test_a_model_that_was_changed_after_it_was_brought(
    bench: BenchPage, options_of_the_page: TargetOptions, model: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(model.read_bytes())

    def work() -> str:
        with open_target("browser", options_of_the_page) as target:
            handle = target.push(copy)
            target.claim()
            copy.write_bytes(model.read_bytes() + b" ")
            try:
                target.describe(handle, Opening("wasm", threads=1))
            except LamaEdgeError as error:
                return str(error)
        return ""

    assert "changed" in bench.measure(work)


def test_the_stopwatch_of_the_page_is_right(
    bench: BenchPage, options_of_the_page: TargetOptions
) -> None:
    def work() -> dict[str, Any]:
        with open_target("browser", options_of_the_page) as target:
            return target.sleep([20.0] * 12)

    found = bench.measure(work)
    for measured, slept in zip(found["samples_ms"], found["slept_ms"], strict=True):
        assert measured == pytest.approx(slept, abs=5)
        assert measured > 15


def test_a_phone_in_the_network(
    options_of_the_page: TargetOptions, model: Path, tmp_path: Path
) -> None:
    """In a network of the test's own, so that the machine's is served nothing."""
    alone = ["unshare", "--user", "--map-root-user", "--net", "--kill-child"]
    if shutil.which("unshare") is None or subprocess.run([*alone, "true"]).returncode != 0:
        pytest.skip("no network of its own can be made: apt-get install util-linux iproute2")
    result, ort = tmp_path / "result.json", options_of_the_page.ort_web
    command = [sys.executable, "-P", lan_bench.__file__]
    ended = subprocess.run(
        [*alone, *command, ort, model, DATA / "fourier", result],
        env={**os.environ, "PYTHONPATH": str(Path(lan_bench.__file__).parent)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    seen = json.loads(ended.stdout)
    assert (seen["code"], seen["scheme"], seen["address"]) == (0, "https", lan_bench.ADDRESS)
    assert seen["fingerprint"]
    assert seen["isolated"]
    assert "Measured" in seen["text"]
    # No code where nobody looks at a terminal.
    assert "\u2584" not in seen["said"]
    document = load_bench(result)
    (run,) = document["runs"]
    assert run["parity"]["max_abs_diff"] <= 1e-4
    # Neither the address nor the token is in the result.
    assert lan_bench.ADDRESS not in result.read_text()


def test_webgpu_on_the_software_adapter(
    options_of_the_page: TargetOptions,
    exported: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Half a minute is the first run, of which there is one a session: describe, then run."""
    without_processes(monkeypatch)
    check = ParityCheck(
        (str(exported(None, Size(64, 64))),), provider="webgpu", target="browser",
        options=options_of_the_page,
    )  # fmt: skip
    with chromium(webgpu=True) as found:
        bench = BenchPage(found, monkeypatch)
        result: ParityResult = bench.measure(lambda: check_parity(check), seconds=400)
    (row,) = result.document["models"]
    assert row["error"] is None
    assert row["runtime"].endswith(" webgpu")
    assert row["worst"]["max_abs_diff"] <= 1e-4
    assert result.document["environment"]["gpu"]["architecture"] == "swiftshader"
    assert result.document["environment"]["gpu"]["shader_f16"] is False


@pytest.mark.slow
@pytest.mark.parametrize("family", SIZES)
def test_webgpu_measures_each_family(
    options_of_the_page: TargetOptions,
    exported: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    family: str,
) -> None:
    without_processes(monkeypatch)
    job = Bench(
        (exported(family, SIZES[family]),), "browser", replace(options_of_the_page),
        provider="webgpu", reference=str(DATA / family), **{**QUICK, "min_runs": 1},
    )  # fmt: skip
    with chromium(webgpu=True) as found:
        bench = BenchPage(found, monkeypatch)
        result: BenchResult = bench.measure(lambda: run_bench(job), seconds=900)
    (run,) = result.document["runs"]
    assert (run["error"], run["provider"]) == (None, "webgpu")
    assert run["parity"]["max_abs_diff"] <= 1e-4


@pytest.mark.slow
def test_big_lamas_shape_in_two_threads(
    bench: BenchPage, options_of_the_page: TargetOptions, tmp_path: Path
) -> None:
    """In fp32 as the reference in NumPy computes it, in memory that WebAssembly can address."""
    checkpoint, model = tmp_path / "big-lama.safetensors", tmp_path / "big-lama.onnx"
    save_seeded(BIG_LAMA, checkpoint)
    size = Size(512, 512)
    export_model(
        Export("onnx", checkpoint, model, sizes=(size,), check_parity=False, options={"for": "web"})
    )
    job = Bench(
        (model,), "browser", options_of_the_page, provider="wasm", threads=2,
        reference=str(checkpoint), **{**QUICK, "min_runs": 1},
    )  # fmt: skip
    result: BenchResult = bench.measure(lambda: run_bench(job), seconds=1800)
    (run,) = result.document["runs"]
    assert (run["error"], run["provider"], run["threads"]) == (None, "wasm", 2)
    assert run["parity"]["max_abs_diff"] <= 1e-4
    assert run["memory_bytes"] < 4 << 30
    assert bench.errors == []


def test_without_the_compiled_page_there_is_no_target(
    options_of_the_page: TargetOptions, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from lama_edge.web import parts

    monkeypatch.setattr(parts, "_COMPILED", tmp_path)
    with (
        pytest.raises(MissingBackendError, match="run `make web`"),
        open_target("browser", options_of_the_page),
    ):
        pass
