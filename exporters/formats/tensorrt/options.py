"""What is chosen for an engine, without TensorRT: precisions, sizes, the builder's options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lama_edge.engines import FlavorChoice, Library, ProfileSizes
from lama_edge.errors import UsageError, parameter
from lama_edge.spec import Size, SizePolicy, parse_size

# What manifests call fp32 graphs whose products may be computed in TF32.
TF32 = "tf32"
CURRENT_GPU = "current"

_MIB = 1 << 20
# Beyond it a picture is judged on only when engines are optimised for it: big-lama's shape takes
# ten seconds at 1024 x 1024 in torch on two cores.
_MAX_JUDGED_PIXELS = 512 * 1024


@dataclass(frozen=True)
class BuildOptions:
    """What is chosen for the builder.

    Attributes:
        flavor: the library.
        compute_capabilities: the GPUs to build for, such as ``8.6``, or ``current`` for the one
            in this machine; empty is the library's own choice. TensorRT knows only ``current``.
        workspace_mib: limit of scratch memory on the GPU, in MiB; None is the GPU's memory.
        tf32: whether float32 products may be computed in TF32, with 10 bits of mantissa. The
            float layers of int8 engines always may.
    """

    flavor: FlavorChoice = "auto"
    compute_capabilities: tuple[str, ...] = ()
    workspace_mib: int | None = None
    tf32: bool = False

    @property
    def workspace_bytes(self) -> int | None:
        """The limit of scratch memory in bytes; None is the GPU's memory."""
        return None if self.workspace_mib is None else self.workspace_mib * _MIB


def build_options(options: Mapping[str, Any]) -> BuildOptions:
    """Return what a job's own options choose for the builder."""
    return BuildOptions(
        flavor=options["flavor"],
        compute_capabilities=tuple(options["compute_capability"]),
        workspace_mib=options["workspace"],
        tf32=options["tf32"],
    )


def check_options(options: BuildOptions, library: Library) -> None:
    """Refuse what the library cannot do, before any long work is done.

    Raises:
        UsageError: naming the option.
    """
    if options.workspace_mib is not None and options.workspace_mib <= 0:
        raise UsageError(
            f"{parameter('workspace', options.workspace_mib)} is none: give MiB above 0"
        )
    chosen = options.compute_capabilities
    if len(set(chosen)) != len(chosen) or (CURRENT_GPU in chosen and len(chosen) > 1):
        raise UsageError(f"give every {parameter('compute_capability')} once, and current alone")
    if library.flavor == "tensorrt" and any(one != CURRENT_GPU for one in chosen):
        raise UsageError(
            f"{parameter('compute_capability', chosen[0])} is of use with "
            f"{parameter('flavor', 'rtx')} only: TensorRT builds for the GPU that it runs on"
        )


def parse_profile(token: str) -> ProfileSizes:
    """Read a ``--size`` token: ``512``, ``512x768`` (height x width) or ``MIN:OPT:MAX`` of these.

    Raises:
        UsageError: when it is none of these, a side is out of range, or the sizes do not rise.
    """
    parts = [parse_size(part) for part in token.split(":")]
    sizes = [size for size in parts if size is not None]
    if len(sizes) != len(parts):
        raise UsageError(
            f"an engine is built for a range of sizes, not for any: give {parameter('size')} as "
            "MIN:OPT:MAX, such as 256:512:1024"
        )
    if len(sizes) not in (1, 3):
        raise UsageError(
            f"{parameter('size', token)} is no range: give three sizes, MIN:OPT:MAX, such as "
            "256:512:1024"
        )
    profile = ProfileSizes(sizes[0], sizes[len(sizes) // 2], sizes[-1])
    if not profile.rises:
        raise UsageError(
            f"{parameter('size', token)} does not rise from MIN over OPT to MAX on each side"
        )
    return profile


def check_profiles(profiles: Sequence[ProfileSizes], size: SizePolicy) -> None:
    """Refuse sizes that a model does not take.

    Args:
        profiles: of the engine to build.
        size: what the model takes.

    Raises:
        UsageError: naming the size and what is possible.
    """
    if len(set(profiles)) != len(profiles) or not profiles:
        raise UsageError(f"give every {parameter('size')} once")
    for profile in profiles:
        for one in profile.sizes:
            problem = size.problem_with(one.height, one.width)
            if problem is not None:
                raise UsageError(
                    f"{parameter('size', profile)}: {one} cannot be built for: {problem}"
                )


def engine_size(profiles: Sequence[ProfileSizes], size: SizePolicy) -> SizePolicy:
    """Return the sizes that an engine's manifest promises, those of its first profile.

    Every picture whose sides keep to it is within the profile; one that is not square takes
    others too, and of one that takes no square the optimum alone is promised.

    Args:
        profiles: of the engine.
        size: what the model takes that it is built from.
    """
    first = profiles[0]
    least = max(first.minimum.height, first.minimum.width)
    most = min(first.maximum.height, first.maximum.width)
    if first.fixed is not None or most < least:
        return SizePolicy(first.optimum, size.multiple, size.min_size)
    return SizePolicy(None, size.multiple, least, most)


def judged_sizes(profiles: Sequence[ProfileSizes], multiple: int) -> tuple[Size, ...]:
    """Return the sizes that an engine is judged at, from all of its profiles.

    Of a range that is the smallest size, one beside it that is not square, the best one, and the
    largest if it is not too large.

    Args:
        profiles: the engine's.
        multiple: what the generator's sizes are multiples of.
    """
    sizes: list[Size] = []
    for profile in profiles:
        least, most = profile.minimum, profile.maximum
        beside = Size(min(least.height + multiple, most.height), least.width)
        sizes += [one for one in (least, beside, most) if _pixels(one) <= _MAX_JUDGED_PIXELS]
        sizes.append(profile.optimum)
    return tuple(dict.fromkeys(sizes))


def _pixels(size: Size) -> int:
    return size.height * size.width
