"""The Android library on a JVM with ONNX Runtime: models, providers, cancelling, memory's end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from android_library import JUnit
from damaged_models import (
    by_chance,
    contradicting,
    entry_of,
    manifest_of,
    truncated,
    with_damaged_manifests,
    with_external_data,
    with_manifests_of_the_vectors,
)
from model_cases import Cases, golden_case
from obedient_models import large_batch, largest_sums, no_numbers, obedient, optional_input

from lama_edge.errors import LamaEdgeError
from lama_edge.runtimes.inpainting.inpainter import Inpainter
from lama_edge.runtimes.inpainting.strategies import Plan
from lama_edge.spec import Size

pytestmark = pytest.mark.kotlin

HEIGHT, WIDTH = 64, 72


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory, exported: Callable[..., Path]) -> Path:
    """Every family in both forms, the embedded model in every precision; models that obey."""
    cases = Cases(tmp_path_factory.mktemp("cases"), [])
    cases.add_models(exported)
    uint8 = exported(None, Size(64, 64), io="uint8")
    cases.add("tiny-uint8", uint8, *golden_case("fourier"))
    add_pictures(cases.folder)
    for write in (obedient, no_numbers, large_batch, optional_input):
        write(exported, cases.folder)
    for shared in (False, True):
        largest_sums(exported, cases.folder, shared=shared)
    lying = onnx.load(exported("fourier", Size(64, 64)))
    manifest = manifest_of(exported("fourier", Size(64, 64), io="uint8").read_bytes())
    entry_of(lying).value = manifest
    onnx.save(lying, cases.folder / "lying.onnx")
    return cases.folder


def add_pictures(folder: Path) -> None:
    """Add pictures that a model does not see as they are, with what Python makes of them."""
    lines = []
    for model in ("tiny", "tiny-any", "fourier-uint8"):
        for height, width, channels in ((150, 210, 3), (61, 64, 4), (180, 97, 1)):
            rng = np.random.default_rng(height)
            # Steps of 9 pixels: noise alone would not show what is off by one.
            small = rng.integers(0, 256, (height // 9 + 1, width // 9 + 1, channels), np.uint8)
            picture = small.repeat(9, 0).repeat(9, 1)[:height, :width]
            mask = np.zeros((height, width), np.uint8)
            mask[5:25, 10:40] = 255
            mask[-30:-4, -25:] = 1
            if channels == 4:
                picture[..., 3] = np.where(rng.random(mask.shape) < 0.1, 0, 200)
            plans: list[Plan] = []
            with Inpainter.open(folder / f"{model}.onnx", provider="cpu") as inpainter:
                filled = inpainter(
                    picture if channels > 1 else picture[..., 0], mask, report=plans.append
                )
            name = f"{model}-{height}-{width}"
            for part, array in (("picture", picture), ("mask", mask), ("filled", filled)):
                (folder / f"{name}.{part}").write_bytes(np.ascontiguousarray(array).tobytes())
            plan = plans[0]
            how = (plan.choice.strategy, plan.choice.code, len(plan.windows))
            lines.append("\t".join(map(str, (name, model, height, width, channels, *how))))
    (folder / "pictures.tsv").write_text("\n".join(lines))


@pytest.fixture(scope="module")
def environment(cases: Path) -> Mapping[str, str]:
    return {"LAMA_EDGE_CASES": str(cases)}


def test_models_give_what_they_give_in_python(junit: JUnit, environment: Mapping[str, str]) -> None:
    junit("core", "ParityTest", environment=environment)


def test_inpainters_open_wait_end_and_give_memory_back(
    junit: JUnit, environment: Mapping[str, str]
) -> None:
    junit("core", "InpainterTest", "OpeningTest", environment=environment)


def test_the_end_of_a_small_heap_is_an_error_like_others(
    junit: JUnit, environment: Mapping[str, str]
) -> None:
    junit("core", "SmallHeapTest", environment=environment, jvm=("-Xmx100m",))


def test_without_its_library_onnx_runtime_is_said_to_be_missing(
    junit: JUnit, environment: Mapping[str, str]
) -> None:
    nowhere = ("-Donnxruntime.native.path=/nowhere", "-Djava.library.path=/nowhere")
    junit("core", "MissingLibraryTest", environment=environment, jvm=nowhere)


def damaged_models(exported: Callable[..., Path], folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield each damaged file with its name."""
    for form, count in (("float", 24), ("uint8", 12)):
        whole = exported("fourier", io=form).read_bytes()
        for name, data in by_chance(whole, 0, count):
            yield f"{form}, {name}", data
    whole = exported("fourier").read_bytes()
    yield "whole", whole
    yield from truncated(whole, 6)
    yield from contradicting(whole)
    yield from with_damaged_manifests(whole)
    yield from with_manifests_of_the_vectors(exported("fourier", io="uint8").read_bytes())
    for place in ("weights.bin", None, "/etc/passwd", "../weights.bin", "."):
        yield f"weights in {place}", with_external_data(whole, folder, place)


def test_damaged_models_are_refused_or_work_as_in_python(
    junit: JUnit, exported: Callable[..., Path], tmp_path: Path
) -> None:
    folder = tmp_path / "damaged"
    folder.mkdir()
    picture = np.random.default_rng(5).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[20:41, 30:60] = 255
    (folder / "picture").write_bytes(picture.tobytes())
    (folder / "mask").write_bytes(mask.tobytes())
    lines = []
    for index, (name, data) in enumerate(damaged_models(exported, folder)):
        model = folder / f"{index}.onnx"
        model.write_bytes(data)
        outcome = "taken"
        try:
            with Inpainter.open(model, provider="cpu") as inpainter:
                filled = np.asarray(inpainter(picture, mask))
            (folder / f"{index}.filled").write_bytes(filled.tobytes())
        except LamaEdgeError:
            outcome = "refused"
        lines.append(f"{index}\t{name}\t{HEIGHT}\t{WIDTH}\t{outcome}")
    (folder / "list.tsv").write_text("\n".join(lines))
    junit("core", "DamagedModelsTest", environment={"LAMA_EDGE_CASES": str(tmp_path)})
