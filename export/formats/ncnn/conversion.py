"""From a deploy graph to an ncnn model: torch's trace of it, and pnnx, in a process of their own.

pnnx ends well whatever it left undone, and leaves out in which order a shuffle takes its channels;
so what it wrote is looked through, and mended.
"""

from __future__ import annotations

import subprocess
import warnings
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lama_edge.containers.ncnn import layers, seal
from lama_edge.errors import ModelError, needs_extra
from lama_edge.files import weights_beside
from lama_edge.manifest import Manifest
from lama_edge.process import run_isolated
from lama_edge.spec import IoSpec, Size

_TASK = "lama_edge.export.formats.ncnn.conversion:convert_task"
_EXTRA = "ncnn-export"
_TRACE = "lama"
# What pnnx calls the ends of a net.
_IMAGE, _MASK, _OUTPUT = "in0", "in1", "out0"
# Parameter 1 of a PixelShuffle: whether a block's channels lie apart, as ONNX's DCR has them.
_SHUFFLE, _NEAR, _APART = "PixelShuffle", "1=0", "1=1"
_WORDS_SHOWN = 200


def write_ncnn(source: Path, manifest: Manifest, target: Path) -> None:
    """Write the model of an ONNX file; the same file gives the same bytes.

    Args:
        source: the deploy graph of one size, in the float form, at its precision.
        manifest: the model's.
        target: the ``.param`` file; the ``.bin`` file comes to stand beside it.

    Raises:
        ModelError: when pnnx leaves a part of the graph that ncnn has not.
        MissingBackendError: when torch or pnnx is not installed.
    """
    size = manifest.size.fixed
    assert size is not None
    with TemporaryDirectory(prefix="lama-edge-", dir=source.parent) as folder:
        payload = {
            "source": str(source),
            "folder": folder,
            "size": [size.height, size.width],
            "half": manifest.precision == "fp16",
        }
        run_isolated(_TASK, payload)
        written = Path(folder, f"{_TRACE}.ncnn.param")
        target.write_text(mended(written, manifest.io, size), encoding="utf-8")
        weights_beside(written).replace(weights_beside(target))
    seal(target, weights_beside(target), manifest.to_json())


def convert_task(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Trace a graph and call pnnx, which writes beside the trace.

    Args:
        payload: `source`, an ONNX file; `folder`, for what is written; `size`; `half`, whether the
            weights are stored as halves.
    """
    with needs_extra(_EXTRA):
        import onnx_ir as ir
        import pnnx
        import torch
    from lama_edge.export.formats.ncnn.module import ncnn_module

    folder, (height, width) = Path(payload["folder"]), payload["size"]
    shapes = [(1, channels, height, width) for channels in (3, 1)]
    module = ncnn_module(ir.load(payload["source"]))
    with torch.no_grad(), warnings.catch_warnings():
        # torch would rather have another way, which pnnx does not read.
        warnings.simplefilter("ignore", DeprecationWarning)
        inputs = tuple(torch.zeros(shape) for shape in shapes)
        torch.jit.trace(module, inputs, check_trace=False).save(folder / f"{_TRACE}.pt")
    del module
    given = ",".join(f"[{','.join(map(str, shape))}]f32" for shape in shapes)
    options = (f"inputshape={given}", f"fp16={int(payload['half'])}")
    done = subprocess.run(
        [pnnx.EXEC_PATH, f"{_TRACE}.pt", *options],
        cwd=folder, capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    if done.returncode or not (folder / f"{_TRACE}.ncnn.bin").is_file():
        said = (done.stderr.strip() or done.stdout.strip() or "nothing")[-_WORDS_SHOWN:]
        raise ModelError(f"pnnx ended with {done.returncode} and said: {said}")
    return {}


def mended(param: Path, io: IoSpec, size: Size) -> str:
    """Return a ``.param`` file of pnnx's with the inputs' own names and with what it leaves out.

    Args:
        param: the file.
        io: how inputs and output are to be called.
        size: of the pictures.

    Raises:
        ModelError: when a layer is none of ncnn's.
    """
    strange = sorted(kind for kind in layers(param) if not kind.isalnum() or not kind[0].isupper())
    if strange:
        raise ModelError(f"ncnn has no layer for {', '.join(strange)}, which pnnx left as it was")
    names = {_IMAGE: io.image.name, _MASK: io.mask.name, _OUTPUT: io.output.name}
    mark, counts, *lines = param.read_text(encoding="utf-8").splitlines()
    channels = {_IMAGE: io.image.channels, _MASK: io.mask.channels}
    found = [mark, counts]
    for line in lines:
        words = line.split()
        if words[0] == "Input":
            words += [f"0={size.width}", f"1={size.height}", f"2={channels[words[1]]}"]
        elif words[0] == _SHUFFLE:
            words = [_APART if word == _NEAR else word for word in words]
            if _APART not in words:
                words.append(_APART)
        found.append(" ".join(names.get(word, word) for word in words))
    return "\n".join(found) + "\n"
