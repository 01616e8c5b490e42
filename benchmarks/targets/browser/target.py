"""A page as a target: it is served from here, opened by a person anywhere, and asked there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lama_edge.benchmarks.targets.answers import (
    Clock,
    check_same_model,
    checked_answer,
    checked_round,
    checked_sustained,
    description,
)
from lama_edge.benchmarks.targets.base import (
    Description,
    Opening,
    Target,
    TargetOptions,
    row_title,
)
from lama_edge.benchmarks.targets.browser.invitation import invite, tell
from lama_edge.benchmarks.targets.browser.session import RETURN_S, PageSession
from lama_edge.benchmarks.targets.tasks.stopwatch import Policy
from lama_edge.errors import ModelError, UsageError, parameter
from lama_edge.files import sha256_of
from lama_edge.forms import sides_of
from lama_edge.manifest import Manifest
from lama_edge.process import CrashError
from lama_edge.runtimes.base import Array
from lama_edge.runtimes.model_files import model_files
from lama_edge.runtimes.onnxruntime.parts import read_manifest_of
from lama_edge.runtimes.onnxruntime.record import ONNXRUNTIME, ONNXRUNTIME_WEB
from lama_edge.spec import Progress, Size, untold
from lama_edge.web.parts import find_ort_web
from lama_edge.web.server import PageServer

_SCHEMA_VERSION = 1
_PAGE = "bench"
# What ONNX Runtime Web takes by itself: half of the logical cores, and no more than these.
_MOST_THREADS = 4
# What the page need not compute is answered within seconds, or it hangs.
_PROMPT_S = 60.0


@dataclass(frozen=True)
class Offered:
    """A model that the page may ask for.

    Attributes:
        path: where it lies here, as the user spelled it.
        name: what the page calls it.
        url: where the page finds it.
        sha256: its hash; the page looks whether what it gets has it.
        size_bytes: its size.
        manifest: its own description, as it is read here.
    """

    path: Path
    name: str
    url: str
    sha256: str
    size_bytes: int
    manifest: Manifest


class BrowserTarget(Target):
    """See `Target`. The page is served from entering to closing, and awaited when it is needed."""

    name = "browser"
    program = "lama-edge-web"
    own_providers = ONNXRUNTIME_WEB.providers
    shows_results = True

    def __init__(self, options: TargetOptions) -> None:
        """Take what is said of the page; nothing is served before the target is entered.

        Raises:
            UsageError: when the folder of ONNX Runtime Web is none.
            MissingBackendError: when ONNX Runtime Web is not there.
        """
        self._options = options
        self._ort = find_ort_web(options.ort_web)
        self._session = PageSession()
        self._server: PageServer | None = None
        self._machine: dict[str, Any] | None = None
        self._offered: dict[Path, Offered] = {}
        self._rows: tuple[str, ...] = ()
        self._rounds: Counter[str] = Counter()
        self._awaited = False

    def __enter__(self) -> BrowserTarget:
        """Serve the page.

        Raises:
            UsageError: when the port is taken, or there is no network for ``--lan``.
            MissingBackendError: when the page was not compiled.
        """
        self._server = PageServer(
            _PAGE,
            self._ort,
            lan=self._options.lan,
            port=self._options.port,
            on_page=self._session.serve,
        )
        return self

    def check_provider(self, provider: str) -> None:
        """See `Target.check_provider`."""
        if provider not in ("auto", *self.own_providers):
            raise UsageError(
                f"a page has no provider {provider!r}: give auto, "
                f"{' or '.join(self.own_providers)}; wasm is the processor"
            )

    def announce(self, rows: Sequence[str], rounds: int) -> None:
        """See `Target.announce`: pages show it before somebody presses start."""
        self._rows = tuple(rows)
        self._session.plan(rows, rounds)

    def claim(self) -> None:
        """Wait for a page whose start was pressed; it is told to others that they come too late."""
        self._await_page()

    def show(self, results: Sequence[Mapping[str, Any]]) -> None:
        """See `Target.show`."""
        self._session.end({"done": {"rows": [dict(one) for one in results]}})

    def close(self) -> None:
        """See `Target.close`: pages are told, and the port is free."""
        server, self._server = self._server, None
        if server is not None:
            self._session.end({"ended": "the command on the computer ended"})
            server.close()

    def environment(self) -> dict[str, Any]:
        """See `Target.environment`: what the browser tells."""
        if self._machine is None:
            answer, _ = self._ask("machine", {}, timeout_s=_PROMPT_S)
            self._machine = answer["result"]["environment"]
        return dict(self._machine)

    def sensors(self) -> dict[str, Any]:
        """See `Target.sensors`: the battery, where the browser tells of it."""
        answer, _ = self._ask("machine", {}, timeout_s=_PROMPT_S)
        found: dict[str, Any] = answer["result"]["sensors"]
        return found

    def default_threads(self) -> int:
        """See `Target.default_threads`: as ONNX Runtime Web does, one where there are no more."""
        cores = int(self.environment()["cores"])
        return min(_MOST_THREADS, (cores + 1) // 2) if self._isolated() else 1

    def push(self, path: Path) -> Offered:
        """See `Target.push`: the page fetches it when it opens it."""
        assert self._server is not None
        if path not in self._offered:
            if path.suffix.lower() not in ONNXRUNTIME.suffixes:
                raise UsageError(
                    f"the page runs ONNX files, and {str(path)!r} is none: lama-edge export onnx "
                    "makes one"
                )
            if model_files(path) != [path]:
                raise UsageError(
                    f"the weights of {str(path)!r} lie in files of their own, and the page takes "
                    "a single one: export it again"
                )
            manifest = read_manifest_of(path)
            if manifest is None:
                raise ModelError(f"{str(path)!r} has no manifest: lama-edge export onnx makes one")
            hashed = sha256_of(path)
            self._offered[path] = Offered(
                path,
                self._free_name(path.resolve().name),
                self._server.add_file(path, hashed),
                hashed,
                path.stat().st_size,
                manifest,
            )
        return self._offered[path]

    def describe(self, handle: Offered, opening: Opening) -> Description:
        """See `Target.describe`."""
        clock = Clock(untold)
        answer, _ = self._asked("describe", handle, opening, [], {}, clock)
        clock.check_all(answer["result"]["load_ms"])
        return description(answer)

    def measure(
        self,
        handle: Offered,
        opening: Opening,
        image: Array,
        mask: Array,
        policy: Policy,
        step: Progress = untold,
    ) -> tuple[dict[str, Any], Array]:
        """See `Target.measure`."""
        clock = Clock(step)
        rest = {"policy": asdict(policy)}
        answer, (output,) = self._asked("measure", handle, opening, [(image, mask)], rest, clock)
        return checked_round(answer, policy, clock), output

    def memory(self, handle: Offered, opening: Opening, image: Array, mask: Array) -> int | None:
        """See `Target.memory`: of wasm's memory, which holds the model and what it computes."""
        answer, _ = self._asked("memory", handle, opening, [(image, mask)], {}, untold)
        peak: int | None = answer["result"]["peak_memory_bytes"]
        return peak

    def sustain(
        self,
        handle: Offered,
        opening: Opening,
        image: Array,
        mask: Array,
        seconds: float,
        step: Progress = untold,
    ) -> dict[str, Any]:
        """See `Target.sustain`."""
        clock, rest = Clock(step), {"seconds": seconds}
        answer, _ = self._asked("sustain", handle, opening, [(image, mask)], rest, clock)
        return checked_sustained(answer, clock)

    def sleep(self, sleeps_ms: Sequence[float]) -> dict[str, Any]:
        """See `Target.sleep`."""
        timeout_s = _PROMPT_S + sum(sleeps_ms) / 1e3
        answer, _ = self._ask("sleep", {"sleeps_ms": [*sleeps_ms]}, timeout_s=timeout_s)
        found: dict[str, Any] = answer["result"]
        return found

    def run(
        self, handle: Offered, opening: Opening, pictures: Sequence[tuple[Array, Array]]
    ) -> list[Array]:
        """See `Target.run`: all with one loading."""
        return self._asked("run", handle, opening, pictures, {}, untold)[1]

    def _asked(
        self,
        task: str,
        handle: Offered,
        opening: Opening,
        pictures: Sequence[tuple[Array, Array]],
        rest: Mapping[str, Any],
        step: Progress,
    ) -> tuple[dict[str, Any], list[Array]]:
        """Ask for what is done with a model; returns the answer, and outputs where there are any.

        Raises:
            LamaEdgeError: see `PageSession.ask`; when the answer is of another model or provider.
        """
        self.check_provider(opening.provider)
        if opening.part is not None or opening.ignore:
            raise UsageError("the page opens whole ONNX files: name one without a part")
        if (opening.threads or 1) > 1 and not self._isolated():
            raise UsageError(
                f"{parameter('threads', opening.threads)}: this browser gives the page one thread, "
                f"since it does not isolate it: leave {parameter('threads')} out, or use another "
                "browser"
            )
        spec = handle.manifest.io.output
        sizes = [Size(*sides_of(image)) for image, _ in pictures]
        shapes = [
            spec.shape(size.height, size.width, len(image))
            for size, (image, _) in zip(sizes, pictures, strict=True)
        ]
        gives = task in ("measure", "run")
        request = {
            "model": {
                "url": handle.url,
                "sha256": handle.sha256,
                "bytes": handle.size_bytes,
                "name": handle.name,
            },
            "provider": opening.provider,
            "threads": opening.threads or 0,
            **({"pictures": [asdict(size) for size in sizes]} if pictures else {}),
            **rest,
        }
        answer, values = self._ask(
            task,
            request,
            [array.tobytes() for picture in pictures for array in picture],
            [int(np.prod(shape)) * np.dtype(spec.dtype).itemsize for shape in shapes if gives],
            about=self._about(task, handle, opening, sizes),
            timeout_s=opening.timeout_s,
            step=step,
        )
        model = answer["model"]
        check_same_model(Manifest.from_json(model["manifest"]), handle.manifest)
        if model["runtime"] != ONNXRUNTIME_WEB.name or model["provider"] not in (
            self.own_providers if opening.provider == "auto" else (opening.provider,)
        ):
            raise CrashError(
                f"the page ran it in {model['runtime']} {model['provider']}, which was not asked "
                "for"
            )
        outputs = [
            np.frombuffer(value, spec.dtype).reshape(shape)
            for value, shape in zip(values, shapes, strict=False)
        ]
        return answer, outputs

    def _ask(
        self,
        task: str,
        request: Mapping[str, Any],
        frames: Sequence[bytes] = (),
        outputs: Sequence[int] = (),
        *,
        about: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
        step: Progress = untold,
    ) -> tuple[dict[str, Any], list[bytearray]]:
        """Ask the page, once one is there; returns the answer's document and outputs."""
        self._await_page()
        said, values = self._session.ask(
            {"schema_version": _SCHEMA_VERSION, "task": task, **request},
            frames,
            outputs,
            about={"row": None, "round": None, **(about or {})},
            timeout_s=timeout_s,
            step=step,
        )
        answer = checked_answer(said, ())
        if answer["task"] != task:
            raise CrashError(f"the program answered {answer['task']!r} to {task!r}")
        self.program_version, self.program_sha256 = self._session.version, self._session.sha256
        return answer, values

    def _await_page(self) -> None:
        """Wait for the first page for ever, and for one to come back for a while."""
        if not self._awaited:
            assert self._server is not None
            tells = self._options.invite or invite
            tells(self._server.address, self._server.fingerprint)
        self._session.wait(RETURN_S if self._awaited else None, tell)
        self._awaited = True

    def _isolated(self) -> bool:
        return bool(self.environment().get("browser", {}).get("isolated", False))

    def _free_name(self, name: str) -> str:
        taken = {one.name for one in self._offered.values()}
        number, free = 2, name
        while free in taken:
            free, number = f"{name} ({number})", number + 1
        return free

    def _about(
        self, task: str, handle: Offered, opening: Opening, sizes: Sequence[Size]
    ) -> dict[str, Any]:
        """Return what the page shows of a question: its row of the plan, and the round."""
        size = sizes[0] if len(sizes) == 1 else handle.manifest.size.fixed
        titles = [row_title(handle.name, provider, size) for provider in (opening.provider, "auto")]
        row = next((title for title in titles if title in self._rows), titles[0])
        if task != "measure":
            return {"row": row}
        self._rounds[row] += 1
        return {"row": row, "round": self._rounds[row]}
