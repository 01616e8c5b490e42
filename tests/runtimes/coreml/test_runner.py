"""Core ML's own runner, up to the border: what goes in, what comes out, what is refused.

Core ML runs on macOS only. Off it, everything of ours runs with coremltools' own package reader
and input check, and the interpreter computes in the place of Core ML.
"""

from __future__ import annotations

import logging
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from between import require_undisturbed
from PIL import Image

from lama_edge import cli
from lama_edge.errors import MissingBackendError, ModelError, UsageError
from lama_edge.forms import to_model
from lama_edge.judging.cases import ParityCase, seeded_cases
from lama_edge.judging.judge import judge, raw_outputs, require_parity
from lama_edge.models.checkpoint import Checkpoint
from lama_edge.runtimes.base import open_runner
from lama_edge.runtimes.registry import tolerance_of
from lama_edge.runtimes.torch.runner import TorchRunner
from lama_edge.spec import Size, io_spec

pytest.importorskip("coremltools")
import coremltools as ct

from lama_edge.runtimes.coreml import runner as coreml_runner
from lama_edge.runtimes.coreml.emulated_runner import CoremlEmulatedRunner
from lama_edge.runtimes.coreml.interpreter.model import MilModel
from lama_edge.runtimes.coreml.record import COREML, COREML_EMULATOR, PROVIDERS
from lama_edge.runtimes.coreml.runner import (
    CoremlRunner,
    from_prediction,
    load_model,
    to_features,
)

SMALL, OTHER = Size(64, 72), Size(96, 64)

MakePackage = Callable[..., Path]
off_macos = pytest.mark.skipif(platform.system() == "Darwin", reason="Core ML runs here")
on_macos = pytest.mark.skipif(platform.system() != "Darwin", reason="Core ML needs macOS")


class InCoreMlsPlace:
    """What `load_model` returns, with the interpreter where Core ML would be."""

    def __init__(self, path: Path, provider: str, function: str | None) -> None:
        self.opened_with = (provider, function)
        self._checks = ct.models.MLModel(str(path), skip_model_load=True, function_name=function)
        self._model = MilModel(path, function)

    def predict(self, features: dict[str, Any]) -> dict[str, Any]:
        """Take what coremltools lets pass to Core ML, and give what it makes of its results."""
        self._checks._verify_input_dict(features)
        self._checks._convert_tensor_to_numpy(features)
        results = self._model.run({name: self._array(one) for name, one in features.items()})
        return {name: self._given(one) for name, one in results.items()}

    @staticmethod
    def _array(feature: Any) -> np.ndarray:
        if not isinstance(feature, Image.Image):
            return np.asarray(feature)
        levels = np.asarray(feature)
        return levels[np.newaxis] if levels.ndim == 3 else levels[np.newaxis, :, :, np.newaxis]

    @staticmethod
    def _given(result: np.ndarray) -> Any:
        if result.dtype == np.uint8:
            # Core ML's buffers have four channels, and the fourth comes back with them.
            return Image.fromarray(result[0]).convert("RGBA")
        # Core ML pads the rows of its arrays.
        padded = np.zeros((*result.shape[:-1], result.shape[-1] + 8), result.dtype)
        padded[..., :-8] = result
        return padded[..., :-8]


@pytest.fixture
def native(monkeypatch: pytest.MonkeyPatch) -> list[InCoreMlsPlace]:
    """Lets the native runner open packages; holds what was opened."""
    opened: list[InCoreMlsPlace] = []

    def load(path: Path, provider: str, function: str | None) -> InCoreMlsPlace:
        opened.append(InCoreMlsPlace(path, provider, function))
        return opened[-1]

    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(coreml_runner, "load_model", load)
    return opened


def _case(path: Path, function: str | None = None) -> tuple[ParityCase, np.ndarray, np.ndarray]:
    with CoremlEmulatedRunner(path, part=function) as runner:
        case = seeded_cases(runner.manifest.size)[0]
        return case, *to_model(runner.manifest.io, case.image, case.hole)


