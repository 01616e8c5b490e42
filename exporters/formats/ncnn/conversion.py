"""From a deploy graph to an ncnn model: torch's trace, and pnnx, each in a process of its own.

pnnx ends well whatever it left undone, leaves out in which order a shuffle takes its channels, and
makes zeros of floats that are subnormal as halves; so what it wrote is looked through, and mended.
It is told no sizes: it would compute the whole net to follow them, without fast convolutions.
"""

from __future__ import annotations

import math
import re
import subprocess
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lama_edge.containers.ncnn import layers, seal
from lama_edge.errors import ModelError, needs_extra, one_line, reason
from lama_edge.files import weights_beside
from lama_edge.manifest import Manifest
from lama_edge.process import CrashError, WatchedFolder, killed_by, run_isolated
from lama_edge.spec import IoSpec, Size

_TASK = "lama_edge.exporters.formats.ncnn.conversion:convert_task"
_EXTRA = "ncnn-export"
_TRACE = "lama"
# What pnnx calls the ends of a net.
_IMAGE, _MASK, _OUTPUT = "in0", "in1", "out0"
# Parameter 1 of a PixelShuffle: whether a block's channels lie apart, as ONNX's DCR has them.
_SHUFFLE, _NEAR, _APART = "PixelShuffle", "1=0", "1=1"
# What pnnx leaves of a reshape where it knows no sizes; the shape stands in a file of its own.
_RESHAPE = "Tensor.reshape"
_RESHAPED = re.compile(
    rf"^{re.escape(_RESHAPE)} +(\S+) .* shape=\(1,(\d+),(\d+),(\d+)\)", re.MULTILINE
)
_WORDS_SHOWN = 200
_AGAIN = "export again, with room in the temporary folder"
# Stands before weights, and says how they are stored (ncnn's modelbin.cpp).
_FLOATS, _HALVES = bytes(4), (0x01306B47).to_bytes(4, "little")


def write_ncnn(source: Path, manifest: Manifest, target: Path) -> None:
    """Write the model of an ONNX file; the same file gives the same bytes.

    Args:
        source: the deploy graph of one size, in the float form, at its precision.
        manifest: the model's.
        target: the ``.param`` file; the ``.bin`` file comes to stand beside it.

    Raises:
        ModelError: when pnnx cannot be started, leaves a part of the graph that ncnn has not, or
            a part of its files unwritten.
        MissingBackendError: when torch or pnnx is not installed.
    """
    size = manifest.size.fixed
    assert size is not None
    with WatchedFolder() as watched:
        payload = {
            "source": str(source),
            "folder": str(watched.path),
            "size": [size.height, size.width],
        }
        _call(run_isolated(_TASK, payload)["pnnx"], watched)
        written = watched.path / f"{_TRACE}.ncnn.param"
        try:
            text = mended(written, manifest.io, size)
            data = stored(text, weights_beside(written).read_bytes(), manifest.precision)
        except (LookupError, OSError, ValueError) as error:
            raise ModelError(
                f"pnnx wrote no model that can be read ({type(error).__name__}: {reason(error)}): "
                f"{_AGAIN}"
            ) from error
        target.write_text(text, encoding="utf-8")
        weights_beside(target).write_bytes(data)
    seal(target, weights_beside(target), manifest.to_json())


