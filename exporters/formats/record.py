"""What an export format is: a record of what differs between formats; the flow does the rest.

The record is light to import, since the command line is made from it; what it does is imported
where it is done.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

import lama_edge
from lama_edge.engines import ProfileSizes
from lama_edge.errors import UsageError, flag_of, needs_extra, parameter
from lama_edge.files import ArtifactKind, join_part, weights_beside
from lama_edge.manifest import Manifest, ParityFigures
from lama_edge.spec import FREE, IoForm, IoSpec, Precision, Size, SizePolicy, io_spec, parse_size

if TYPE_CHECKING:
    import onnx_ir as ir
    from numpy.typing import NDArray

    from lama_edge.exporters.graph.deploy_graph import GraphOptions
    from lama_edge.exporters.precision.build import PreciseGraph
    from lama_edge.judging.ranges import Ranges
    from lama_edge.models.config import GeneratorConfig

# What an export is for that names no size, in the words of help and pages; a format says by its
# `sizes` which of the two it is.
SIZE_RULE = "any size where the format's runtimes take it well, else 512 x 512"
ANY_SIZE, ONE_SIZE = (FREE,), ("512",)

# One size, any size, or a range of sizes.
SizeChoice = Size | ProfileSizes | None
# Called within a step with what is being done, and how much of the step is done, 0 to 1.
Within = Callable[[str, float], None]


@dataclass(frozen=True)
class Option:
    """An option of one format's own, as the command line and Python's callers give it.

    Attributes:
        name: its key in a job's `options`, such as ``compute_capability``; in Python a keyword
            argument, with an underscore after it where that is a word of the language.
        help: what it does.
        default: what it is when nobody said; a flag without a value is ``False`` then.
        choices: the values that it may have; empty is any.
        parse: makes a value of the command line's word.
        metavar: what stands for the word in the help.
        repeats: whether it may be given several times; its value is a tuple then.
    """

    name: str
    help: str
    default: Any = None
    choices: tuple[Any, ...] = ()
    parse: Callable[[str], Any] = str
    metavar: str | None = None
    repeats: bool = False

    @property
    def flag(self) -> str:
        """The command line's spelling."""
        return flag_of(self.name)


@dataclass(frozen=True)
class Retired:
    """An option's old spelling, which works with a warning.

    Attributes:
        flag: the old spelling.
        instead: what to write now.
        values: what each of its values stands for, as a job's `options`.
    """

    flag: str
    instead: str
    values: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Export:
    """What an export shall do.

    Attributes:
        format: the name of a registered format.
        source: a checkpoint's path or name, with ``#NAME`` for one generator of several, or a
            model of a format that this one `takes`; None is the embedded lama-tiny.
        output: the artifact to write.
        sizes: what it is made for, see the format; empty is the format's default.
        precision: one of the format's; None is its default.
        io: form of the inputs and the output, one of the format's; None is its first.
        composite: whether known pixels come back unchanged; otherwise the raw fill.
        calibrate: a folder of pictures to measure ranges on; None draws some.
        options: the format's own, by `Option.name`; those left out have their defaults.
        overwrite: whether an existing artifact may be replaced.
        check_parity: whether to judge the artifact before it is kept.
        keep_failed: whether to keep one that is out of tolerance; its manifest says so.
        ignore: parts and tensors of the checkpoint to leave out, see `load_checkpoint`.
    """

    format: str
    source: str | Path | None
    output: Path
    sizes: tuple[SizeChoice, ...] = ()
    precision: str | None = None
    io: IoForm | None = None
    composite: bool = True
    calibrate: Path | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    overwrite: bool = False
    check_parity: bool = True
    keep_failed: bool = False
    ignore: tuple[str, ...] = ()

    @property
    def from_model(self) -> bool:
        """Whether the source is a model and no checkpoint."""
        taken = format_named(self.format).takes
        return self.source is not None and Path(self.source).suffix.lower() in taken


@dataclass(frozen=True)
class Part:
    """A model in an artifact: the only one, or one of several.

    Attributes:
        size: the sizes that its manifest promises.
        graph_size: the sizes that its deploy graph takes.
        judged_at: the sizes to judge it at; empty leaves it to its size policy.
        name: what it is called in an artifact of several; None in one of one.
    """

    size: SizePolicy
    graph_size: SizePolicy
    judged_at: tuple[Size, ...] = ()
    name: str | None = None


@dataclass(frozen=True)
class Drawn:
    """A part's deploy graph at its precision, or the model that takes its place.

    Attributes:
        part: the part.
        manifest: what it says of itself, without figures.
        graph: the graph; None where the artifact is made from a model.
        model: that model's file; None where it is made from a checkpoint.
    """

    part: Part
    manifest: Manifest
    graph: ir.Model | None
    model: Path | None = None