@pytest.mark.parametrize("io", ["float", "image"])
def test_what_core_ml_gets_and_gives_is_what_the_emulated_runner_does(
    coreml_package: MakePackage, native: list[InCoreMlsPlace], io: str
) -> None:
    path = coreml_package(SMALL, io=io)
    _, image, mask = _case(path)
    with CoremlEmulatedRunner(path) as emulated:
        wanted = emulated.run(image, mask)
    with open_runner(path, provider="cpu_ne") as runner:
        assert isinstance(runner, CoremlRunner)
        assert runner.provider == "cpu_ne"
        assert runner.title.split() == ["coreml", *runner.title.split()[1:-1], "cpu_ne"]
        given = runner.run(image, mask)
    assert native[0].opened_with == ("cpu_ne", None)
    assert (given.dtype, given.flags["C_CONTIGUOUS"]) == (wanted.dtype, True)
    assert np.array_equal(given, wanted)


def test_a_function_of_several_is_chosen_by_name(
    coreml_package: MakePackage, native: list[InCoreMlsPlace]
) -> None:
    path = coreml_package(SMALL, OTHER)
    for function, size in (("size_96x64", OTHER), (None, SMALL)):
        _, image, mask = _case(path, function)
        with open_runner(path if function is None else f"{path}#{function}") as runner:
            assert runner.manifest.size.fixed == size
            assert runner.parts == ("size_64x72", "size_96x64")
            assert runner.part == f"size_{size}"
            assert runner.run(image, mask).shape == image.shape
    # The default one is named too: Core ML's default is the package's, and the manifest is read
    # from the same place.
    assert [one.opened_with for one in native] == [("all", "size_96x64"), ("all", "size_64x72")]


def test_arrays_that_do_not_fit_never_reach_core_ml(
    coreml_package: MakePackage, native: list[InCoreMlsPlace]
) -> None:
    path = coreml_package(SMALL)
    _, image, mask = _case(path)
    runner = open_runner(path, provider="all")
    with pytest.raises(ModelError, match="image holds 2 pictures; a Core ML package takes one"):
        runner.run(np.repeat(image, 2, axis=0), np.repeat(mask, 2, axis=0))
    with pytest.raises(ModelError, match="64x64"):
        runner.run(image[..., :64], mask[..., :64])
    runner.close()
    runner.close()
    with pytest.raises(ModelError, match="closed"):
        runner.run(image, mask)


@pytest.mark.usefixtures("native")
def test_other_threads_and_closing_wait_for_a_run(coreml_package: MakePackage) -> None:
    path = coreml_package(SMALL)
    _, image, mask = _case(path)
    require_undisturbed(open_runner(path, provider="all"), (image, mask), in_turn=True)


