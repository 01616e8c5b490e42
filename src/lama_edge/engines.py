"""What exporter and runner of TensorRT engines share: the two libraries, and an engine's record."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from lama_edge.errors import MissingBackendError, UsageError, needs_extra, parameter, reason, shown
from lama_edge.plain import integer
from lama_edge.spec import Size

Flavor = Literal["tensorrt", "rtx"]
FLAVORS: tuple[Flavor, ...] = get_args(Flavor)
FlavorChoice = Literal["auto", "tensorrt", "rtx"]
FLAVOR_CHOICES: tuple[FlavorChoice, ...] = get_args(FlavorChoice)
HardwareCompatibility = Literal["none", "ampere_plus", "same_compute_capability"]
HARDWARE_COMPATIBILITIES: tuple[HardwareCompatibility, ...] = get_args(HardwareCompatibility)

ENGINE_SUFFIX = ".engine"
FORMAT_NAME = "tensorrt"
# What the figures of an engine's manifest were measured on.
ENGINE_JUDGED, SOURCE_JUDGED = "engine", "source graph"
FLAVOR_TITLES: Mapping[Flavor, str] = {"tensorrt": "TensorRT", "rtx": "TensorRT for RTX"}
_MODULES: Mapping[Flavor, str] = {"tensorrt": "tensorrt", "rtx": "tensorrt_rtx"}
_MAX_PROFILES = 64
_MAX_BYTES = 1 << 50
# What a record calls a profile's sizes.
_ENDS = ("min", "opt", "max")


@dataclass(frozen=True)
class Library:
    """A TensorRT library that could be imported.

    Attributes:
        flavor: which of the two.
        module: the Python module.
        version: its version, such as ``10.3.0`` or ``1.7.1.116``.
    """

    flavor: Flavor
    module: Any
    version: str

    @property
    def title(self) -> str:
        """Its name and version, as messages spell it."""
        return f"{FLAVOR_TITLES[self.flavor]} {self.version}"


@dataclass(frozen=True)
class ProfileSizes:
    """The picture sizes of one optimisation profile; engines take one picture at a time.

    Attributes:
        minimum: the smallest height and the smallest width that it takes.
        optimum: the size that kernels are chosen for.
        maximum: the largest height and the largest width that it takes.
    """

    minimum: Size
    optimum: Size
    maximum: Size

    def __str__(self) -> str:
        """Spell it as a ``--size`` token."""
        if self.fixed is not None:
            return str(self.fixed)
        return f"{self.minimum}:{self.optimum}:{self.maximum}"

    @property
    def fixed(self) -> Size | None:
        """The one size that it takes; None when it takes several."""
        return self.optimum if self.minimum == self.maximum else None

    @property
    def sizes(self) -> tuple[Size, Size, Size]:
        """Minimum, optimum and maximum."""
        return self.minimum, self.optimum, self.maximum

    @property
    def rises(self) -> bool:
        """Whether no side shrinks from the minimum over the optimum to the maximum."""
        return (
            self.minimum.height <= self.optimum.height <= self.maximum.height
            and self.minimum.width <= self.optimum.width <= self.maximum.width
        )

    def takes(self, height: int, width: int) -> bool:
        """Tell whether a picture is within it; multiples of the model's step are not looked at."""
        return (
            self.minimum.height <= height <= self.maximum.height
            and self.minimum.width <= width <= self.maximum.width
        )