@dataclass(frozen=True)
class Judge:
    """What to open for a part to be judged.

    Attributes:
        model: path of the artifact, or of what stands for it, with the part.
        provider: see `lama_edge.runtimes.base.open_runner`.
        what: what figures are about, such as ``engine``; empty where it is the artifact itself.
    """

    model: str
    provider: str
    what: str = ""


class Format(ABC):
    """A format: what it is called, what it may be, and how a deploy graph becomes one.

    Attributes:
        name: of the command and in manifests.
        title: what it is, for the list of formats.
        about: what the command does, for its help.
        suffix: of its artifacts.
        extra: the optional dependencies that exporting needs.
        kind: whether an artifact is a file, a folder, or a file and its manifest or its weights
            beside it.
        io_forms: the first is the default.
        batch: how many pictures a run takes; None is any.
        precisions: in the order in which `tradeoff` weighs them.
        precision: the default one.
        precision_help: what the precisions mean.
        sizes: the default sizes, as words of the command line: `ANY_SIZE` or `ONE_SIZE`.
        size_help: which sizes may be given, and the default.
        options: those that no other format has.
        retired: old spellings of its options.
        takes: suffixes of models that an artifact can be made from without their checkpoint.
        contents: of a folder, a file in it by which it is known.
        max_side: largest side that an artifact of any size takes, in pixels; None is any.
        timing_provider: the provider that `tradeoff` times it with.
        timing_options: options of the exports that it times there.
        timing_notes: by precision, why its time there says nothing of devices that compute in it.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    about: ClassVar[str]
    suffix: ClassVar[str]
    extra: ClassVar[str]
    kind: ClassVar[ArtifactKind] = "file"
    io_forms: ClassVar[tuple[IoForm, ...]]
    batch: ClassVar[int | None] = None
    precisions: ClassVar[tuple[str, ...]]
    precision: ClassVar[str]
    precision_help: ClassVar[str]
    sizes: ClassVar[tuple[str, ...]]
    size_help: ClassVar[str]
    options: ClassVar[tuple[Option, ...]] = ()
    retired: ClassVar[tuple[Retired, ...]] = ()
    takes: ClassVar[tuple[str, ...]] = ()
    contents: ClassVar[str] = ""
    max_side: ClassVar[int | None] = None
    timing_provider: ClassVar[str] = "auto"
    timing_options: ClassVar[Mapping[str, Any]] = {}
    timing_notes: ClassVar[Mapping[str, str]] = {}

    def default_sizes(self, options: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the sizes of an export that names none, by the format's own options."""
        return self.sizes

    def parse_size(self, word: str) -> SizeChoice:
        """Read a ``--size`` word.

        Raises:
            UsageError: when it is none.
        """
        return parse_size(word)

    def advice(self) -> dict[str, str]:
        """Return, by precision, what to do where it is out of tolerance.

        A method, because messages are spelled when somebody reads them.
        """
        remedy = parameter("precision", "fp32")
        return {"fp16": f"see where with: lama-edge ranges CHECKPOINT; or use {remedy}"}

    def arithmetic(self, precision: str) -> Precision:
        """Return the number format that the deploy graph is made in."""
        return cast(Precision, precision)

    def check(self, job: Export) -> None:  # noqa: B027
        """Refuse what cannot work before any long work is done; the job has no gaps any more.

        Raises:
            UsageError: when options cannot be used together.
            MissingBackendError: when what writes the format is not installed.
        """

    def check_model(self, job: Export, manifest: Manifest) -> None:  # noqa: B027
        """Refuse a model that no artifact can be made from.

        Raises:
            UsageError: saying why.
        """

    def parts(self, job: Export, takes: SizePolicy) -> list[Part]:
        """Return the models of the artifact: one of one size, or of any.

        Args:
            job: what is asked for.
            takes: the sizes that the source takes.

        Raises:
            UsageError: when it does not take those asked for.
        """
        if len(job.sizes) > 1:
            raise UsageError(
                f"{self.title} holds one size and {len(job.sizes)} were given: export one a size"
            )
        size = self.policy(takes, job.sizes[0])
        return [Part(size, size)]

    def policy(self, takes: SizePolicy, size: SizeChoice) -> SizePolicy:
        """Return the sizes of a part that is made for one size, or for any."""
        assert not isinstance(size, ProfileSizes)
        return replace(takes, fixed=size, max_side=self.max_side if size is None else None)

    def calibrated_at(self, part: Part, job: Export) -> SizePolicy:
        """Return the sizes that ranges are measured at, by the first part."""
        return part.graph_size

    def contract(self, job: Export) -> IoSpec:
        """Return what goes in and comes out, once the format's defaults have been filled in."""
        assert job.io is not None
        return io_spec(job.io, composite=job.composite, batch=self.batch)

    def graph_options(self, job: Export, config: GeneratorConfig, part: Part) -> GraphOptions:
        """Return how a part's deploy graph is shaped."""
        from lama_edge.exporters.graph.deploy_graph import GraphOptions

        return GraphOptions(io=self.contract(job), size=part.graph_size)

    def graphs(
        self,
        job: Export,
        config: GeneratorConfig,
        tensors: Mapping[str, NDArray[Any]],
        parts: Iterable[Part],
        ranges: Ranges | None,
    ) -> Iterator[PreciseGraph]:
        """Give each part's deploy graph at the job's precision, one in memory at a time.

        Raises:
            UsageError: when precision, options and architecture do not go together.
        """
        build, precision = self.builder(), cast(Precision, job.precision)
        for part in parts:
            yield build(precision, config, tensors, self.graph_options(job, config, part), ranges)

    def builder(self) -> Callable[..., PreciseGraph]:
        """Return what builds one graph, with the arguments of `precision.build.build_at`."""
        from lama_edge.exporters.precision.build import build_at

        return build_at

    def described(self, job: Export, config: GeneratorConfig) -> dict[str, str | int]:
        """Return a manifest's ``format``: the name, and what else a reader wants to know."""
        return {"name": self.name}

    @abstractmethod
    def tools(self) -> dict[str, str]:
        """Return the versions of the packages that shape the artifact.

        Raises:
            MissingBackendError: when one is not installed.
        """

    @abstractmethod
    def write(
        self, job: Export, drawn: Iterator[Drawn], target: Path, scratch: Path, within: Within
    ) -> list[Manifest]:
        """Write the artifact with the parts' manifests.

        Args:
            job: what is asked for.
            drawn: each part's graph; taking the next one may free the one before.
            target: where to write.
            scratch: a folder that goes at the end.
            within: called with what is being done.

        Returns:
            The manifests, with what only the writing told.
        """

    @abstractmethod
    def stamp(self, manifests: list[Manifest], target: Path) -> None:
        """Put the parts' manifests into an artifact that was written, in place of those there."""

    def judging_provider(self, precision: str) -> str:
        """Return the provider that judges an artifact of a precision."""
        return "auto"

    def judges(self, job: Export, part: Part, target: Path, scratch: Path) -> tuple[Judge, ...]:
        """Return what to open for a part to be judged.

        All must be within their tolerances, and the first one's figures are the manifest's; none
        keeps those of the source.
        """
        model = join_part(target, part.name) if part.name else str(target)
        return (Judge(model, self.judging_provider(str(job.precision))),)

    def judges_of_rounded(self, job: Export, graph: Path, target: Path) -> tuple[Judge, ...]:
        """Return judges for an artifact whose runtime may compute fp16 wide, and prove nothing.

        Args:
            job: what is asked for.
            graph: the ONNX file of the graph that the artifact is made of, in fp16 where the
                arithmetic is: then the emulator judges it first.
            target: the artifact.
        """
        artifact = Judge(str(target), "cpu")
        if self.arithmetic(str(job.precision)) != "fp16":
            return (artifact,)
        return Judge(str(graph), "emulated"), artifact

    def with_figures(self, manifest: Manifest, figures: ParityFigures, judge: Judge) -> Manifest:
        """Return a manifest that carries the figures."""
        return replace(manifest, parity=figures)

    def summary(self, manifest: Manifest) -> Iterable[str]:
        """Give lines that the command prints beside what every export prints."""
        return ()

    def size_bytes(self, target: Path) -> int:
        """Return an artifact's size."""
        if target.is_dir():
            return sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
        files = (target, weights_beside(target)) if self.kind == "split" else (target,)
        return sum(path.stat().st_size for path in files)