def test_threads_are_core_mls_own_choice_and_the_log_says_so(
    coreml_package: MakePackage, native: list[InCoreMlsPlace], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        open_runner(coreml_package(SMALL), provider="cpu", threads=2).close()
    assert "Core ML chooses its threads itself: 2 is not passed on" in caplog.messages


@off_macos
@pytest.mark.parametrize("provider", PROVIDERS)
def test_elsewhere_a_native_provider_is_one_clear_error(
    coreml_package: MakePackage, provider: str
) -> None:
    message = rf"'{provider}' is Core ML's own and needs macOS; this is .*provider='emulated'"
    with pytest.raises(MissingBackendError, match=message):
        open_runner(coreml_package(SMALL), provider=provider)


@off_macos
def test_the_command_line_says_it_in_one_line(
    coreml_package: MakePackage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture, out = tmp_path / "picture.png", tmp_path / "out.png"
    Image.new("L", (80, 80), 255).save(picture)
    words = ["inpaint", coreml_package(SMALL), picture, picture, "-o", out]
    capsys.readouterr()
    assert cli.main([*map(str, words), "--provider", "cpu_ne"]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("lama-edge: error: the provider 'cpu_ne' is Core ML's own")
    assert not out.exists()


@off_macos
def test_elsewhere_the_best_there_is_is_emulated_with_a_warning(
    coreml_package: MakePackage, caplog: pytest.LogCaptureFixture
) -> None:
    with open_runner(coreml_package(SMALL)) as runner:
        assert isinstance(runner, CoremlEmulatedRunner)
    assert "runs emulated" in caplog.text


def test_an_unknown_provider_is_refused_with_those_there_are(coreml_package: MakePackage) -> None:
    message = r"no provider 'cuda'; choose one of: auto, all, cpu, cpu_gpu, cpu_ne, emulated"
    with pytest.raises(UsageError, match=message):
        open_runner(coreml_package(SMALL), provider="cuda")


def test_a_part_that_is_not_there_is_told_with_those_that_are(coreml_package: MakePackage) -> None:
    with pytest.raises(ModelError, match="no function 'size_8x8'; it has: 'size_64x72', 'size_96"):
        open_runner(f"{coreml_package(SMALL, OTHER)}#size_8x8")


@off_macos
@pytest.mark.parametrize(("sizes", "function"), [((SMALL,), None), ((SMALL, OTHER), "size_96x64")])
def test_what_coremltools_cannot_load_is_an_error_with_its_words(
    coreml_package: MakePackage, sizes: tuple[Size, ...], function: str | None
) -> None:
    path = coreml_package(*sizes)
    for provider in PROVIDERS:
        with pytest.raises(ModelError, match=r"cannot open .* not loaded or compiled"):
            load_model(path, provider, function)
    with pytest.raises(ModelError, match=r"cannot open .*function"):
        load_model(path, "all", "size_8x8")


def test_the_cause_that_coremltools_only_warns_of_is_told(
    coreml_package: MakePackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoProxy:
        """As coremltools' own where Core ML refuses a model."""

        def __init__(self, *arguments: object) -> None:
            raise RuntimeError("Error compiling model:\n  bad op")

        @staticmethod
        def maximum_supported_specification_version() -> int:
            return 10

    monkeypatch.setattr(ct.models.model, "_MLModelProxy", NoProxy)
    with pytest.raises(ModelError, match=r"cannot open .*Error compiling model: bad op") as caught:
        load_model(coreml_package(SMALL), "all", None)
    assert "\n" not in str(caught.value)


@off_macos
def test_what_core_ml_says_of_a_failed_run_is_one_line(
    coreml_package: MakePackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = coreml_package(SMALL)
    _, image, mask = _case(path)
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(
        coreml_runner,
        "load_model",
        lambda path, *_: ct.models.MLModel(str(path), skip_model_load=True),
    )
    with (
        open_runner(path, provider="all") as runner,
        pytest.raises(ModelError, match="Core ML failed: Model prediction is only supported"),
    ):
        runner.run(image, mask)


def test_every_provider_is_a_compute_unit_of_coremltools() -> None:
    assert {ct.ComputeUnit[name] for name in PROVIDERS.values()} == set(ct.ComputeUnit)


def test_pictures_are_fed_in_the_modes_that_core_ml_takes() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (1, 8, 16, 3), np.uint8)
    mask = rng.integers(0, 256, (1, 8, 16, 1), np.uint8)
    features = to_features(io_spec("image"), image, mask)
    assert (features["image"].mode, features["mask"].mode) == ("RGB", "L")
    assert np.array_equal(np.asarray(features["image"]), image[0])
    assert np.array_equal(np.asarray(features["mask"]), mask[0, :, :, 0])


@pytest.mark.parametrize(
    ("prediction", "message"),
    [
        ({}, "Core ML gave nothing; the model's output is inpainted"),
        ({"other": 0}, "Core ML gave other; the model's output is inpainted"),
        (
            {"inpainted": np.zeros((1, 3, 8, 8), np.float32)},
            r"inpainted of shape \(1, 3, 8, 8\) for an image of \(1, 3, 8, 16\)",
        ),
    ],
)
def test_an_output_that_is_none_is_refused(prediction: dict[str, Any], message: str) -> None:
    image = np.zeros((1, 3, 8, 16), np.float32)
    with pytest.raises(ModelError, match=message):
        from_prediction(io_spec("float"), prediction, image)


def test_every_precision_that_the_interpreter_is_judged_by_has_a_native_tolerance() -> None:
    assert COREML.tolerances.keys() == COREML_EMULATOR.tolerances.keys()


@on_macos
@pytest.mark.macos
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("io", ["float", "image"])
def test_core_ml_agrees_with_torch(
    coreml_package: MakePackage, golden_checkpoint: Checkpoint, provider: str, io: str
) -> None:
    with open_runner(coreml_package(SMALL, io=io), provider=provider) as runner:
        cases = seeded_cases(runner.manifest.size)
        with TorchRunner(golden_checkpoint, composite=False) as reference:
            wanted = raw_outputs(reference, cases)
        tolerance = tolerance_of(runner.runtime.name, runner.manifest.precision)
        require_parity(judge(runner, cases, wanted, reference_name="torch", tolerance=tolerance))
