"""TensorRT engines for Jetson, RTX and other NVIDIA GPUs, with their manifests beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lama_edge.engines import (
    ENGINE_JUDGED,
    ENGINE_SUFFIX,
    FLAVOR_CHOICES,
    FLAVOR_TITLES,
    FORMAT_NAME,
    SOURCE_JUDGED,
    ProfileSizes,
    load_library,
)
from lama_edge.errors import UsageError, parameter
from lama_edge.exporters.formats.onnx import ONNX
from lama_edge.exporters.formats.record import (
    ONE_SIZE,
    Drawn,
    Export,
    Format,
    Judge,
    Option,
    Part,
    SizeChoice,
    Within,
    versions_of,
)
from lama_edge.exporters.formats.tensorrt.options import (
    TF32,
    build_options,
    check_options,
    check_profiles,
    engine_size,
    judged_sizes,
    parse_profile,
)
from lama_edge.files import beside
from lama_edge.manifest import Manifest, ParityFigures
from lama_edge.spec import TENSOR_IO_FORMS, SizePolicy

if TYPE_CHECKING:
    from lama_edge.engines import EngineBuild
    from lama_edge.exporters.precision.build import PreciseGraph
    from lama_edge.models.config import GeneratorConfig

_SOURCE = "source.onnx"


class TensorrtFormat(Format):
    """See `Format`.

    Where no GPU runs the engine, the graph that it is built from is judged, and the manifest says
    so. What an ONNX file becomes needs TensorRT alone: a Jetson builds its engines without onnx.
    """

    name = FORMAT_NAME
    title = "a TensorRT engine"
    about = "for Jetson, RTX and other NVIDIA GPUs"
    suffix = ENGINE_SUFFIX
    extra = "export,tensorrt"
    kind = "pair"
    io_forms = TENSOR_IO_FORMS
    precisions = ("fp32", "fp16", "int8")
    precision = "fp16"
    precision_help = (
        "fp16 rescaled so that nothing overflows; int8 leaves the spectra in floats; an ONNX file "
        "has its own"
    )
    sizes = ONE_SIZE
    size_help = (
        "512, 512x768 (height x width) or a range MIN:OPT:MAX, such as 256:512:1024; several make "
        "an engine with a profile for each (default: 512, or an ONNX file's own size)"
    )
    takes = (".onnx",)
    options = (
        Option(
            "flavor",
            "the library: tensorrt, or rtx for TensorRT for RTX, which needs no GPU to build; "
            "auto is tensorrt where it is installed (default: auto)",
            default="auto",
            choices=FLAVOR_CHOICES,
        ),
        Option(
            "compute_capability",
            "with rtx: build for this GPU alone, such as 8.6, or current; may repeat (default: "
            "any from 8.0 up)",
            default=(),
            metavar="M.N",
            repeats=True,
        ),
        Option("workspace", "limit of scratch memory on the GPU", parse=int, metavar="MIB"),
        Option("tf32", "let float32 products be computed with 10 bits", default=False),
    )

    def advice(self) -> dict[str, str]:
        """See `Format.advice`."""
        return {
            **super().advice(),
            TF32: f"leave {parameter('tf32')} out",
            "int8": f"try {parameter('calibrate')} with a folder of pictures like yours, or "
            f"{parameter('precision', 'fp16')}",
        }

    def parse_size(self, word: str) -> SizeChoice:
        """See `Format.parse_size`."""
        return parse_profile(word)

    def check(self, job: Export) -> None:
        """See `Format.check`."""
        options = build_options(job.options)
        if options.tf32 and job.precision not in (None, "fp32"):
            raise UsageError(
                f"{parameter('tf32')} is of no use for {job.precision}: leave it out, or use "
                f"{parameter('precision', 'fp32')}"
            )
        library = load_library(options.flavor)
        check_options(options, library)
        # Imported here because the record is light; it refuses GPUs that cannot be built for.
        from lama_edge.exporters.formats.tensorrt.build import target_gpus

        target_gpus(library, options)

    def check_model(self, job: Export, manifest: Manifest) -> None:
        """See `Format.check_model`."""
        if manifest.precision not in ("fp32", "fp16"):
            raise UsageError(
                f"{str(job.source)!r} is {manifest.precision}, quantised as ONNX Runtime likes it: "
                f"give the checkpoint, with {parameter('precision', 'int8')}"
            )
        if manifest.kernels != "direct":
            raise UsageError(
                f"{str(job.source)!r} is shaped for processors, with loops that a GPU is slow in: "
                f"give the checkpoint, or export the file with {parameter('for', 'gpu')}"
            )
        if manifest.io.pictures != 1:
            raise UsageError(
                f"{str(job.source)!r} takes {manifest.io.batch} pictures a run and engines take "
                f"one: export the file with {parameter('batch', 1)}"
            )
        if job.options["tf32"] and manifest.precision != "fp32":
            raise UsageError(
                f"{parameter('tf32')} is about float32 products, and the file is fp16: leave it out"
            )

    def parts(self, job: Export, takes: SizePolicy) -> list[Part]:
        """See `Format.parts`: one model, whatever the number of profiles."""
        profiles = self._profiles(job, takes)
        check_profiles(profiles, takes)
        graph_size = takes
        if takes.fixed is None and not job.from_model and len(profiles) == 1:
            graph_size = replace(takes, fixed=profiles[0].fixed)
        return [
            Part(
                engine_size(profiles, takes),
                graph_size,
                judged_at=judged_sizes(profiles, takes.multiple),
            )
        ]

    def calibrated_at(self, part: Part, job: Export) -> SizePolicy:
        """See `Format.calibrated_at`: the first profile's best size."""
        first = job.sizes[0]
        assert isinstance(first, ProfileSizes)
        return replace(part.graph_size, fixed=first.optimum)

    def builder(self) -> Callable[..., PreciseGraph]:
        """See `Format.builder`."""
        from lama_edge.exporters.formats.tensorrt.graphs import source_graph

        return source_graph

    def described(self, job: Export, config: GeneratorConfig) -> dict[str, str | int]:
        """See `Format.described`."""
        return {"name": self.name, "flavor": load_library(job.options["flavor"]).flavor}

    def tools(self) -> dict[str, str]:
        """See `Format.tools`."""
        return versions_of(self.extra, "numpy", "onnx", "onnx-ir")

    def write(
        self, job: Export, drawn: Iterator[Drawn], target: Path, scratch: Path, within: Within
    ) -> list[Manifest]:
        """See `Format.write`: the graph beside the engine, then the engine from it."""
        from lama_edge.exporters.formats.tensorrt.build import build_engine, target_gpus

        (one,) = drawn
        options = build_options(job.options)
        library = load_library(options.flavor)
        source = one.model or _written(one, scratch / _SOURCE)
        precision = one.manifest.precision
        record = build_engine(
            library,
            source,
            target,
            io=one.manifest.io,
            precision=precision,
            profiles=self._profiles(job, one.part.graph_size),
            gpus=target_gpus(library, options),
            options=options,
            progress=within,
        )
        judged = None if one.manifest.parity is None else SOURCE_JUDGED
        manifest = replace(
            one.manifest,
            format={"name": self.name, "flavor": library.flavor},
            # Runs of several pictures are theirs one after another, whatever the file has.
            io=replace(one.manifest.io, batch=None),
            size=one.part.size,
            precision=TF32 if record.tf32 and precision == "fp32" else precision,
            tools={**one.manifest.tools, library.module.__name__: library.version},
            engine=replace(record, judged=judged),
            graph_sha256=None,
        )
        self.stamp([manifest], target)
        return [manifest]

    def stamp(self, manifests: list[Manifest], target: Path) -> None:
        """See `Format.stamp`."""
        beside(target).write_text(manifests[0].to_json() + "\n", encoding="utf-8")

    def judges(self, job: Export, part: Part, target: Path, scratch: Path) -> tuple[Judge, ...]:
        """See `Format.judges`: the engine where a GPU runs it, or else a checkpoint's graph."""
        from lama_edge.exporters.formats.tensorrt.build import runs_here

        options = build_options(job.options)
        if runs_here(load_library(options.flavor), options):
            return (Judge(str(target), "auto", ENGINE_JUDGED),)
        if job.from_model:
            return ()
        provider = ONNX.judging_provider(str(job.precision))
        return (Judge(str(scratch / _SOURCE), provider, SOURCE_JUDGED),)

    def with_figures(self, manifest: Manifest, figures: ParityFigures, judge: Judge) -> Manifest:
        """See `Format.with_figures`."""
        assert manifest.engine is not None
        return replace(manifest, parity=figures, engine=replace(manifest.engine, judged=judge.what))

    def summary(self, manifest: Manifest) -> Iterable[str]:
        """See `Format.summary`: where the engine runs, and what was judged."""
        build = manifest.engine
        assert build is not None
        yield _built_line(build, manifest.precision)

    def _profiles(self, job: Export, takes: SizePolicy) -> tuple[ProfileSizes, ...]:
        """Return the sizes to build for: those asked for, the model's own, or the default."""
        asked = tuple(one for one in job.sizes if isinstance(one, ProfileSizes))
        if asked:
            return asked
        fixed = takes.fixed
        default = parse_profile(self.sizes[0])
        return (default if fixed is None else ProfileSizes(fixed, fixed, fixed),)


def _written(one: Drawn, path: Path) -> Path:
    """Write the graph that an engine is built from as an ONNX file of its own."""
    from lama_edge.exporters.formats.onnx.file import write_source

    assert one.graph is not None
    opset = one.graph.graph.opset_imports[""]
    manifest = replace(
        one.manifest, format={"name": "onnx", "opset": opset}, size=one.part.graph_size
    )
    write_source(one.graph, manifest, path)
    return path


def _built_line(build: EngineBuild, precision: str) -> str:
    gpus = " and ".join(build.compute_capabilities)
    where = f"compute capability {gpus}" if gpus else "any GPU of compute capability 8.0 or more"
    judged = {ENGINE_JUDGED: "the engine", None: "nothing"}.get(
        build.judged, f"{build.judged}, engine not run"
    )
    return (
        f"built with {FLAVOR_TITLES[build.flavor]} {build.tensorrt_version} for {where}, "
        f"{precision}, sizes {', '.join(map(str, build.profiles))}; judged: {judged}"
    )


TENSORRT = TensorrtFormat()
