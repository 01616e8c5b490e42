"""What `inspect` and `support` say of an OpenVINO model: which operations devices take."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("openvino")

from torch_answers import CASES

from lama_edge import cli
from lama_edge.containers.openvino import Operation, operations, read_ir
from lama_edge.errors import MissingBackendError
from lama_edge.runtimes.openvino.facts import ir_support, published_support
from lama_edge.runtimes.openvino.published import GPU_OPERATIONS, GPU_SOURCE
from lama_edge.runtimes.openvino.runner import devices_here, openvino

MakeModel = Callable[..., Path]
FAMILIES = ("fourier", "regular", "dilated")
NO_GPU = pytest.mark.skipif(
    "gpu" in devices_here(openvino.Core()), reason="here is a GPU, which is asked itself"
)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("io", ["float", "uint8"])
def test_processors_and_gpus_take_every_operation_of_every_model(
    openvino_model: MakeModel, family: str, precision: str, io: str
) -> None:
    size = next(size for name, size in CASES if name == family)
    for model in (
        openvino_model(family, size, io=io, precision=precision),
        openvino_model(family, io=io, precision=precision),
    ):
        found = list(operations(read_ir(model)))
        for one in ir_support(model, None, "auto").data["support"]:
            assert one["refused"] == ()
            assert one["taken"] == len(found) > 40
        assert {(one.kind, one.opset) for one in found} <= GPU_OPERATIONS
        assert len({one.name for one in found}) == len(found)


@NO_GPU
def test_the_command_says_who_takes_how_many(
    openvino_model: MakeModel, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(openvino_model("fourier", CASES[0][1]))
    assert cli.main(["inspect", model]) == 0
    lines = capsys.readouterr().out.splitlines()
    row = next(line for line in lines if line.startswith("operations"))
    count = row.split()[1].rstrip(":")
    assert "Convolution " in row
    assert " takes " not in "".join(lines)
    assert cli.main(["support", model]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"cpu takes {count} of {count} operations, by openvino " in "\n".join(lines)
    assert f"gpu takes {count} of {count} operations, by {GPU_SOURCE}" in lines


@NO_GPU
def test_a_device_that_is_asked_for_has_to_be_here(openvino_model: MakeModel) -> None:
    model = openvino_model("fourier", CASES[0][1])
    with pytest.raises(MissingBackendError, match="no device 'gpu' here"):
        ir_support(model, None, "gpu")
    assert [one["device"] for one in ir_support(model, None, "cpu").data["support"]] == ["cpu"]


def test_what_is_not_on_the_list_is_named() -> None:
    found = [
        Operation("a", "Convolution", "opset1"),
        Operation("b", "Einsum", "opset7"),
        Operation("c", "Pad", "opset12"),
        Operation("d", "Pad", "opset99"),
    ]
    support = published_support(found)
    assert (support.device, support.taken) == ("gpu", 2)
    assert support.refused == ("b (Einsum, opset7)", "d (Pad, opset99)")


def test_what_a_device_refuses_is_listed_and_cut(
    openvino_model: MakeModel,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Of the list of GPUs pads are taken away, since every device here takes everything."""
    monkeypatch.setattr(
        "lama_edge.runtimes.openvino.facts.GPU_OPERATIONS", GPU_OPERATIONS - {("Pad", "opset12")}
    )
    model = openvino_model("fourier")
    pads = sum(one.kind == "Pad" for one in operations(read_ir(model)))
    (support,) = (
        one for one in ir_support(model, None, "auto").data["support"] if one["device"] == "gpu"
    )
    assert len(support["refused"]) == pads
    assert cli.main(["support", str(model), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["support"][-1]["refused"]) == pads
    assert cli.main(["support", str(model)]) == 0
    lines = capsys.readouterr().out.splitlines()
    shown = [line for line in lines if line.startswith("  not ") and "(Pad, opset12)" in line]
    assert len(shown) == min(pads, 20)
    assert (f"  and {pads - 20} more: lama-edge support --json has all" in lines) == (pads > 20)
