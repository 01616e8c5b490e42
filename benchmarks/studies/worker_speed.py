"""Workers beside one process: the tables of docs/how-to/cluster.md.

`make worker-speed` inpaints a folder of drawn pictures, of mixed sizes, by lama-tiny and a few of
them by big-lama's shape with seeded weights, each time into a fresh folder and in a process of its
own, in turns: by one process with two threads, by two workers with one thread each, and by one
worker with two threads, which is what the engine costs. It writes benchmarks/results/workers.json
and the tables. Without ``--measure`` the tables alone are written from that file, or with
``--check`` compared. Keep the machine quiet meanwhile.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from lama_edge.benchmarks.reports import figures
from lama_edge.benchmarks.studies.generated import GeneratedPage, markdown_table
from lama_edge.benchmarks.studies.peers.entries import CHECKPOINT, LAMA_EDGE_CPU
from lama_edge.benchmarks.targets.tasks.environment import environment
from lama_edge.errors import ModelError, UsageError, needs_extra
from lama_edge.models.checkpoint import EMBEDDED_NAME
from lama_edge.models.config import BIG_LAMA, FfcResnetConfig
from lama_edge.pictures.masks import make_mask
from lama_edge.pictures.scenes import make_scene
from lama_edge.process import run_isolated
from lama_edge.runtimes.batch.job import InpaintMany
from lama_edge.runtimes.batch.progress import Progress
from lama_edge.runtimes.batch.rows import Row
from lama_edge.runtimes.batch.run import inpaint_many
from lama_edge.runtimes.batch.slot import Slot
from lama_edge.runtimes.batch.work import Task
from lama_edge.runtimes.inpainting.files import InpaintFile
from lama_edge.runtimes.inpainting.folders import inpaint_folder

with needs_extra("bench"):
    import psutil

# Of a picture's sides, in pixels, drawn from the whole range.
SIDES = (256, 640)
MANY = 100_000
_SEED = 20261129
_RESULT = Path("benchmarks/results/workers.json")
_MODULE = "lama_edge.benchmarks.studies.worker_speed"


@dataclass(frozen=True)
class Way:
    """A way to inpaint a folder.

    Attributes:
        title: of its rows.
        workers: None is `inpaint_folder`, without an engine.
        threads: of each.
    """

    title: str
    workers: int | None
    threads: int

    @property
    def cores(self) -> int:
        """How many processors it keeps busy."""
        return (self.workers or 1) * self.threads


# The first one is what the others are compared with.
WAYS = {
    "folder": Way("one process, 2 threads", None, 2),
    "two-workers": Way("2 workers, 1 thread each", 2, 1),
    "one-worker": Way("1 worker, 2 threads", 1, 2),
}
_FIRST = next(iter(WAYS))


@dataclass(frozen=True)
class Case:
    """What is measured with one model.

    Attributes:
        title: of the model.
        pictures: how many.
        rounds: how often each way.
    """

    title: str
    pictures: int
    rounds: int


CASES = {"tiny": Case("lama-tiny", 200, 3), "big": Case("big-lama's shape", 12, 2)}
_WARM_UP_PICTURES = 2
_MEMORY = (
    "What a worker has resident between two pictures, after as many of its own as the brackets "
    "say; of all workers and rounds the one that grew most. `all processes` is what the run holds "
    "together at its end, shared pages once:"
)


def write_pictures(folder: Path, count: int) -> None:
    """Write seeded scenes as JPEG into `folder`/pictures, with drawn holes in `folder`/masks.

    The first ones are the same for any number of them.
    """
    pictures, masks = folder / "pictures", folder / "masks"
    for one in (pictures, masks):
        one.mkdir(parents=True)
    for number in range(count):
        rng = np.random.default_rng([_SEED, number])
        height, width = (int(side) for side in rng.integers(SIDES[0], SIDES[1] + 1, 2))
        scene, mask = make_scene(rng, height, width), make_mask(rng, height, width)
        Image.fromarray(scene).save(pictures / f"{number:04d}.jpg", quality=92)
        Image.fromarray(mask).save(masks / f"{number:04d}_mask.png")


class _Watch:
    """Notes when pictures are done, and what memory those who do them hold between two pictures.

    Args:
        asked_s: when the run was asked for, as `time.time` tells it in any process.
        early: after how many of its pictures a process is looked at, beside at the end.
    """

    def __init__(self, asked_s: float, early: int) -> None:
        self._asked_s = asked_s
        self._early = early
        self._done: Counter[int] = Counter()
        self._locked = threading.Lock()
        self._ready_s: list[float] = []
        self._done_s: list[float] = []
        self._memory: list[dict[str, int]] = []
        self._family: dict[str, int] = {}

    def ready(self, ago_s: float = 0.0) -> None:
        """Note that a first picture is begun, or was some time ago."""
        self._ready_s.append(time.time() - self._asked_s - ago_s)

    def done(self, process: int, seconds: float | None = None) -> None:
        """Note that a process did a picture, and how long that took where `ready` said nothing."""
        with self._locked:
            if seconds is not None and process not in self._done:
                self.ready(seconds)
            self._done_s.append(time.time() - self._asked_s)
            self._done[process] += 1
            if self._done[process] == self._early:
                self._look(process)

    def end(self) -> None:
        """Look at all processes, which have nothing to do any more."""
        with self._locked:
            for process in self._done:
                self._look(process)
            me = psutil.Process()
            every = [one.memory_full_info() for one in (me, *me.children(recursive=True))]
            # Pages that several processes share count once in the sum of these, on Linux.
            self._family = {
                "processes": len(every),
                "resident_bytes": sum(getattr(one, "pss", one.rss) for one in every),
            }

    def _look(self, process: int) -> None:
        found = psutil.Process(process).memory_full_info()
        self._memory.append(
            {
                "worker": list(self._done).index(process),
                "pictures": self._done[process],
                "rss_bytes": found.rss,
                "uss_bytes": found.uss,
            }
        )

    def told(self) -> dict[str, Any]:
        """Return what was noted, see `measure`."""
        return {
            "ready_s": min(self._ready_s),
            "first_s": min(self._done_s),
            "last_s": max(self._done_s),
            "seconds": time.time() - self._asked_s,
            "memory": self._memory,
            "family": self._family,
        }


def run_once(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Inpaint a folder once, the opening of the model included; see `run_isolated`.

    Args:
        payload: `model`, `pictures`, `masks` and `output` (paths), `workers` (None for
            `inpaint_folder`), `threads`, and `asked_s` and `early`, see `_Watch`.

    Returns:
        A sample, see `measure`.

    Raises:
        ModelError: when a picture failed.
    """
    watch = _Watch(payload["asked_s"], payload["early"])
    model, image, mask, output = (
        payload[name] for name in ("model", "pictures", "masks", "output")
    )
    threads, workers = payload["threads"], payload["workers"]
    failed: Mapping[Any, str]
    if workers is None:
        paths = (Path(image), Path(mask), Path(output))
        job = InpaintFile(model, *paths, provider="cpu", threads=threads)
        failed = inpaint_folder(job, _between_pictures(watch)).failed
    else:
        many = InpaintMany(
            model, image, mask, output, provider="cpu", threads=threads, workers=workers
        )

        def progress(told: Progress) -> None:
            if told.done == told.total:
                watch.end()

        with _watched_slots(watch):
            failed = inpaint_many(many, progress).failed
    if failed:
        raise ModelError("{}: {}".format(*next(iter(failed.items()))))
    return watch.told()


