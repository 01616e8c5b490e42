"""What is known to go wrong on the way to Core ML: a test for each trap, here or where it is named.

- numpy 2.4 breaks coremltools 9 (coremltools#2633); coremltools remarks on every start: here.
- Two inputs of enumerated sizes need iOS 18: here; several sizes below it: `test_pipeline_coreml`.
- Constant DFT matrices convert silently into a package of any size: `test_translation`,
  ``test_the_matrices_of_a_dynamic_package_…`` and ``test_a_graph_for_other_sizes_…``.
- Indices and angles of computed matrices lose digits in fp16, and in float32 as sides grow
  (coremltools#2746): here.
- Ranges of sizes run on the Neural Engine at their default only (Apple, forums 724930): here.
- ``ct.convert`` changes the output types it is given; an image output has no scale of its own:
  `test_image_form`. A failed conversion leaves symbols registered; quantised activations need
  macOS, and are no precision of ours: `test_conversion`.
- Quantisers take the DFT's matrices for weights: `test_weights`.
- coremltools' own FFT wants fixed sizes and overflows; transposed convolutions with output
  padding differ between devices (coremltools#2281, #2324): `test_translation`,
  ``test_no_op_is_one_…``.
- Plain fp16 overflows, and the Neural Engine saturates near 32752; a hole that touches no border
  hides a corrupt pad: `test_parity`.
- Dates and random names in the file: `test_package`.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

pytest.importorskip("coremltools")

from places import ROOT

from lama_edge.cli import main
from lama_edge.judging.judge import judge, raw_outputs
from lama_edge.judging.tolerances import Tolerance
from lama_edge.pictures.calibration import calibration_cases
from lama_edge.runtimes.coreml.emulated_runner import CoremlEmulatedRunner
from lama_edge.runtimes.torch.runner import TorchRunner
from lama_edge.spec import Size

FP16, INT32 = 10, 23
LONGEST = 2048
# Measured 1.3e-6.
LARGEST_DIFFERENCE = 1e-4


def test_numpy_is_kept_below_the_release_that_breaks_coremltools() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (extra,) = (line for line in project.splitlines() if line.startswith("coreml = "))
    assert '"numpy<2.4"' in extra
    assert tuple(map(int, np.__version__.split(".")[:2])) < (2, 4)


def test_coremltools_says_nothing_on_being_imported() -> None:
    """That it knows no Core ML here, and no torch as new as ours, alarms people for nothing."""
    program = "import torch, lama_edge.exporters.formats.coreml.toolkit"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert said.stderr + said.stdout == b""


def test_no_input_enumerates_its_sizes(packaged: Any, packaged_sizes: Any) -> None:
    several = packaged_sizes("fourier", (Size(64, 72), Size(96, 96), Size(72, 88)))
    functions = [
        *several.spec.description.functions,
        packaged("fourier", Size(64, 64)).spec.description,
    ]
    assert len(functions) == 4
    for function in functions:
        for feature in (*function.input, *function.output):
            assert feature.type.multiArrayType.WhichOneof("ShapeFlexibility") is None


def test_the_indices_of_a_dynamic_dft_are_never_fp16(packaged: Any) -> None:
    """Only the finished matrices are rounded: an index product in fp16 is off beyond 2048."""
    package = packaged("fourier", None, "image", "fp16", "iOS18")
    computed = {
        operation.outputs[0].name: operation
        for operation in package.operations()
        if operation.outputs[0].name.startswith("dft_")
    }
    rounded = {
        name: operation.type
        for name, operation in computed.items()
        if operation.outputs[0].type.tensorType.dataType == FP16
    }
    assert {"range_1d", "mod", "cos", "sin"} <= {one.type for one in computed.values()}
    assert set(rounded.values()) == {"cast"}
    assert all(name.endswith("_half") for name in rounded)


def test_angles_are_reduced_to_one_turn_while_they_are_integers(packaged: Any) -> None:
    """As float32 products they would lose digits as sides grow (coremltools#2746)."""
    made = {one.outputs[0].name: one for one in packaged("fourier", None).operations()}
    for axis in ("row", "column"):
        (read,) = made[f"dft_{axis}_turns"].inputs["x"].arguments
        assert made[f"dft_{axis}_turns"].type == "cast"
        assert made[read.name].type == "mod"
        assert made[read.name].outputs[0].type.tensorType.dataType == INT32


@pytest.mark.parametrize("size", [Size(16, LONGEST), Size(LONGEST, 16)])
def test_the_longest_sides_compute_what_torch_does(packaged: Any, size: Size) -> None:
    package = packaged("fourier", None)
    cases = calibration_cases(package.manifest.size, sizes=[size])[-1:]
    with (
        CoremlEmulatedRunner(package.path) as model,
        TorchRunner(package.checkpoint, composite=False) as reference,
    ):
        wanted = raw_outputs(reference, cases)
        found = judge(model, cases, wanted, reference_name="torch", tolerance=Tolerance(1))
    assert found.max_abs_diff <= LARGEST_DIFFERENCE


def test_a_package_of_any_size_is_at_its_best_at_512_and_the_help_says_so(
    packaged: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["export", "coreml", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "dynamic is any size up to 2048, off the Neural Engine but at 512" in said
    for feature in packaged("fourier", None).spec.description.input:
        assert list(feature.type.multiArrayType.shape)[2:] == [512, 512]
