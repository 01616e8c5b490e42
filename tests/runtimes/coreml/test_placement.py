"""Core ML's plan of who runs what: collected, summed up, and refused off macOS.

A plan needs macOS. The one here has coremltools' own structure classes, filled from a package's
program as Core ML fills them, and answers the three calls that are documented.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lama_edge.errors import MissingBackendError, ModelError, UsageError
from lama_edge.spec import Size

pytest.importorskip("coremltools")
from coremltools.models import compute_plan
from coremltools.models.compute_device import (
    MLComputeDevice,
    MLCPUComputeDevice,
    MLGPUComputeDevice,
    MLNeuralEngineComputeDevice,
)

from lama_edge.runtimes.coreml import placement as coreml_placement
from lama_edge.runtimes.coreml.description import describe_package
from lama_edge.runtimes.coreml.interpreter.package import read_package
from lama_edge.runtimes.coreml.placement import placement_of, read_placement

SMALL, OTHER = Size(64, 72), Size(96, 64)
FUNCTION = "size_96x64"

MakePackage = Callable[..., Path]
off_macos = pytest.mark.skipif(platform.system() == "Darwin", reason="Core ML runs here")
on_macos = pytest.mark.skipif(platform.system() != "Darwin", reason="Core ML needs macOS")


def _device(kind: type[MLComputeDevice]) -> MLComputeDevice:
    # Their constructors take Core ML's own objects only.
    return object.__new__(kind)


CPU, GPU, NEURAL_ENGINE = map(
    _device, (MLCPUComputeDevice, MLGPUComputeDevice, MLNeuralEngineComputeDevice)
)


class Plan:
    """A compute plan: pads on the CPU, no word of casts, the rest on the Neural Engine."""

    def __init__(self, path: Path) -> None:
        specification = read_package(path).specification
        functions = {
            name: compute_plan.MLModelStructureProgramFunction([], self._block(function))
            for name, function in specification.mlProgram.functions.items()
        }
        program = compute_plan.MLModelStructureProgram(functions)
        self.model_structure = compute_plan.MLModelStructure(None, program, None)

    @staticmethod
    def _block(function: Any) -> compute_plan.MLModelStructureProgramBlock:
        structure = compute_plan
        operations = [
            structure.MLModelStructureProgramOperation(
                {},
                # Core ML writes the release of iOS before an operation's type.
                one.type if one.type == "const" else f"ios18.{one.type}",
                [
                    structure.MLModelStructureProgramNamedValueType(
                        value.name, structure.MLModelStructureProgramValueType()
                    )
                    for value in one.outputs
                ],
                [],
                None,
            )
            for one in function.block_specializations[function.opset].operations
        ]
        return structure.MLModelStructureProgramBlock([], operations, [])

    def get_compute_device_usage_for_mlprogram_operation(
        self, operation: compute_plan.MLModelStructureProgramOperation
    ) -> compute_plan.MLComputePlanDeviceUsage | None:
        if operation.operator_name in ("const", "ios18.cast"):
            return None
        if operation.operator_name == "ios18.pad":
            return compute_plan.MLComputePlanDeviceUsage(CPU, [CPU, GPU])
        return compute_plan.MLComputePlanDeviceUsage(NEURAL_ENGINE, [CPU, GPU, NEURAL_ENGINE])

    def get_estimated_cost_for_mlprogram_operation(
        self, operation: compute_plan.MLModelStructureProgramOperation
    ) -> compute_plan.MLComputePlanCost | None:
        costs = {"ios18.conv": 1 / 64, "ios18.pad": 1 / 128}
        cost = costs.get(operation.operator_name)
        return None if cost is None else compute_plan.MLComputePlanCost(cost)


@pytest.fixture
def package(coreml_package: MakePackage) -> Path:
    return coreml_package(SMALL, OTHER)


def test_operations_are_counted_by_device_with_their_cost(package: Path) -> None:
    counts = describe_package(package, FUNCTION).operations
    placement = placement_of(Plan(package), FUNCTION, "cpu_ne")
    assert len(placement.operations) == sum(counts.values())
    shares = placement.by_device
    assert list(shares) == ["CPU", "Neural Engine", "unknown"]
    assert (shares["CPU"].operations, shares["CPU"].cost) == (counts["pad"], counts["pad"] / 128)
    assert shares["Neural Engine"].cost == counts["conv"] / 64
    assert shares["unknown"].operations == counts["cast"]


def test_what_is_not_on_the_neural_engine_is_named_costliest_first(package: Path) -> None:
    counts = describe_package(package, FUNCTION).operations
    off = placement_of(Plan(package), FUNCTION, "all").off_neural_engine
    assert [one.op for one in off] == ["pad"] * counts["pad"] + ["cast"] * counts["cast"]
    assert off[0].name.startswith("stem_")
    assert (off[0].device, off[0].supported, off[0].cost) == ("CPU", ("CPU", "GPU"), 1 / 128)
    assert (off[-1].device, off[-1].supported, off[-1].cost) == ("unknown", (), None)


def test_a_plan_is_plain_data(package: Path) -> None:
    document = placement_of(Plan(package), FUNCTION, "all").to_dict()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["operations"][0].keys() == {"name", "op", "device", "supported", "cost"}


def test_a_plan_without_the_function_is_refused(package: Path) -> None:
    plan = Plan(package)
    with pytest.raises(ModelError, match="no function 'main'"):
        placement_of(plan, "main", "all")
    plan.model_structure = compute_plan.MLModelStructure(None, None, None)
    with pytest.raises(ModelError, match="no function 'size_96x64'"):
        placement_of(plan, FUNCTION, "all")


@off_macos
def test_a_plan_needs_macos_and_a_provider_of_core_mls(package: Path) -> None:
    with pytest.raises(MissingBackendError, match="needs macOS"):
        read_placement(package, "cpu_ne", FUNCTION, several=True)
    with pytest.raises(UsageError, match="'emulated'; choose one of: all, cpu, cpu_gpu, cpu_ne"):
        read_placement(package, "emulated", FUNCTION, several=True)


@off_macos
def test_a_coremltools_without_plans_is_an_error_that_names_the_macos_needed(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Loaded:
        @staticmethod
        def get_compiled_model_path() -> str:
            return "model.mlmodelc"

    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(coreml_placement, "load_model", lambda *_: Loaded)
    with pytest.raises(ModelError, match=r"needs macOS 14\.4: MLComputePlan is not supported"):
        read_placement(package, "all", FUNCTION, several=True)


@on_macos
@pytest.mark.macos
def test_core_ml_plans_every_operation(package: Path) -> None:
    placement = read_placement(package, "cpu_ne", FUNCTION, several=True)
    assert {one.op for one in placement.operations} >= {"conv", "matmul"}
    assert sum(share.cost for share in placement.by_device.values()) == pytest.approx(1, abs=0.05)
