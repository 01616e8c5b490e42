"""From a TensorRT network to an engine file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lama_edge.engines import EngineBuild, Library, ProfileSizes
from lama_edge.errors import MissingBackendError, ModelError, UsageError, parameter
from lama_edge.exporters.formats.tensorrt.network import (
    Network,
    check_network,
    fix_shapes,
    profile_shapes,
    read_network,
)
from lama_edge.exporters.formats.tensorrt.options import CURRENT_GPU, BuildOptions
from lama_edge.exporters.formats.tensorrt.progress import (
    BuildMonitor,
    BuildProgress,
    library_monitor,
)
from lama_edge.exporters.formats.tensorrt.timing_cache import load_timing_cache, save_timing_cache
from lama_edge.files import sha256_of
from lama_edge.nvidia import current_gpu
from lama_edge.spec import IoSpec


def target_gpus(library: Library, options: BuildOptions) -> tuple[str, ...]:
    """Return the compute capabilities that an engine is going to be built for.

    Args:
        library: the library.
        options: the user's; checked with `check_options`.

    Returns:
        Such as ``("8.6", "8.9")``; empty is the choice of TensorRT for RTX.

    Raises:
        UsageError: when the library cannot build for one of them.
        MissingBackendError: when the GPU of this machine is asked for, or has to be, and there
            is none.
    """
    if library.flavor == "tensorrt" or options.compute_capabilities == (CURRENT_GPU,):
        gpu = current_gpu()
        if gpu is None:
            raise MissingBackendError(
                f"{library.title} builds for the GPU of this machine, and there is none, or no "
                f"driver for it: build on the machine that runs the engine, or use "
                f"{parameter('flavor', 'rtx')}"
                + (f" without {parameter('compute_capability')}" if library.flavor == "rtx" else "")
            )
        return (gpu.compute_capability,)
    for one in options.compute_capabilities:
        if not knows_gpu(library, one):
            known = library.module.ComputeCapability.__members__
            names = (f"{name[2:-1]}.{name[-1]}" for name in known if name.startswith("SM"))
            raise UsageError(
                f"{library.title} does not build for {parameter('compute_capability', one)}; it "
                f"knows {', '.join(names)} and {CURRENT_GPU}"
            )
    return options.compute_capabilities


def knows_gpu(library: Library, compute_capability: str) -> bool:
    """Tell whether TensorRT for RTX can be told to build for a GPU such as ``8.6``."""
    return _member(compute_capability) in library.module.ComputeCapability.__members__


def runs_here(library: Library, options: BuildOptions) -> bool:
    """Tell whether this machine has a GPU that an engine built so runs on."""
    gpu = current_gpu()
    if gpu is None:
        return False
    gpus = target_gpus(library, options)
    if gpus:
        return gpu.compute_capability in gpus
    return knows_gpu(library, gpu.compute_capability)


def build_engine(
    library: Library,
    source: Path,
    engine: Path,
    *,
    io: IoSpec,
    precision: str,
    profiles: Sequence[ProfileSizes],
    gpus: Sequence[str],
    options: BuildOptions,
    progress: BuildProgress = lambda phase, done: None,
) -> EngineBuild:
    """Build an engine from an ONNX file.

    Args:
        library: the library to build with.
        source: the ``.onnx`` file.
        engine: the file to write.
        io: the graph's inputs and outputs.
        precision: the graph's, ``fp32``, ``fp16`` or ``int8``.
        profiles: the sizes to build for; with one fixed size the engine's shapes are static.
        gpus: from `target_gpus`.
        options: checked with `check_options`.
        progress: called with the builder's phase and how much of the whole is done.

    Returns:
        The engine's record.

    Raises:
        ModelError: when the library refuses the graph, or it is not what `io` and `precision` say.
        MissingBackendError: when it finds no driver and needs one.
        KeyboardInterrupt: when the user interrupts; the builder has stopped then.
    """
    network = read_network(library, source)
    fix_shapes(network, io, profiles)
    check_network(network, io, profiles, precision)
    tf32 = precision == "int8" or (options.tf32 and precision == "fp32")
    config = _config(network, gpus, options, tf32=tf32)
    if not _is_static(profiles):
        for profile in profiles:
            _add_profile(network, config, io, profile)
    cache = load_timing_cache(library, config, gpus)
    monitor = BuildMonitor(progress)
    config.progress_monitor = library_monitor(library, monitor)
    plan = network.builder.build_serialized_network(network.definition, config)
    if monitor.interrupted:
        raise KeyboardInterrupt
    if plan is None:
        raise network.messages.failure("could not build the engine")
    save_timing_cache(config, cache)
    engine.write_bytes(plan)
    return EngineBuild(
        flavor=library.flavor,
        tensorrt_version=library.version,
        compute_capabilities=tuple(gpus),
        hardware_compatibility="none",
        version_compatible=False,
        optimisation_level=config.builder_optimization_level,
        tf32=tf32,
        workspace_bytes=options.workspace_bytes,
        profiles=tuple(profiles),
        source_sha256=sha256_of(source),
        engine_sha256=sha256_of(engine),
        engine_bytes=engine.stat().st_size,
    )


def _is_static(profiles: Sequence[ProfileSizes]) -> bool:
    return len(profiles) == 1 and profiles[0].fixed is not None


def _config(network: Network, gpus: Sequence[str], options: BuildOptions, *, tf32: bool) -> Any:
    trt = network.library.module
    config = network.builder.create_builder_config()
    if options.workspace_bytes is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_bytes)
    # It is on by default, and loses fp32's parity.
    if tf32:
        config.set_flag(trt.BuilderFlag.TF32)
    else:
        config.clear_flag(trt.BuilderFlag.TF32)
    if network.library.flavor == "rtx" and gpus:
        config.num_compute_capabilities = len(gpus)
        for index, one in enumerate(gpus):
            config.set_compute_capability(_compute_capability(trt, one), index)
    return config


def _member(compute_capability: str) -> str:
    return "SM" + compute_capability.replace(".", "")


def _compute_capability(trt: Any, one: str) -> Any:
    """Return the library's name of a GPU; one that it has no name for is this machine's."""
    known = trt.ComputeCapability.__members__
    return known.get(_member(one), trt.ComputeCapability.CURRENT)


def _add_profile(network: Network, config: Any, io: IoSpec, sizes: ProfileSizes) -> None:
    profile = network.builder.create_optimization_profile()
    for spec in (io.image, io.mask):
        profile.set_shape(spec.name, *profile_shapes(spec, sizes))
    if config.add_optimization_profile(profile) < 0:
        raise ModelError(
            f"{network.library.title} does not take the sizes {sizes} "
            f"({network.messages.failure('refuses the profile')})"
        )