def _between_pictures(watch: _Watch) -> Callable[[int, int], None]:
    me = psutil.Process().pid

    def progress(done: int, total: int) -> None:
        if done == 0:
            watch.ready()
        else:
            watch.done(me)
        if done == total:
            watch.end()

    return progress


@contextmanager
def _watched_slots(watch: _Watch) -> Iterator[None]:
    """Look at each child process when it gave an answer, before it is asked again."""
    perform = Slot.perform

    def watched(self: Slot, task: Task) -> Row:
        row = perform(self, task)
        if self.process is not None:
            watch.done(self.process, row.seconds)
        return row

    Slot.perform = watched  # type: ignore[method-assign]
    try:
        yield
    finally:
        Slot.perform = perform  # type: ignore[method-assign]


def measure(
    cases: Mapping[str, Case] | None = None, *, config: FfcResnetConfig = BIG_LAMA
) -> dict[str, Any]:
    """Inpaint folders by every way, in turns.

    Args:
        cases: by name; other than of `CASES` the numbers of pictures and rounds.
        config: the architecture of the model ``big``; weights are seeded.

    Returns:
        Plain data: ``environment``, ``config``, ``sides`` (of the pictures, in pixels) and
        ``cases``. Each of those has ``title``, ``pictures``, ``differing`` (how many results of
        all runs have other bytes than the first run's) and ``ways``, which have ``title``,
        ``cores`` and ``samples``, one a round, with times since it was asked for, in seconds:
        ``ready_s``, when a first picture was begun, ``first_s`` and ``last_s``, when the first and
        last were done, and ``seconds``, when all was. ``memory`` has what each worker held between
        pictures, after the first tenth of its ``pictures`` and after all of them, and ``family``
        what all processes together held at the end.

    Raises:
        UsageError: when there is no round, or a number of pictures that cannot be.
        ModelError: when a picture failed.
    """
    cases = CASES if cases is None else cases
    for key, case in cases.items():
        if case.rounds < 1:
            raise UsageError(f"--{key}-rounds is {case.rounds}; give 1 or more")
        if case.pictures < 0:
            raise UsageError(f"--{key}-pictures is {case.pictures}; give 0 or more")
    found = {}
    with tempfile.TemporaryDirectory(prefix="lama-edge-") as name:
        folder = Path(name)
        checkpoint = folder / "checkpoint.safetensors"
        run_isolated(CHECKPOINT.task, {"config": config.to_dict(), "output": str(checkpoint)})
        write_pictures(folder / "warm", _WARM_UP_PICTURES)
        for key, case in cases.items():
            model = folder / f"{key}.onnx"
            source = str(checkpoint) if key == "big" else EMBEDDED_NAME
            any_size = {"checkpoint": source, "output": str(model), "size": None}
            run_isolated(LAMA_EDGE_CPU.task, {**any_size, "export": dict(LAMA_EDGE_CPU.export)})
            write_pictures(folder / key, case.pictures)
            found[key] = _measured(case, model, folder / key, folder / "warm")
    return {
        "environment": environment(),
        "config": config.to_dict(),
        "sides": list(SIDES),
        "cases": found,
    }


