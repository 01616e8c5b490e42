"""What there is to say of an OpenVINO model: its operations, and which of them devices take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lama_edge.containers.openvino import Operation, operations, read_ir
from lama_edge.errors import ModelError, one_line
from lama_edge.runtimes.base import ModelFacts, SupportReport
from lama_edge.runtimes.openvino.published import GPU_OPERATIONS, GPU_SOURCE
from lama_edge.runtimes.openvino.record import DEVICES
from lama_edge.runtimes.openvino.runner import (
    OpenvinoRunner,
    choose_device,
    devices_here,
    openvino,
    read_model,
)

_SHOWN = 20


@dataclass(frozen=True)
class Support:
    """What a device takes of a model.

    Attributes:
        device: its short name.
        source: who says so: OpenVINO of a version, which asked the device, or a published list.
        taken: how many operations it takes.
        refused: the others, as ``name (type)``.
    """

    device: str
    source: str
    taken: int
    refused: tuple[str, ...]


def ir_facts(path: Path, part: str | None, provider: str) -> ModelFacts:
    """Read a model and count its operations.

    Args:
        path: the ``.xml`` file.
        part: None, since models have one.
        provider: of no effect, since no device opens it.

    Raises:
        ModelError: when the model cannot be read.
    """
    del part
    try:
        _, manifest = read_model(openvino.Core(), path)
    except RuntimeError as error:
        raise ModelError(f"OpenVINO cannot open {str(path)!r}: {one_line(error)}") from error
    counted = Counter(one.kind for one in operations(read_ir(path)))
    counts = ", ".join(f"{kind} {count}" for kind, count in counted.most_common())
    rows = (("operations", f"{counted.total()}: {counts}"),)
    return ModelFacts(manifest, rows, {"operations": dict(counted)})


def ir_support(path: Path, part: str | None, provider: str) -> SupportReport:
    """Ask the devices that are here which operations of a model they take.

    Args:
        path: the ``.xml`` file.
        part: None, since models have one.
        provider: the device to ask; ``auto`` is all that are here, and the published list of GPUs
            where there is none.

    Raises:
        ModelError: when the model cannot be read, or a device cannot be asked.
        MissingBackendError: when OpenVINO finds no such device.
    """
    del part
    core, source = openvino.Core(), f"openvino {OpenvinoRunner.runtime_version}"
    here = devices_here(core)
    asked = here if provider == "auto" else [choose_device(core, provider)]
    try:
        model, _ = read_model(core, path)
        answers = {device: core.query_model(model, DEVICES[device]) for device in asked}
    except RuntimeError as error:
        raise ModelError(f"OpenVINO cannot open {str(path)!r}: {one_line(error)}") from error
    found = list(operations(read_ir(path)))
    supports = [
        _support(device, source, found, [one for one in found if one.name in taken])
        for device, taken in answers.items()
    ]
    if provider == "auto" and "gpu" not in here:
        supports.append(published_support(found))
    return SupportReport(
        tuple(line for one in supports for line in _lines(one)),
        {"support": [asdict(one) for one in supports]},
    )


def published_support(found: Sequence[Operation]) -> Support:
    """Return what GPUs take of operations by OpenVINO's published list."""
    taken = [one for one in found if (one.kind, one.opset) in GPU_OPERATIONS]
    return _support("gpu", GPU_SOURCE, found, taken)


def _support(
    device: str, source: str, found: Sequence[Operation], taken: Collection[Operation]
) -> Support:
    refused = (f"{one.name} ({one.kind}, {one.opset})" for one in found if one not in taken)
    return Support(device, source, len(taken), tuple(refused))


def _lines(one: Support) -> Iterator[str]:
    total = one.taken + len(one.refused)
    yield f"{one.device} takes {one.taken} of {total} operations, by {one.source}"
    for name in one.refused[:_SHOWN]:
        yield f"  not {name}"
    if len(one.refused) > _SHOWN:
        yield f"  and {len(one.refused) - _SHOWN} more: lama-edge support --json has all"
