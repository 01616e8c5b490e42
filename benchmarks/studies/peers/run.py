"""Prepares the entries, then measures them in rounds that interleave them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import lama_edge
from lama_edge.benchmarks.documents.store import PEERS, check_document
from lama_edge.benchmarks.studies.peers.document import SECTIONS, Row, document
from lama_edge.benchmarks.studies.peers.entries import (
    CHECKPOINT,
    LAMA_EDGE_CPU,
    LIMIT,
    OURS,
    REFERENCE,
    Artifact,
    Peer,
    chosen,
)
from lama_edge.benchmarks.targets.tasks.environment import anonymous, environment
from lama_edge.benchmarks.targets.tasks.stopwatch import Policy
from lama_edge.errors import LamaEdgeError, UsageError, one_line
from lama_edge.models.config import BIG_LAMA, FfcResnetConfig
from lama_edge.process import run_isolated
from lama_edge.spec import Progress, Size, untold

SIZE = Size(512, 512)
# What a folder that is kept says of its files.
_STAMP = "made-by.json"
GROWTH_SIZES = (Size(512, 512), Size(1024, 1024), Size(2048, 2048))
DYNAMIC_SIZES = (Size(512, 512), Size(1024, 1024))


@dataclass(frozen=True)
class Sampling:
    """How often and how long each row of a section is measured.

    Attributes:
        rounds: how often, every time in a fresh process.
        policy: how long each time.
    """

    rounds: int
    policy: Policy

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise UsageError(f"rounds is {self.rounds}; give 1 or more")

    def to_dict(self) -> dict[str, Any]:
        """Return it as the document has it."""
        return {"rounds": self.rounds, **asdict(self.policy)}


# TorchScript is still compiling in its second run.
ENTRY_SAMPLING = Sampling(5, Policy(3, 200.0, 2, 0.0))
# A run at 2048x2048 takes half a minute, one at 512x512 a second and a half.
SECTION_SAMPLING = Sampling(2, Policy(1, 0.0, 1, 10.0))
# Each convolution of the limit.
LIMIT_POLICY = Policy(3, 50.0, 10, 0.7)


@dataclass(frozen=True)
class PeersJob:
    """What `run_peers` shall measure, and how.

    Attributes:
        config: the architecture; weights are seeded.
        size: of the picture that the entries are measured at.
        threads: processor threads of every entry.
        entries: names from `entries.PEERS`; None is all.
        growth: sizes at which lama-edge's time per pixel is measured, fixed-size graphs.
        dynamic: sizes at which the graph of any size is measured beside the fixed one.
        sampling: of the entries.
        section_sampling: of growth and dynamic.
        limit_policy: of each convolution of the limit.
        files: an empty folder that keeps the files, or one with those of an earlier job of the
            same architecture, packages and code, which are not made again; None is one that goes.
        timeout_s: how long one process may take, in seconds; None is for ever.
    """

    config: FfcResnetConfig = BIG_LAMA
    size: Size = SIZE
    threads: int = 2
    entries: tuple[str, ...] | None = None
    growth: tuple[Size, ...] = ()
    dynamic: tuple[Size, ...] = ()
    sampling: Sampling = ENTRY_SAMPLING
    section_sampling: Sampling = SECTION_SAMPLING
    limit_policy: Policy = LIMIT_POLICY
    files: Path | None = None
    timeout_s: float | None = None

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise UsageError(f"threads is {self.threads}; give 1 or more")
        multiple = self.config.size_multiple
        for size in (self.size, *self.growth, *self.dynamic):
            if (
                size.height % multiple
                or size.width % multiple
                or min(size.height, size.width) < self.config.min_size
            ):
                raise UsageError(
                    f"the size {size} cannot be measured: sides are multiples of {multiple}, "
                    f"{self.config.min_size} or more"
                )


def run_peers(job: PeersJob, progress: Progress = untold) -> dict[str, Any]:
    """Measure the entries, and lama-edge's growth and dynamic graph where asked for.

    An entry that cannot be prepared or run, or whose process dies, is a row with an `error`, and
    the others go on.

    Args:
        job: what to do.
        progress: called with what is done next.

    Returns:
        Plain data as ``schema/peers-1.schema.json`` describes it.

    Raises:
        UsageError: when an entry is unknown.
        LamaEdgeError: when the seeded checkpoint or its reference cannot be made.
    """
    with _prepared(job, progress) as (rows, absent):
        for section in SECTIONS:
            sampling = job.sampling if section == "entries" else job.section_sampling
            _measure(rows[section], sampling.rounds, job.timeout_s, progress)
        settings = {
            "config": job.config.to_dict(),
            "size": str(job.size),
            "threads": job.threads,
            "entries": job.sampling.to_dict(),
            "sections": job.section_sampling.to_dict(),
            "limit": asdict(job.limit_policy),
        }
        left_out = [{"name": name, "needs": module} for name, module in absent.items()]
        return check_document(document(settings, rows, left_out), PEERS)


def prepare_peers(job: PeersJob, progress: Progress = untold) -> dict[str, str]:
    """Make the files that `run_peers` measures, in `job.files`, and measure nothing.

    Returns:
        Why a file could not be made, by its row's name.

    Raises:
        UsageError, LamaEdgeError: as `run_peers` does.
    """
    with _prepared(job, progress) as (rows, _):
        return {row.name: row.error for each in rows.values() for row in each if row.error}


@contextlib.contextmanager
def _prepared(
    job: PeersJob, progress: Progress
) -> Iterator[tuple[dict[str, list[Row]], dict[str, str]]]:
    """Give the rows of each section, whose files are there, and what those left out want."""
    peers, absent = chosen(job.entries)
    for name, module in absent.items():
        progress(f"left out: {name}, {module} is not installed")
    with tempfile.TemporaryDirectory(prefix="lama-edge-") as folder:
        if job.files is not None:
            _check_kept(job.files, job)
        files = _Files(job.files or Path(folder), job, progress)
        rows = {
            "entries": [_entry_row(job, files, peer) for peer in peers],
            "growth": [_ours_row(job, files, size) for size in job.growth],
            "dynamic": [
                _ours_row(job, files, size, dynamic=dynamic)
                for size in job.dynamic
                for dynamic in (False, True)
            ],
        }
        yield rows, absent


@dataclass
class _Files:
    """The files that are measured, each made once, in a process of its own."""

    folder: Path
    job: PeersJob
    progress: Progress
    _failed: dict[Path, LamaEdgeError] = field(default_factory=dict)

    def path_of(self, artifact: Artifact, size: Size, *, dynamic: bool = False) -> Path:
        """Return where an artifact lies, made now if it is not there yet.

        Args:
            artifact: what to make.
            size: of the picture.
            dynamic: whether it shall take any size.

        Raises:
            LamaEdgeError: when it cannot be made; asked again, the same error again.
        """
        path = self.folder / f"{'dynamic' if dynamic else size}-{artifact.file}"
        if path in self._failed:
            raise self._failed[path]
        if not path.exists():
            checkpoint = path if artifact == CHECKPOINT else self.path_of(CHECKPOINT, self.job.size)
            self.progress(f"preparing {path.name}")
            # Nobody takes a file that is half written for one that is there.
            making = Path(tempfile.mkdtemp(prefix="making-", dir=self.folder))
            made = making / path.name
            payload = {
                "config": self.job.config.to_dict(),
                "checkpoint": str(made if artifact == CHECKPOINT else checkpoint),
                "output": str(made),
                "size": None if dynamic else [size.height, size.width],
                "threads": self.job.threads,
                "export": dict(artifact.export),
            }
            try:
                run_isolated(artifact.task, payload, timeout_s=self.job.timeout_s)
            except LamaEdgeError as error:
                self._failed[path] = error
                raise
            else:
                for file in sorted(making.iterdir(), key=lambda file: file == made):
                    file.replace(self.folder / file.name)
            finally:
                shutil.rmtree(making, ignore_errors=True)
        return path


def _check_kept(folder: Path, job: PeersJob) -> None:
    """See to it that what lies in a folder was made as this job would make it.

    Raises:
        UsageError: when it was not, or nobody knows.
    """
    digest = hashlib.sha256()
    # In a clone the folders are links, which are not followed below the first.
    for room in ("exporters", "models"):
        root = (Path(lama_edge.__path__[0]) / room).resolve()
        for file in sorted(root.rglob("*.py")):
            digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes())
    found = environment()
    stamp = {
        "config": job.config.to_dict(),
        "packages": found["packages"],
        "sources_sha256": digest.hexdigest(),
    }
    text = json.dumps(stamp, indent=1, sort_keys=True)
    about = folder / _STAMP
    if not any(folder.iterdir()):
        about.write_text(text, encoding="utf-8")
    elif not about.is_file() or about.read_text(encoding="utf-8") != text:
        raise UsageError(
            f"{str(folder)!r} has files of another architecture, of other packages or of other "
            "code: name an empty folder"
        )


def _measure(rows: Sequence[Row], rounds: int, timeout_s: float | None, progress: Progress) -> None:
    """Measure every row in every round, A B A B, so that a machine that changes changes for all."""
    for number in range(1, rounds + 1):
        for row in rows:
            if row.error is not None:
                continue
            progress(f"{row.name}, round {number} of {rounds}")
            try:
                row.rounds.append(run_isolated(row.task, row.payload, timeout_s=timeout_s))
            except LamaEdgeError as error:
                row.error = _spelled(error)
                progress(f"{row.name} failed: {row.error}")


def _row(
    job: PeersJob,
    files: _Files,
    peer: Peer,
    size: Size,
    policy: Policy,
    *,
    dynamic: bool = False,
    reference: Path | None = None,
) -> Row:
    payload = {
        "config": job.config.to_dict(),
        "runtime": peer.runtime,
        "precision": peer.precision,
        "size": [size.height, size.width],
        "threads": job.threads,
        "policy": asdict(policy),
        "reference": None if reference is None else str(reference),
    }
    row = Row(peer.name, peer.description, size, peer.task, payload, peer.precision)
    if peer.artifact is not None:
        try:
            row.file = files.path_of(peer.artifact, size, dynamic=dynamic)
        except LamaEdgeError as error:
            row.error = _spelled(error)
        payload["model"] = str(row.file)
    return row


def _entry_row(job: PeersJob, files: _Files, peer: Peer) -> Row:
    if peer.name == LIMIT:
        return _row(job, files, peer, job.size, job.limit_policy)
    reference = files.path_of(REFERENCE, job.size)
    return _row(job, files, peer, job.size, job.sampling.policy, reference=reference)


def _ours_row(job: PeersJob, files: _Files, size: Size, *, dynamic: bool = False) -> Row:
    kind, what = ("dynamic", "any") if dynamic else ("fixed", "this")
    peer = Peer(f"{OURS}-{kind}-{size}", f"the graph of {what} size", "lama-edge", LAMA_EDGE_CPU)
    return _row(job, files, peer, size, job.section_sampling.policy, dynamic=dynamic)


def _spelled(error: LamaEdgeError) -> str:
    return anonymous(one_line(error))