def _measured(case: Case, model: Path, folder: Path, warm: Path) -> dict[str, Any]:
    ways: dict[str, dict[str, Any]] = {
        key: {"title": way.title, "cores": way.cores, "samples": []} for key, way in WAYS.items()
    }
    expected: dict[str, str] = {}
    differing = 0
    for number in range(case.rounds + 1):
        for key, way in WAYS.items():
            inside = folder if number else warm
            output = inside / "output"
            print(f"{case.title}, {way.title}, round {number} of {case.rounds}", file=sys.stderr)
            payload = {
                "model": str(model),
                "pictures": str(inside / "pictures"),
                "masks": str(inside / "masks"),
                "output": str(output),
                "workers": way.workers,
                "threads": way.threads,
                "early": max(1, case.pictures // 10),
                "asked_s": time.time(),
            }
            sample = run_isolated(f"{_MODULE}:run_once", payload)
            if number:  # the first round fills the machine's caches of files
                ways[key]["samples"].append(sample)
                made = _hashes(output)
                expected = expected or made
                differing += sum(made[one] != expected[one] for one in expected)
            shutil.rmtree(output)
    return {
        "title": case.title,
        "pictures": case.pictures,
        "differing": differing,
        "ways": ways,
    }


def _hashes(folder: Path) -> dict[str, str]:
    return {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in folder.glob("*.jpg")}


def text(document: Mapping[str, Any]) -> str:
    """Return the figures as Markdown."""
    speed = [["model", "", "seconds", "over one process", "first picture", "pictures a second",
              "over one process", "core-seconds a picture"]]  # fmt: skip
    memory = [["model", "", "early", "at the end", "more", "all processes"]]
    for case in _cases(document):
        first = case["ways"][_FIRST]["samples"]
        for way in (case["ways"][key] for key in WAYS):
            cells, samples = [case["title"], way["title"]], way["samples"]
            rates = [_rate(case, one) for one in samples]
            wholes = _ratios(samples, first, lambda one: one["seconds"])
            steady = _ratios(samples, first, partial(_rate, case))
            speed.append(
                [
                    *cells,
                    _spread([one["seconds"] for one in samples], " s"),
                    _spread(wholes, "×", ".3f"),
                    _spread([one["first_s"] for one in samples], " s"),
                    _spread(rates),
                    _spread(steady, "×", ".3f"),
                    figures.digits(_core_seconds(case, way)),
                ]
            )
            memory.append([*cells, *_memory(samples)])
    return "\n\n".join(
        [_source(document), markdown_table(speed, left=2), _costs(document), _MEMORY,
         markdown_table(memory, left=2)]
    )  # fmt: skip


def _cases(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what was measured in the order of `CASES`: JSON keeps no order."""
    return [document["cases"][key] for key in CASES if key in document["cases"]]


def _rate(case: Mapping[str, Any], sample: Mapping[str, Any]) -> float:
    """Return the pictures a second from when a first one was begun."""
    return float(case["pictures"] / (sample["last_s"] - sample["ready_s"]))


def _core_seconds(case: Mapping[str, Any], way: Mapping[str, Any]) -> float:
    return float(way["cores"] / median(_rate(case, one) for one in way["samples"]))


def _ratios(
    samples: Sequence[Mapping[str, Any]],
    first: Sequence[Mapping[str, Any]],
    value: Callable[[Mapping[str, Any]], float],
) -> list[float]:
    """Compare each round with what the first way took in the same round."""
    return [value(one) / value(other) for one, other in zip(samples, first, strict=True)]


def _spread(values: Sequence[float], unit: str = "", form: str = "") -> str:
    def spell(value: float) -> str:
        return f"{value:{form}}" if form else figures.digits(value)

    if len(values) == 1:
        return f"{spell(values[0])}{unit}"
    return f"{spell(median(values))}{unit} ({spell(min(values))} to {spell(max(values))})"


def _memory(samples: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the cells of the worker that grew most in any round, and of all processes."""
    pairs = []
    for sample in samples:
        of: dict[int, list[Mapping[str, int]]] = {}
        for one in sample["memory"]:
            of.setdefault(one["worker"], []).append(one)
        pairs += [(some[0], some[-1]) for some in of.values()]
    early, late = max(pairs, key=lambda pair: pair[1]["rss_bytes"] / pair[0]["rss_bytes"])
    more = late["rss_bytes"] / early["rss_bytes"] - 1
    spelled = [f"{figures.memory(one['rss_bytes'])} ({one['pictures']})" for one in (early, late)]
    together = max(sample["family"]["resident_bytes"] for sample in samples)
    return [*spelled, f"{100 * more:+.1f} %", figures.memory(together)]


def _source(document: Mapping[str, Any]) -> str:
    low, high = document["sides"]
    where, config = document["environment"], document["config"]
    counts = " and ".join(
        f"{case['pictures']} of them by {case['title']} in "
        f"{figures.count(len(case['ways'][_FIRST]['samples']), 'round')}"
        for case in _cases(document)
    )
    differing = sum(case["differing"] for case in _cases(document))
    same = "the same bytes" if differing == 0 else f"the same bytes but for {differing} of them"
    return (
        f"Drawn scenes with drawn holes, JPEG, sides from {low} to {high} pixels, {counts}; every "
        "way in turns, each in a process of its own and into a fresh folder. Medians, least and "
        f"most in brackets. All ways made {same}. Models are `--for cpu`, fp32; big-lama's shape "
        f"has {config['n_blocks']} blocks and ngf {config['ngf']}, with seeded weights. "
        f"{where['chip']} ({where['cores']} cores), onnxruntime "
        f"{where['packages']['onnxruntime']}. Made by `make worker-speed`; data in "
        f"{_RESULT.as_posix()}."
    )


def _costs(document: Mapping[str, Any]) -> str:
    costs = []
    for case in _cases(document):
        hours = _core_seconds(case, case["ways"]["two-workers"]) * MANY / 3600
        costs.append(f"{figures.digits(hours)} core-hours with {case['title']}")
    return (
        "`first picture` is from the command's start until it is done. Pictures a second and "
        "core-seconds count from when the first one is begun, so without that start. "
        f"{MANY // 1000} 000 pictures of these sizes, by workers with one thread, are "
        f"{' and '.join(costs)} on this machine."
    )


PAGE = GeneratedPage(
    _MODULE, __doc__, "worker-speed", _RESULT, Path("docs/how-to/cluster.md"), text
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or check it; with ``--measure`` write the result first."""
    parser = PAGE.parser(measures=True)
    add = parser.add_argument
    for key, case in CASES.items():
        add(f"--{key}-pictures", type=int, default=case.pictures, help="0 leaves the model out")
        add(f"--{key}-rounds", type=int, default=case.rounds, help="of each way, in turns")
    options = parser.parse_args(arguments)
    words = vars(options)
    cases = {
        key: Case(case.title, words[f"{key}_pictures"], words[f"{key}_rounds"])
        for key, case in CASES.items()
        if words[f"{key}_pictures"]
    }
    return PAGE.run(options, lambda: measure(cases))


if __name__ == "__main__":
    sys.exit(main())
