"""Shared vectors of manifests: what a wrapper reads out of them, and which it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from lama_edge.errors import LamaEdgeError
from lama_edge.manifest import Manifest, ParityFigures
from lama_edge.runtimes.vectors.format import Case, Topic, refusal
from lama_edge.runtimes.vectors.model import stand_in_manifest
from lama_edge.spec import Size, SizePolicy

_FIGURES = ParityFigures("numpy-fp32", "emulated", ("64x96",), 3e-6, 1e-4, 90.5, 88.0)
_WHOLE = replace(stand_in_manifest(SizePolicy(None, 8, 16)), parity=_FIGURES)
_FIXED = stand_in_manifest(SizePolicy(Size(512, 768), 8, 16), "image")
_COREML = replace(
    _FIXED,
    source=replace(_FIXED.source, architecture={"ngf": 64, "n_blocks": None}),
    format={"name": "coreml", "version": 8, "functions": "512x768 64x64"},
    precision="fp16",
    dft=None,
    parity=replace(_FIGURES, psnr_db=52.0, least_psnr_db=55.0, forced=True),
    numerics={"exponent": -4, "guard": 0.5, "calibration": "seeded"},
)
_BOUNDED = stand_in_manifest(SizePolicy(None, 8, 72, 2048))
_RAW = stand_in_manifest(SizePolicy(None, 8, 72), "float", composite=False)
_ENDED_BY_FORMAT = {"format": {"name": "coreml", "target": "iOS16", "max_side": 1024}}


def manifest_vectors() -> Topic:
    """Return whole and damaged manifests, with what `Manifest.from_json` makes of each."""
    return Topic("manifests", {"manifests": [manifest_read(text) for text in (*_good(), *_bad())]})


def _good() -> list[str]:
    return [
        _WHOLE.to_json(),
        _COREML.to_json(),
        _RAW.to_json(),
        _BOUNDED.to_json(),
        # As 0.1.0 wrote it, and both: the size's own counts.
        json.dumps(_plain() | _ENDED_BY_FORMAT),
        json.dumps(_BOUNDED.to_dict() | _ENDED_BY_FORMAT),
        json.dumps(_plain() | {"unknown": [1, 2]}, indent=1),
        _without("numerics"),
        _without("parity", "forced"),
    ]


def _bad() -> list[str]:
    plain = _plain()
    sizes: tuple[dict[str, Any], ...] = (
        {"multiple": 0},
        {"min_size": 5000},
        {"fixed": [1, 2, 3]},
        {"fixed": 8},
        *({"max_side": most} for most in (0, 8, 1028, 16392, "2048", True)),
    )
    return [
        *(_without(name) for name in ("schema_version", "io", "size", "source", "parity", "dft")),
        _without("io", "form"),
        _without("size", "fixed"),
        _without("source", "architecture"),
        json.dumps(plain | {"schema_version": 2}),
        json.dumps(plain | {"schema_version": "1"}),
        json.dumps(plain | {"io": plain["io"] | {"form": "tensor"}}),
        *(json.dumps(plain | {"size": plain["size"] | change}) for change in sizes),
        json.dumps(plain | {"format": {"name": ["onnx"]}}),
        json.dumps(plain | {"format": {"name": "coreml", "max_side": "2048"}}),
        _WHOLE.to_json()[:-1],
        "",
        "[]",
    ]


def _plain() -> dict[str, Any]:
    return _WHOLE.to_dict()


def _without(*path: str) -> str:
    data = json.loads(_WHOLE.to_json())
    inner = data
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return json.dumps(data)


def manifest_read(text: str) -> Case:
    """Return the case of a manifest that is read."""
    try:
        manifest = Manifest.from_json(text)
    except LamaEdgeError as error:
        return {"json": text, **refusal(error)}
    return {
        "json": text,
        "form": manifest.io.form,
        "composite": manifest.io.composite,
        "output": manifest.io.output.name,
        "size": manifest.size.to_dict(),
        "precision": manifest.precision,
        "dft": manifest.dft,
        "sha256": manifest.source.sha256,
        "parameters": manifest.source.parameters,
        "passed": None if manifest.parity is None else manifest.parity.passed,
    }