@dataclass(frozen=True)
class EngineBuild:
    """How an engine was built, and hence where it runs.

    Attributes:
        flavor: the library that built it; the other one does not open it.
        tensorrt_version: that library's version.
        compute_capabilities: the GPUs that it was built for, such as ``8.7``; empty when the
            library chose them, which only TensorRT for RTX does.
        hardware_compatibility: which further GPUs it runs on.
        version_compatible: whether later versions of the library run it.
        optimisation_level: the builder's, 0 to 5.
        tf32: whether float32 products may be computed with 10 bits of mantissa.
        workspace_bytes: the builder's limit of scratch memory on the GPU; None is the GPU's memory.
        profiles: the sizes it takes, in the order of the engine's optimisation profiles.
        source_sha256: of the ONNX file that it was built from.
        engine_sha256: of the engine file.
        engine_bytes: the engine file's size.
        judged: what the parity figures were measured on: ``engine``; ``source graph`` when no
            GPU was there to run the engine; None when nothing was judged.
    """

    flavor: Flavor
    tensorrt_version: str
    compute_capabilities: tuple[str, ...]
    hardware_compatibility: HardwareCompatibility
    version_compatible: bool
    optimisation_level: int
    tf32: bool
    workspace_bytes: int | None
    profiles: tuple[ProfileSizes, ...]
    source_sha256: str
    engine_sha256: str
    engine_bytes: int
    judged: str | None = None

    @property
    def is_static(self) -> bool:
        """Whether its inputs have one fixed shape, so that nothing has to be chosen at run time."""
        return len(self.profiles) == 1 and self.profiles[0].fixed is not None

    def profile_for(self, height: int, width: int) -> int | None:
        """Return the index of the profile that suits a picture best, or None when none takes it.

        That is the one with the optimum nearest to the picture in area; of equals the first.
        """
        fitting = [i for i, profile in enumerate(self.profiles) if profile.takes(height, width)]

        def distance(index: int) -> int:
            optimum = self.profiles[index].optimum
            return abs(optimum.height * optimum.width - height * width)

        return min(fitting, key=distance, default=None)

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain data, ready for JSON."""
        profiles = [
            {name: [size.height, size.width] for name, size in zip(_ENDS, one.sizes, strict=True)}
            for one in self.profiles
        ]
        capabilities = list(self.compute_capabilities)
        return {**asdict(self), "compute_capabilities": capabilities, "profiles": profiles}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EngineBuild:
        """Read what `to_dict` wrote.

        Raises:
            ValueError: when a value is out of its set.
            KeyError: when one is missing.
            TypeError: when one is of another kind.
        """
        flavor, level = data["flavor"], data["hardware_compatibility"]
        if flavor not in FLAVORS:
            raise ValueError(f"unknown flavor {shown(flavor)}")
        if level not in HARDWARE_COMPATIBILITIES:
            raise ValueError(f"unknown hardware compatibility {shown(level)}")
        profiles = data["profiles"]
        if not 0 < len(profiles) <= _MAX_PROFILES:
            raise ValueError(f"an engine has 1 to {_MAX_PROFILES} profiles, this {len(profiles)}")
        workspace = data["workspace_bytes"]
        judged = data["judged"]
        return cls(
            flavor=flavor,
            tensorrt_version=str(data["tensorrt_version"]),
            compute_capabilities=tuple(str(one) for one in data["compute_capabilities"]),
            hardware_compatibility=level,
            version_compatible=bool(data["version_compatible"]),
            optimisation_level=integer("optimisation_level", data["optimisation_level"], 0, 5),
            tf32=bool(data["tf32"]),
            workspace_bytes=(
                None if workspace is None else integer("workspace_bytes", workspace, 0, _MAX_BYTES)
            ),
            profiles=tuple(_profile(one) for one in profiles),
            source_sha256=str(data["source_sha256"]),
            engine_sha256=str(data["engine_sha256"]),
            engine_bytes=integer("engine_bytes", data["engine_bytes"], 0, _MAX_BYTES),
            judged=None if judged is None else str(judged),
        )


def load_library(choice: FlavorChoice = "auto") -> Library:
    """Import a TensorRT library.

    Args:
        choice: which one; ``auto`` is TensorRT, and TensorRT for RTX where that is not installed.

    Raises:
        UsageError: when there is no such flavor.
        MissingBackendError: when it is not installed, or its libraries do not load.
    """
    if choice not in FLAVOR_CHOICES:
        raise UsageError(f"unknown flavor {choice!r}; choose one of: {', '.join(FLAVOR_CHOICES)}")
    if choice != "auto":
        return _import(choice)
    try:
        return _import("tensorrt")
    except MissingBackendError:
        return _import("rtx")


def _import(flavor: Flavor) -> Library:
    name = _MODULES[flavor]
    try:
        if flavor == "rtx":
            with needs_extra("tensorrt"):
                module = importlib.import_module(name)
        else:
            module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise MissingBackendError(
            f"the package {name!r} is not installed: on a Jetson it comes with JetPack, so make "
            "the environment with: python3 -m venv --system-site-packages; elsewhere install it "
            f"with: pip install {name}; or use {parameter('flavor', 'rtx')}"
        ) from error
    except (ImportError, OSError) as error:
        raise MissingBackendError(
            f"the package {name!r} is installed and cannot be loaded ({reason(error)}): install "
            "it again, with the CUDA version that its name says"
        ) from error
    return Library(flavor, module, str(module.__version__))


def _profile(data: Mapping[str, Any]) -> ProfileSizes:
    profile = ProfileSizes(*(Size.from_sides(name, data[name]) for name in _ENDS))
    if not profile.rises:
        raise ValueError(f"the profile {':'.join(map(str, profile.sizes))} does not rise")
    return profile
