"""Runs exported files in ONNX Runtime Web in Chromium, and tells which provider took which node.

A page of the tests' own, with nothing between a test and ONNX Runtime Web.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from chromium import chromium, ort_web, served
from numpy.typing import NDArray

Provider = Literal["webgpu", "wasm"]
# On the software adapter a session and its first run take half a minute on a busy machine.
LIMIT_S = 300
_PAGE = """<!doctype html><meta charset="utf-8"><title>page</title>
<script type="module">
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const text = (data) => {
  const part = (n) => String.fromCharCode(...data.subarray(n * 8192, n * 8192 + 8192));
  return btoa(Array.from({ length: Math.ceil(data.length / 8192) }, (_, n) => part(n)).join(""));
};
const answer = async ({ url, provider, threads, feeds }) => {
  const ort = await import(`/ort/ort.${provider}.min.mjs`);
  ort.env.wasm.wasmPaths = new URL("/ort/", location.href).href;
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = "verbose";
  const session = await ort.InferenceSession.create(url, {
    executionProviders: [provider], logSeverityLevel: 0,
  });
  if (!feeds) return session.release();
  const inputs = {};
  for (const [name, { type, dims, data }] of Object.entries(feeds)) {
    const raw = bytes(data);
    const values = type === "uint8" ? raw : new Float32Array(raw.buffer);
    inputs[name] = new ort.Tensor(type, values, dims);
  }
  const found = (await session.run(inputs))[session.outputNames[0]];
  const data = await found.getData();
  await session.release();
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { type: found.type, dims: [...found.dims], data: text(raw) };
};
const late = (seconds) => new Promise((_, no) => {
  setTimeout(() => no(new Error(`no answer in ${seconds} s`)), 1e3 * seconds);
});
window.run = (job) => Promise.race([answer(job), late(job.limit)]);
</script>"""
_PLACED = re.compile(
    r"odes?(?:\(s\))? placed on \[(\w+)ExecutionProvider\]\. Number of nodes: (\d+)"
)
_NODE = re.compile(r"AssignedToAnEp\]\s+(\w+) \((\S*)\)")


@dataclass(frozen=True)
class Placement:
    """Which provider took which nodes of a session's graph, as ONNX Runtime had changed it.

    Attributes:
        counts: the number of nodes by provider, such as ``WebGpu`` and ``CPU``.
        nodes: operators and names of each provider's; empty where one took all.
    """

    counts: dict[str, int]
    nodes: dict[str, list[str]]


def placement(log: list[str]) -> Placement:
    """Read the placement that ONNX Runtime logs while a session is made."""
    counts: dict[str, int] = {}
    nodes: dict[str, list[str]] = {}
    last = ""
    for line in log:
        if head := _PLACED.search(line):
            last, counts[head[1]] = head[1], int(head[2])
        elif last and (node := _NODE.search(line)):
            nodes.setdefault(last, []).append(f"{node[1]} {node[2]}")
    return Placement(counts, nodes)


class OrtPage:
    """Pages in one Chromium, a fresh one for each run.

    Attributes:
        log: what ONNX Runtime Web wrote to the console in the last run, a line an item.
    """

    def __init__(self, browser: Any, address: str, files: dict[str, Path | bytes]) -> None:
        self._browser, self._address, self._files = browser, address, files
        self.log: list[str] = []

    def open(self, model: Path, *, provider: Provider = "webgpu", threads: int = 1) -> None:
        """Make a session of a file and close it; `log` has its `placement` then.

        Raises:
            playwright.sync_api.Error: with ONNX Runtime Web's words, or after `LIMIT_S`.
        """
        self._ask(model, provider=provider, threads=threads, feeds=None)

    def run(
        self,
        model: Path,
        image: NDArray[Any],
        mask: NDArray[Any],
        *,
        provider: Provider = "webgpu",
        threads: int = 1,
    ) -> NDArray[Any]:
        """Run a file once on arrays of the form that it takes; return its output.

        Raises:
            playwright.sync_api.Error: as `open`.
        """
        feeds = {
            name: {
                "type": array.dtype.name,
                "dims": array.shape,
                "data": base64.b64encode(array.tobytes()).decode(),
            }
            for name, array in (("image", image), ("mask", mask))
        }
        found = self._ask(model, provider=provider, threads=threads, feeds=feeds)
        data = np.frombuffer(base64.b64decode(found["data"]), found["type"])
        return data.reshape(found["dims"])

    def _ask(self, model: Path, **job: Any) -> Any:
        self._files["/model.onnx"] = model
        page, self.log = self._browser.new_page(), []
        page.on("console", lambda message: self.log.extend(message.text.splitlines()))
        try:
            page.goto(self._address)
            page.wait_for_function("window.run !== undefined")
            return page.evaluate("run", {**job, "url": "/model.onnx", "limit": LIMIT_S})
        finally:
            page.close()


@contextmanager
def ort_page(*, webgpu: bool = True) -> Iterator[OrtPage]:
    """Open a Chromium for files, or skip the test where it or ONNX Runtime Web is missing."""
    files: dict[str, Path | bytes] = {"/": _PAGE.encode(), "/ort": ort_web()}
    with chromium(webgpu=webgpu) as browser, served(files) as address:
        yield OrtPage(browser, address, files)
