"""What `Runner.run` promises of every runtime: threads, memory order, failures, whose results are.

TensorRT and Core ML, which are stood in for here, are held to it in folders of their own.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from between import put_between, require_undisturbed
from places import DATA

from lama_edge.errors import ModelError
from lama_edge.exporters.formats.record import Export, format_named
from lama_edge.forms import to_model
from lama_edge.pipeline import export_model
from lama_edge.runtimes import base
from lama_edge.runtimes.base import Array, Runner, open_runner
from lama_edge.spec import Size

SIZE = Size(64, 88)
THREADS = 4
# What wants a package of its own, with the first that it imports.
PACKAGES = {
    "litert": "ai_edge_litert",
    "openvino": "openvino",
    "executorch": "executorch",
    "ncnn": "pnnx",
    "mnn": "MNN",
    "coreml": "coremltools",
}
# The format of a model and what opens it; a checkpoint is of none.
RUNTIMES = [
    ("onnx", "cpu"),
    ("onnx", "emulated"),
    ("onnx", "tiles"),
    *((name, "emulated" if name == "coreml" else "cpu") for name in PACKAGES),
    ("", "cpu"),
    ("", "numpy"),
]
# Those in which several runs may be under way at once.
AT_ONCE = [
    ("onnx", "cpu"),
    ("onnx", "emulated"),
    ("coreml", "emulated"),
    ("ncnn", "cpu"),
    ("", "cpu"),
    ("", "numpy"),
]
# Longer than closing takes that waits for nobody.
CLOSING_S = 0.2

MakeModel = Callable[[str, bool], Path]
Open = Callable[[], Runner]


@pytest.fixture(scope="module")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> MakeModel:
    """Exports a checkpoint once for each format, in fp32."""
    folder, made = tmp_path_factory.mktemp("contract"), {}

    def make(name: str, any_size: bool) -> Path:
        pytest.importorskip(PACKAGES.get(name, name))
        if name == "executorch":
            from executorch_programs import Programs

            return Programs(tmp_path_factory)("regular", SIZE)  # which other tests have too
        if (name, any_size) not in made:
            path = folder / f"{name}-{any_size}{format_named(name).suffix}"
            sizes = (None if any_size else SIZE,)
            job = Export(
                name, DATA / "regular", path, sizes=sizes, precision="fp32", check_parity=False
            )
            made[name, any_size] = export_model(job).path
        return made[name, any_size]

    return make


@pytest.fixture(params=RUNTIMES, ids=lambda one: "-".join(one).strip("-"))
def opening(request: pytest.FixtureRequest, make_model: MakeModel) -> Open:
    """Opens the same model again and again."""
    name, provider = request.param
    tiled = provider == "tiles"
    path = make_model(name, tiled) if name else DATA / "regular"

    def opening() -> Runner:
        if not tiled:
            return open_runner(path, provider=provider, threads=1)
        with open_runner(path, provider="cpu", threads=1) as whole:
            return whole.tiled(16)

    return opening


@pytest.fixture
def runner(opening: Open) -> Iterator[Runner]:
    with opening() as runner:
        yield runner


def pictures(runner: Runner, count: int) -> list[tuple[Array, Array]]:
    rng, hole = np.random.default_rng(0), np.zeros((SIZE.height, SIZE.width), bool)
    hole[4:20, 10:30] = True
    shape = (count, SIZE.height, SIZE.width, 3)
    images = rng.integers(0, 256, shape, dtype=np.uint8)
    return [to_model(runner.manifest.io, image, hole) for image in images]


def test_threads_that_share_a_runner_get_their_own_results(runner: Runner) -> None:
    given = pictures(runner, THREADS)
    wanted = [runner.run(*one) for one in given]
    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(lambda one: runner.run(*one), given * 2))
    for one, other in zip(found, wanted * 2, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_run_that_meets_closing_ends_or_says_so(
    opening: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread closes when the inputs were checked and the runtime has not begun."""
    runner = opening()
    closing = threading.Thread(target=runner.close)

    def check_inputs(*checked: object) -> None:
        base.check_inputs(*checked)  # type: ignore[arg-type]
        if not closing.ident:
            closing.start()
            closing.join(CLOSING_S)

    for module in {sys.modules[kind.__module__] for kind in type(runner).__mro__}:
        if module is not base and hasattr(module, "check_inputs"):
            monkeypatch.setattr(module, "check_inputs", check_inputs)
    (given,) = pictures(runner, 1)
    said = ""
    try:
        assert runner.run(*given).shape == given[0].shape
    except ModelError as error:
        said = str(error)
    assert said in ("", "the model is closed")
    closing.join()
    with pytest.raises(ModelError, match="the model is closed"):
        runner.run(*given)
    runner.close()


def test_arrays_come_in_any_memory_order_and_the_result_is_the_callers(runner: Runner) -> None:
    (image, mask), (other, _) = pictures(runner, 2)
    wanted = runner.run(image, mask)
    kept = wanted.copy()
    for axis in range(1, 4):
        backwards, marks = (np.flip(np.flip(one, axis).copy(), axis) for one in (image, mask))
        backwards.flags.writeable = False
        np.testing.assert_array_equal(runner.run(backwards, marks), kept)
    runner.run(other, mask)
    runner.close()
    np.testing.assert_array_equal(wanted, kept)
    wanted[:] = 0


def test_a_run_is_not_disturbed_by_others_and_by_closing(
    opening: Open, request: pytest.FixtureRequest
) -> None:
    runner = opening()
    (given,) = pictures(runner, 1)
    in_turn = request.node.callspec.params["opening"] not in AT_ONCE
    require_undisturbed(runner, given, in_turn=in_turn)


@pytest.mark.parametrize("error", [RuntimeError, MemoryError])
def test_what_a_runtime_raises_is_an_error_of_ours_in_one_line(
    runner: Runner, error: type[Exception]
) -> None:
    errors = [error("no\n  room")]

    def fail() -> None:
        if errors:
            raise errors.pop()

    (given,) = pictures(runner, 1)
    wanted = runner.run(*given)
    put_between(runner, fail)
    with pytest.raises(ModelError, match=f"^{runner.runtime.title} failed: no room$"):
        runner.run(*given)
    np.testing.assert_array_equal(runner.run(*given), wanted)
