"""The manifest that every exported model carries: what it is, takes, gives and was measured at.

One JSON object with sorted keys and without times, names of people or machines, or paths, so
that the same input and tool versions give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from lama_edge import plain
from lama_edge.engines import EngineBuild
from lama_edge.errors import ModelError, reading, shown
from lama_edge.judging.verdict import Verdict
from lama_edge.spec import IO_FORMS, MAX_BATCH, IoSpec, SizePolicy, SizeProblem, io_spec

SCHEMA_VERSION = 1
METADATA_KEY = "lama_edge"
# Far above what an export writes, and below what arithmetic with them could be harmed by: a file
# may come from a stranger.
_MAX_OPSET = 1 << 10
_MAX_PARAMETERS = 1 << 40
_MAX_HYPERPARAMETER = 1 << 12  # of channels, the most that a configuration can have
_MAX_DECIBELS = 1e4
_MAX_DIFFERENCE = 1e38


@dataclass(frozen=True)
class Source:
    """Where a model's weights come from.

    Attributes:
        sha256: hash of the checkpoint file.
        architecture: the generator's configuration as plain data, `kind` included.
        parameters: number of trained parameters.
        entry: the generator's name in a file with several; None in a file of one.
        ignored: parts and tensors of the file that were left out because the user said so,
            although they may change what it computes.
    """

    sha256: str
    architecture: Mapping[str, Any]
    parameters: int
    entry: str | None = None
    ignored: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data, ready for JSON; what is not set is not written."""
        optional = {"entry": self.entry, "ignored": list(self.ignored)}
        return {
            "sha256": self.sha256,
            "architecture": dict(self.architecture),
            "parameters": self.parameters,
            **{name: value for name, value in optional.items() if value},
        }


