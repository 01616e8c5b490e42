"""Whether ONNX Runtime's int8 kernels add up exactly on this processor, by asking them."""

from __future__ import annotations

import functools

import numpy as np

from lama_edge.runtimes.onnxruntime.library import ort

# On x86-64 without VNNI, ONNX Runtime's int8 kernels add pairs of products in 16 bits, where they
# saturate: fills differ by up to 38 levels, and in tiles from what they are whole. This takes its
# exact kernels (its header onnxruntime_session_options_config_keys.h). It does so where the others
# are exact too, at a third of their speed with AMX: so it is for processors that need it. In files
# that other tools quantised, nodes may share weights, which it then turns unsigned twice: ONNX
# Runtime 1.31 refuses such files.
EXACT_INT8 = ("session.x64quantprecision", "1")
# MatMulInteger of uint8 [4,64], `a`, and int8 [64,16], all 127, as an ONNX file of opset 17.
_PRODUCT = bytes.fromhex(
    "08083a9e010a251201732208436f6e7374616e742a160a0576616c75652a0a080210073a0240104200a001040a2e"
    "0a0173120162220f436f6e7374616e744f6653686170652a150a0576616c75652a09080110032a017f4200a00104"
    "0a180a01610a0162120163220d4d61744d756c496e74656765721201675a130a0161120e0a0c080212080a020804"
    "0a02084062130a0163120e0a0c080612080a0208040a02081042040a001011"
)
_ROWS, _INNER, _LARGEST, _WEIGHT = 4, 64, 255, 127


@functools.cache
def sums_saturate() -> bool:
    """Return whether products of the largest numbers come out too small.

    Asked once in a process, which takes two milliseconds.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(_PRODUCT, options, providers=["CPUExecutionProvider"])
    (sums,) = session.run(None, {"a": np.full((_ROWS, _INNER), _LARGEST, np.uint8)})
    return bool((np.asarray(sums) != _INNER * _LARGEST * _WEIGHT).any())
