"""Where Core ML plans to run each operation of a package: CPU, GPU or Neural Engine.

Reads Core ML's ``MLComputePlan`` (macOS 14.4 and newer) through coremltools. Not run on hardware
yet: `docs/reference/coreml.md` says what was checked without a Mac.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from lama_edge.errors import ModelError, UsageError, needs_extra, one_line
from lama_edge.runtimes.coreml.description import is_work
from lama_edge.runtimes.coreml.record import PROVIDERS
from lama_edge.runtimes.coreml.runner import compute_unit, load_model, require_macos

Device = Literal["CPU", "GPU", "Neural Engine", "unknown"]
DEVICES: tuple[Device, ...] = get_args(Device)
NEURAL_ENGINE: Device = "Neural Engine"
MACOS_NEEDED = "14.4"


@dataclass(frozen=True)
class OperationPlan:
    """What Core ML plans for one operation.

    Attributes:
        name: of its first output; lama-edge's packages keep the deploy graph's names.
        op: its type, such as ``conv``.
        device: where Core ML prefers to run it; ``unknown`` where the plan does not say.
        supported: where it could run.
        cost: its estimated share of the whole model's work, 0 to 1; None where the plan has none.
    """

    name: str
    op: str
    device: Device
    supported: tuple[Device, ...]
    cost: float | None


@dataclass(frozen=True)
class DeviceShare:
    """What falls to one device: how many operations, and their estimated share of the work."""

    operations: int
    cost: float


@dataclass(frozen=True)
class Placement:
    """Core ML's plan for a function of a package.

    Attributes:
        function: its name.
        provider: what Core ML was allowed to use, see `coreml_record.PROVIDERS`.
        operations: in the program's order, constants aside.
    """

    function: str
    provider: str
    operations: tuple[OperationPlan, ...]

    @property
    def by_device(self) -> Mapping[Device, DeviceShare]:
        """What falls to each device that anything falls to."""
        found = {}
        for device in DEVICES:
            costs = [one.cost or 0.0 for one in self.operations if one.device == device]
            if costs:
                found[device] = DeviceShare(len(costs), sum(costs))
        return found

    @property
    def off_neural_engine(self) -> tuple[OperationPlan, ...]:
        """The operations that Core ML places elsewhere, the costliest first."""
        elsewhere = [one for one in self.operations if one.device != NEURAL_ENGINE]
        return tuple(sorted(elsewhere, key=lambda one: -(one.cost or 0.0)))

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain data, ready for JSON."""
        return {
            "function": self.function,
            "provider": self.provider,
            "devices": {device: asdict(share) for device, share in self.by_device.items()},
            "operations": [
                {**asdict(one), "supported": list(one.supported)} for one in self.operations
            ],
        }


def read_placement(path: Path, provider: str, function: str, *, several: bool) -> Placement:
    """Ask Core ML where it plans to run a package's operations on this machine.

    Args:
        path: the ``.mlpackage`` folder.
        provider: what Core ML may use, see `coreml_record.PROVIDERS`.
        function: the function's name.
        several: whether the package has others.

    Raises:
        UsageError: for a provider that there is none of.
        MissingBackendError: on another system than macOS.
        ModelError: when Core ML cannot open the package or has no plan for it.
    """
    if provider not in PROVIDERS:
        raise UsageError(
            f"Core ML plans nothing for the provider {provider!r}; choose one of: "
            f"{', '.join(PROVIDERS)}"
        )
    require_macos(provider)
    model = load_model(path, provider, function if several else None)
    with needs_extra("coreml"):
        from coremltools.models.compute_plan import MLComputePlan
    try:
        # Given a package that is not compiled, Core ML ends the whole process.
        plan = MLComputePlan.load_from_path(model.get_compiled_model_path(), compute_unit(provider))
    except Exception as error:
        # coremltools raises plain exceptions with what Core ML said.
        raise ModelError(
            f"Core ML has no plan for {str(path)!r}, which needs macOS {MACOS_NEEDED}: "
            f"{one_line(error)}"
        ) from error
    return placement_of(plan, function, provider)


def placement_of(plan: Any, function: str, provider: str) -> Placement:
    """Collect what a compute plan says of one function.

    Args:
        plan: a ``coremltools.models.compute_plan.MLComputePlan``.
        function: the function's name.
        provider: what the plan was made for.

    Raises:
        ModelError: when the plan is of no program, or not of this function.
    """
    program = plan.model_structure.program
    if program is None or function not in program.functions:
        raise ModelError(f"Core ML's plan has no function {function!r}")
    operations = program.functions[function].block.operations
    return Placement(
        function,
        provider,
        tuple(_planned(plan, one) for one in operations if is_work(_op_type(one))),
    )


def _planned(plan: Any, operation: Any) -> OperationPlan:
    usage = plan.get_compute_device_usage_for_mlprogram_operation(operation)
    cost = plan.get_estimated_cost_for_mlprogram_operation(operation)
    return OperationPlan(
        name=str(operation.outputs[0].name),
        op=_op_type(operation),
        device="unknown" if usage is None else _device(usage.preferred_compute_device),
        supported=()
        if usage is None
        else tuple(_device(one) for one in usage.supported_compute_devices),
        cost=None if cost is None else float(cost.weight),
    )


def _op_type(operation: Any) -> str:
    """Return an operation's type without the release of iOS that Core ML puts before it."""
    return str(operation.operator_name).rpartition(".")[2]


def _device(device: Any) -> Device:
    with needs_extra("coreml"):
        from coremltools.models import compute_device
    known: dict[type, Device] = {
        compute_device.MLCPUComputeDevice: "CPU",
        compute_device.MLGPUComputeDevice: "GPU",
        compute_device.MLNeuralEngineComputeDevice: NEURAL_ENGINE,
    }
    return known.get(type(device), "unknown")