def convert_task(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Trace a graph for pnnx.

    Args:
        payload: `source`, an ONNX file; `folder`, for the trace; `size`, height and width.

    Returns:
        `pnnx`, the path of the program.
    """
    with needs_extra(_EXTRA):
        import onnx_ir as ir
        import pnnx
        import torch
    from lama_edge.exporters.formats.ncnn.module import ncnn_module

    folder, (height, width) = Path(payload["folder"]), payload["size"]
    module = ncnn_module(ir.load(payload["source"]))
    with torch.no_grad(), warnings.catch_warnings():
        # torch would rather have another way, which pnnx does not read.
        warnings.simplefilter("ignore", DeprecationWarning)
        inputs = tuple(torch.zeros(1, channels, height, width) for channels in (3, 1))
        trace: Callable[..., Any] = torch.jit.trace
        # pnnx would take sizes from inputs in the file too.
        traced = trace(module, inputs, check_trace=False, _store_inputs=False)
        traced.save(folder / f"{_TRACE}.pt")
    return {"pnnx": pnnx.EXEC_PATH}


def _call(program: str, watched: WatchedFolder) -> None:
    """Call pnnx, which writes beside the trace.

    Raises:
        ModelError: when it cannot be started, or refuses the trace.
        CrashError: when it was killed.
    """
    try:
        begun = subprocess.Popen(
            [program, f"{_TRACE}.pt", "fp16=0"], cwd=watched.path, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
    except OSError as error:
        raise ModelError(
            f"pnnx cannot be started ({error.strerror or one_line(error)}): install pnnx again"
        ) from error
    with begun as process:
        try:
            with watched.running(process.pid):
                said, _ = process.communicate()
        except BaseException:
            process.kill()
            raise
    if process.returncode < 0:
        raise CrashError(f"pnnx did not finish: {killed_by(-process.returncode)}")
    if process.returncode or not (watched.path / f"{_TRACE}.ncnn.bin").is_file():
        last = one_line(said)[-_WORDS_SHOWN:] if said.strip() else "nothing"
        raise ModelError(f"pnnx ended with {process.returncode} and said: {last}")


def mended(param: Path, io: IoSpec, size: Size) -> str:
    """Return a ``.param`` file of pnnx's with the inputs' own names and with what it leaves out.

    Args:
        param: the file, with pnnx's own beside it where the net has a reshape.
        io: how inputs and output are to be called.
        size: of the pictures.

    Raises:
        ModelError: when layers are missing, or one is none of ncnn's.
        ValueError, LookupError: when it is no such file, as where it was cut in a line.
    """
    text = param.read_text(encoding="utf-8")
    mark, counts, *lines = text.splitlines()
    # A line that was cut is none, though the words that are left may look like a layer.
    whole, told = max(0, text.count("\n") - 2), int(counts.split()[0])
    if whole != told:
        raise ModelError(f"pnnx wrote {whole} of {told} layers: {_AGAIN}")
    kinds = layers(param)
    shapes = _shapes(param.with_name(f"{_TRACE}.pnnx.param")) if _RESHAPE in kinds else {}
    if len(shapes) == kinds[_RESHAPE]:
        del kinds[_RESHAPE]
    strange = sorted(kind for kind in kinds if not kind.isalnum() or not kind[0].isupper())
    if strange:
        raise ModelError(f"ncnn has no layer for {', '.join(strange)}, which pnnx left as it was")
    names = {_IMAGE: io.image.name, _MASK: io.mask.name, _OUTPUT: io.output.name}
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
        elif words[0] == _RESHAPE:
            extents = reversed(shapes[words[1]])
            words = ["Reshape", *words[1:], *(f"{n}={one}" for n, one in enumerate(extents))]
        found.append(" ".join(names.get(word, word) for word in words))
    return "\n".join(found) + "\n"


def _shapes(param: Path) -> dict[str, list[str]]:
    """Return channels, height and width by a reshape's name, from pnnx's own file."""
    return {name: shape for name, *shape in _RESHAPED.findall(param.read_text(encoding="utf-8"))}


def stored(param: str, data: bytes, precision: str) -> bytes:
    """Return a ``.bin`` file of floats, in fp16 with the convolutions' weights as halves.

    Args:
        param: what the ``.param`` file says.
        data: the ``.bin`` file; biases and other constants stay floats, as ncnn reads them.
        precision: ``fp32``, which changes nothing, or ``fp16``.

    Raises:
        ModelError: when the two do not fit, as where another layer has weights.
        ValueError, LookupError: when a layer was cut.
    """
    found, at = [], 0

    def take(count: int) -> bytes:
        nonlocal at
        at += 4 * count
        if at > len(data):
            raise ModelError(f"pnnx wrote {len(data)} bytes of weights, which is not all of them")
        return data[at - 4 * count : at]

    for line in param.splitlines()[2:]:
        kind, _, inputs, outputs, *words = line.split()
        pairs = (word.split("=") for word in words[int(inputs) + int(outputs) :])
        settings = {int(number): value for number, value in pairs}
        if kind == "MemoryData":
            extents = (int(settings[number]) for number in (0, 1, 11, 2) if number in settings)
            found.append(take(math.prod(extents)))
        elif kind == "Convolution":
            if take(1) != _FLOATS:
                raise ModelError("pnnx stored weights in another way than it was told")
            weights = take(int(settings[6]))
            if precision == "fp16":
                weights = np.frombuffer(weights, np.float32).astype(np.float16).tobytes()
            found += [_HALVES if precision == "fp16" else _FLOATS, weights]
            found.append(bytes(-len(weights) % 4))
            if settings.get(5) == "1":
                found.append(take(int(settings[0])))
    if at != len(data):
        raise ModelError(f"pnnx wrote {len(data)} bytes of weights, of which {at} are known")
    return b"".join(found)