@dataclass(frozen=True)
class ParityFigures:
    """How far a model's results are from the reference, inside the hole.

    Attributes:
        reference: what it was compared with, for example ``numpy-fp32``.
        runtime: what ran the model, with its version.
        sizes: the sizes judged, as ``HEIGHTxWIDTH``.
        max_abs_diff: largest absolute difference, on the 0-to-1 scale.
        tolerance: the largest difference allowed.
        psnr_db: the worst picture's peak signal-to-noise ratio with peak 1; None when the results
            are equal. Older files carry the one over all pictures together.
        snr_db: the worst picture's signal-to-noise ratio against the reference's variance; None
            when equal.
        least_psnr_db: the smallest PSNR allowed; None where the difference alone is judged.
        forced: whether the model was kept although it was out of tolerance.
    """

    reference: str
    runtime: str
    sizes: tuple[str, ...]
    max_abs_diff: float
    tolerance: float
    psnr_db: float | None
    snr_db: float | None
    least_psnr_db: float | None = None
    forced: bool = False

    @property
    def verdict(self) -> Verdict:
        """Whether the model passed, and why not; known pixels that change leave no figures."""
        return Verdict(self.max_abs_diff, self.tolerance, self.psnr_db, self.least_psnr_db)

    @property
    def passed(self) -> bool:
        """Whether the model passed."""
        return self.verdict.passed

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain data, ready for JSON."""
        return {**asdict(self), "sizes": list(self.sizes)}


@dataclass(frozen=True)
class Manifest:
    """A model's self-description.

    Attributes:
        format: the file format and its version, such as ``{"name": "onnx", "opset": 17}``.
        io: inputs and outputs.
        size: accepted sizes.
        precision: ``fp32`` and so on.
        dft: form of the Fourier transform in the graph, ``matmul`` or ``op``; None where the
            runtime has its own FFT.
        source: the checkpoint.
        tools: versions of the packages that made the file.
        parity: figures measured at export; None when that was skipped.
        numerics: how a precision other than fp32 was made: calibration, exponents, layers left in
            higher precision; plain values by name, None for fp32.
        engine: how a TensorRT engine was built; None for other formats.
        graph_sha256: digest of what the file computes, as exported, see
            `runtimes.base.changed_since_export`; None for formats whose runtimes have no digest
            and files of release 0.1.0.
    """

    format: Mapping[str, str | int]
    io: IoSpec
    size: SizePolicy
    precision: str
    dft: str | None
    source: Source
    tools: Mapping[str, str]
    parity: ParityFigures | None = None
    numerics: Mapping[str, str | int | float] | None = None
    engine: EngineBuild | None = None
    graph_sha256: str | None = None

    @property
    def purpose(self) -> str | None:
        """What an ONNX file is for, as ``--for`` had it; None where its manifest does not say."""
        purpose = self.format.get("for")
        return None if purpose is None else str(purpose)

    @property
    def kernels(self) -> Literal["direct", "bands"]:
        """What an ONNX file's graph is shaped for: ``direct``, or ``bands`` for processors.

        Files of release 0.1.0 call bands by the form of the convolutions in them.
        """
        in_bands = (self.format.get("kernels"), self.format.get("convolutions"))
        return "bands" if in_bands in (("bands", None), (None, "winograd")) else "direct"

    def problem_with(self, height: int, width: int) -> SizeProblem | None:
        """Say why a picture's size is not accepted, or None when it is.

        An engine takes what any of its profiles does, which may be more than `size` promises.
        """
        if self.engine is None:
            return self.size.problem_with(height, width)
        if self.engine.profile_for(height, width) is None:
            taken = ", ".join(map(str, self.engine.profiles))
            return SizeProblem("size_other", f"the engine takes {taken} (height x width)")
        return replace(self.size, fixed=None, min_size=1, max_side=None).problem_with(height, width)

    def to_dict(self) -> dict[str, Any]:
        """Return the manifest as plain data, ready for JSON."""
        optional: dict[str, Any] = {} if self.engine is None else {"engine": self.engine.to_dict()}
        if self.graph_sha256 is not None:
            optional["graph_sha256"] = self.graph_sha256
        return {
            "schema_version": SCHEMA_VERSION,
            "format": dict(self.format),
            "io": {
                "form": self.io.form,
                "composite": self.io.composite,
                **({} if self.io.batch is None else {"batch": self.io.batch}),
                "inputs": [self.io.image.to_dict(), self.io.mask.to_dict()],
                "outputs": [self.io.output.to_dict()],
                "hole": "mask > 0",
            },
            "size": self.size.to_dict(),
            "precision": self.precision,
            "dft": self.dft,
            "source": self.source.to_dict(),
            "tools": dict(self.tools),
            "parity": None if self.parity is None else self.parity.to_dict(),
            "numerics": None if self.numerics is None else dict(self.numerics),
            **optional,
        }

    def to_json(self) -> str:
        """Return the canonical JSON text."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Read what `to_json` wrote.

        Raises:
            ModelError: when the text is no manifest, or of a version unknown to this release.
        """
        with reading("manifest", code="manifest_unreadable"):
            data = plain.loads(text)
            version = data["schema_version"]
            if version != SCHEMA_VERSION:
                raise ModelError(
                    f"the model's manifest has schema_version {shown(version)}; this release reads "
                    f"{SCHEMA_VERSION}: export the model again or update lama-edge",
                    code="manifest_version",
                )
            return _from_dict(data)


def _from_dict(data: Mapping[str, Any]) -> Manifest:
    io, source = data["io"], data["source"]
    if io["form"] not in IO_FORMS:
        raise ModelError(
            f"the model's manifest names an unknown io form {shown(io['form'])}",
            code="manifest_form",
        )
    about = _plain_values(data["format"])
    if not isinstance(about["name"], str):
        raise TypeError(f"the format's name is {shown(about['name'])}")
    if "opset" in about:
        plain.integer("opset", about["opset"], 1, _MAX_OPSET)
    # Packages and engines that 0.1.0 wrote have the largest side there.
    size = {"max_side": about.pop("max_side", None), **data["size"]}
    return Manifest(
        format=about,
        io=io_spec(
            io["form"],
            composite=bool(io["composite"]),
            batch=_batch(io.get("batch")),
            channels_last=_channels_last(io),
        ),
        size=SizePolicy.from_dict(size),
        precision=str(data["precision"]),
        dft=None if data["dft"] is None else str(data["dft"]),
        source=Source(
            str(source["sha256"]),
            _architecture(source["architecture"]),
            plain.integer("parameters", source["parameters"], 0, _MAX_PARAMETERS),
            None if source.get("entry") is None else str(source["entry"]),
            tuple(str(name) for name in source.get("ignored", ())),
        ),
        tools={str(name): str(version) for name, version in data["tools"].items()},
        parity=None if data["parity"] is None else _parity_from_dict(data["parity"]),
        numerics=None if data.get("numerics") is None else _plain_values(data["numerics"]),
        engine=None if data.get("engine") is None else EngineBuild.from_dict(data["engine"]),
        graph_sha256=None if data.get("graph_sha256") is None else str(data["graph_sha256"]),
    )


def _batch(value: Any) -> int | None:
    return None if value is None else plain.integer("batch", value, 1, MAX_BATCH)


def _channels_last(io: Mapping[str, Any]) -> bool:
    """Tell whether the inputs say so; a form that has one layout alone needs them not."""
    inputs = io.get("inputs")
    first = inputs[0] if isinstance(inputs, list) and inputs else None
    return isinstance(first, Mapping) and first.get("layout") == "NHWC"


def _architecture(data: Mapping[str, Any]) -> dict[str, Any]:
    for name, value in data.items():
        if type(value) in (int, float):
            plain.number(name, value, 0, _MAX_HYPERPARAMETER)
    return _plain_values(data)


def _plain_values(data: Mapping[str, Any]) -> dict[str, Any]:
    for name, value in data.items():
        if not isinstance(value, str | int | float | None):
            raise TypeError(f"{shown(name)} is {shown(value)}")
    return dict(data)


def _parity_from_dict(data: Mapping[str, Any]) -> ParityFigures:
    def decibels(name: str) -> float | None:
        value = data[name]
        return None if value is None else plain.number(name, value, -_MAX_DECIBELS, _MAX_DECIBELS)

    def difference(name: str) -> float:
        return plain.number(name, data[name], 0, _MAX_DIFFERENCE)

    return ParityFigures(
        reference=str(data["reference"]),
        runtime=str(data["runtime"]),
        sizes=tuple(str(size) for size in data["sizes"]),
        max_abs_diff=difference("max_abs_diff"),
        tolerance=difference("tolerance"),
        psnr_db=decibels("psnr_db"),
        snr_db=decibels("snr_db"),
        least_psnr_db=decibels("least_psnr_db") if "least_psnr_db" in data else None,
        forced=bool(data.get("forced", False)),
    )