def versions_of(extra: str, *packages: str) -> dict[str, str]:
    """Return the versions of lama-edge and of packages that an extra installs, for `Format.tools`.

    Raises:
        MissingBackendError: when one is not installed.
    """
    with needs_extra(extra):
        return {"lama-edge": lama_edge.__version__, **{name: version(name) for name in packages}}


# One line a format: where its record stands.
FORMATS = [
    "lama_edge.exporters.formats.onnx:ONNX",
    "lama_edge.exporters.formats.coreml:COREML",
    "lama_edge.exporters.formats.litert:LITERT",
    "lama_edge.exporters.formats.tensorrt:TENSORRT",
    "lama_edge.exporters.formats.executorch:EXECUTORCH",
    "lama_edge.exporters.formats.openvino:OPENVINO",
    "lama_edge.exporters.formats.ncnn:NCNN",
    "lama_edge.exporters.formats.mnn:MNN",
]


def formats() -> list[Format]:
    """Return the records of all formats, in the order in which they are registered."""
    found = (place.partition(":") for place in FORMATS)
    return [getattr(import_module(module), name) for module, _, name in found]


def format_named(name: str) -> Format:
    """Return a format's record.

    Raises:
        UsageError: when there is none of that name.
    """
    for one in formats():
        if one.name == name:
            return one
    known = ", ".join(one.name for one in formats())
    raise UsageError(f"there is no export format {name!r}; choose one of: {known}")
