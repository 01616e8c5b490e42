"""What the server and the bench page say to each other, and what else a page may not say."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from fake_page import ENVIRONMENT, Page, Visitors, computed, give, honest, site
from measuring import SHORT
from same_process import without_processes

from lama_edge.benchmarks.bench.run import Bench, BenchResult, run_bench
from lama_edge.benchmarks.parity.check import ParityCheck, check_parity
from lama_edge.benchmarks.targets.base import Opening, Target
from lama_edge.benchmarks.targets.browser import session
from lama_edge.benchmarks.targets.browser import target as module
from lama_edge.benchmarks.targets.registry import open_target
from lama_edge.errors import LamaEdgeError, MissingBackendError, ModelError, UsageError
from lama_edge.process import CrashError
from lama_edge.spec import Size
from lama_edge.web import server

QUICK: dict[str, Any] = {"rounds": 2, "min_runs": 2, "min_seconds": 0.0, "min_warmup_ms": 0.0}
WASM = Opening("wasm", threads=1, timeout_s=20)
SOON_S = 10.0
Spoil = Callable[[Page, dict[str, Any], dict[str, Any], list[bytes]], Awaitable[None]]


@pytest.fixture
def visitors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Visitors]:
    """Nothing is left of the server or a page afterwards."""
    without_processes(monkeypatch)
    with site(tmp_path / "site", monkeypatch) as ort:
        found = Visitors(ort, monkeypatch)
        yield found
        for page in found.pages:
            page.wait()
    assert "pages" not in {thread.name for thread in threading.enumerate()}
    if found.address:
        with socket.socket() as port, pytest.raises(ConnectionRefusedError):
            port.connect(("127.0.0.1", urlsplit(found.address).port))


@pytest.fixture(scope="module")
def model(exported: Callable[..., Path]) -> Path:
    return exported("fourier", Size(64, 96))


def target(visitors: Visitors) -> Target:
    return open_target("browser", visitors.options)


def benched(visitors: Visitors, golden: Path, *models: Path, **how: Any) -> BenchResult:
    job = Bench(models, "browser", visitors.options, reference=str(golden), **{**QUICK, **how})
    return run_bench(job)


def picture() -> tuple[np.ndarray, np.ndarray]:
    mask = np.zeros((1, 1, 64, 96), np.float32)
    mask[:, :, 20:40, 30:70] = 1
    return np.random.default_rng(7).random((1, 3, 64, 96), np.float32), mask


def spoiling(task: str, spoil: Spoil) -> Callable[..., Awaitable[None]]:
    async def behave(page: Page, message: dict[str, Any], frames: list[bytes]) -> None:
        if message["request"]["task"] == task:
            document, outputs = await computed(page, message, frames)
            await spoil(page, message, document, outputs)
        else:
            await honest(page, message, frames)

    return behave


def test_rows_of_a_page_are_measured_judged_and_shown_on_it(
    visitors: Visitors, model: Path, exported: Callable[..., Path], golden_folder: Path
) -> None:
    uint8 = exported("fourier", None, io="uint8")
    models = (model, model, uint8)
    result = benched(
        visitors, golden_folder, *models, sizes=(Size(64, 64),), sustained_s=0.1,
        providers=("webgpu", "wasm", "auto"),
    )  # fmt: skip
    assert result.exit_code == 0
    document = result.document
    assert document["environment"] == ENVIRONMENT
    runs = document["runs"]
    assert [run["provider"] for run in runs] == ["webgpu", "wasm", "wasm"]
    assert {run["runtime"] for run in runs} == {"onnxruntime-web 1.30.0"}
    assert {run["target"] for run in runs} == {"browser"}
    assert runs[0]["program"] == {
        "name": "lama-edge-web", "version": "9.8.7", "sha256": "a" * 64,
    }  # fmt: skip
    # Half of two cores, as ONNX Runtime Web takes by itself.
    assert {run["threads"] for run in runs} == {1}
    assert all(run["parity"]["passed"] and len(run["rounds"]) == 2 for run in runs)
    assert all(run["sustained"]["samples_ms"] for run in runs)

    (page,) = visitors.pages
    page.wait()
    rows = [
        f"{model.name} · webgpu · 64x96",
        f"{model.name} · wasm · 64x96",
        f"{uint8.name} · 64x64",
    ]
    assert page.plan["plan"]["rows"] == rows
    assert page.plan["plan"]["rounds"] == 2
    measured = [
        (message["row"], message["round"])
        for message in page.asked
        if message["request"]["task"] == "measure"
    ]
    assert measured == [(row, number) for number in (1, 2) for row in rows]
    assert [message["id"] for message in page.asked] == [*range(1, len(page.asked) + 1)]
    (done,) = page.said
    assert [(one["row"], one["parity"], one["error"]) for one in done["done"]["rows"]] == [
        (row, "passed", None) for row in rows
    ]
    assert page.closed == 1000


def test_a_wrong_fill_is_told_to_the_page_and_gives_1(
    visitors: Visitors, model: Path, golden_folder: Path
) -> None:
    async def spoil(page: Page, message: Any, document: Any, outputs: list[bytes]) -> None:
        found = np.frombuffer(outputs[0], np.float32)
        await give(page, message, document, [(1 - found).tobytes()])

    visitors.behaviours = [spoiling("measure", spoil)]
    result = benched(visitors, golden_folder, model)
    assert result.exit_code == 1
    (shown,) = visitors.pages[0].wait().said[0]["done"]["rows"]
    assert shown["parity"] == "failed"


def test_python_beside_the_page_takes_turns_with_it_once_for_each_model(
    visitors: Visitors, model: Path, golden_folder: Path
) -> None:
    result = benched(
        visitors, golden_folder, model, model, providers=("webgpu", "wasm"), with_python=True
    )
    runs = [(run["program"]["name"], run["provider"]) for run in result.document["runs"]]
    assert runs == [("lama-edge-web", "webgpu"), ("python", "cpu"), ("lama-edge-web", "wasm")]
    assert result.exit_code == 0
    # The machine is this one, of which Python knows more than the browser.
    found = result.document["environment"]
    assert found["browser"] == ENVIRONMENT["browser"]
    assert "numpy" in found["packages"]


def test_parity_by_a_page(visitors: Visitors, model: Path, golden_folder: Path) -> None:
    check = ParityCheck(
        (str(model),), str(golden_folder), target="browser", options=visitors.options
    )
    result = check_parity(check)
    assert result.passed
    assert result.document["target"] == "browser"
    assert result.document["environment"]["browser"]["name"] == "Chromium"
    # Nothing was announced, and the page shows all the same what it is at.
    (page,) = visitors.pages
    rows = {message["row"] for message in page.asked if "model" in message["request"]}
    assert rows == {f"{model.name} · 64x96"}


def test_sleeps_are_timed_by_the_page(visitors: Visitors) -> None:
    with target(visitors) as page:
        found = page.sleep([5.0, 20.0, 20.0])
    assert len(found["samples_ms"]) == len(found["slept_ms"]) == 2


async def _silent(*_: Any) -> None:
    """Answer nothing."""


async def _closed(page: Page, *_: Any) -> None:
    await page.socket.close()


async def _cut(page: Page, *_: Any) -> None:
    transport = page.socket._response.connection.transport
    transport.abort()


async def _forged(page: Page, message: Any, document: Any, outputs: list[bytes]) -> None:
    await give(page, {"id": message["id"] + 1}, document, outputs)


async def _replayed(page: Page, message: Any, document: Any, outputs: list[bytes]) -> None:
    await give(page, {"id": message["id"] - 1}, document, outputs)


async def _twice(page: Page, message: Any, document: Any, outputs: list[bytes]) -> None:
    steps = document.pop("steps")
    await give(page, message, {"steps": steps, **document}, [])
    await give(page, message, document, outputs)


async def _short(page: Page, message: Any, document: Any, outputs: list[bytes]) -> None:
    await give(page, message, document, [outputs[0][:-4]])
    await page.socket.close()


async def _long(page: Page, message: Any, document: Any, outputs: list[bytes]) -> None:
    await give(page, message, document, [outputs[0] + bytes(4)])


async def _unasked(page: Page, message: Any, document: Any, outputs: list[bytes]) -> None:
    await page.socket.send_bytes(outputs[0])


async def _more(page: Page, message: Any, document: Any, outputs: list[bytes]) -> None:
    await give(page, message, document, [outputs[0][:100], b"", outputs[0][100:]])


async def _huge(page: Page, message: Any, *_: Any) -> None:
    await page.send({"id": message["id"], "error": "x" * (33 << 20), "kind": "model"})


async def _no_json(page: Page, *_: Any) -> None:
    await page.socket.send_str('{"id": ')


async def _deep(page: Page, *_: Any) -> None:
    await page.socket.send_str("[" * 100_000 + "]" * 100_000)


async def _list(page: Page, *_: Any) -> None:
    await page.socket.send_str("[]")


async def _other(page: Page, message: Any, *_: Any) -> None:
    await page.send({"id": message["id"], "result": 7})


async def _chatty(page: Page, *_: Any) -> None:
    await page.send({"hello": 1})


async def _of_another_task(page: Page, message: Any, document: Any, outputs: list[bytes]) -> None:
    document["answer"] |= {"task": "run", "result": {}}
    await give(page, message, document, outputs)


async def _of_another_model(page: Page, message: Any, document: Any, outputs: list[bytes]) -> None:
    manifest = json.loads(document["answer"]["model"]["manifest"])
    manifest["source"]["sha256"] = "1" * 64
    document["answer"]["model"]["manifest"] = json.dumps(manifest)
    await give(page, message, document, outputs)


async def _by_another_provider(
    page: Page, message: Any, document: Any, outputs: list[bytes]
) -> None:
    document["answer"]["model"]["provider"] = "webgpu"
    await give(page, message, document, outputs)


async def _too_quick(page: Page, message: Any, document: Any, outputs: list[bytes]) -> None:
    document["answer"]["result"]["round"]["samples_ms"] = [1e6] * 2
    await give(page, message, document, outputs)


async def _no_times(page: Page, message: Any, document: Any, outputs: list[bytes]) -> None:
    document["answer"]["result"]["round"]["samples_ms"] = [-1.0] * 2
    await give(page, message, document, outputs)


async def _not_a_number(page: Page, message: Any, document: Any, outputs: list[bytes]) -> None:
    document["answer"]["result"]["round"]["samples_ms"] = [float("nan")] * 2
    await give(page, message, document, outputs)


async def _endless(page: Page, message: Any, document: Any, outputs: list[bytes]) -> None:
    document["answer"]["result"]["round"]["load_ms"] = 1e300
    await give(page, message, document, outputs)


async def _thousands(page: Page, message: Any, document: Any, outputs: list[bytes]) -> None:
    document["answer"]["result"]["round"]["samples_ms"] = [1.0] * 100_000
    await give(page, message, document, outputs)


async def _half_letters(page: Page, message: Any, *_: Any) -> None:
    await page.send({"id": message["id"], "é" * 200: 7})


async def _backwards(page: Page, message: Any, *_: Any) -> None:
    said = "\u202eread backwards\ud800\x9b31m \x07<script>"
    await page.send({"id": message["id"], "error": said, "kind": "\x1b[2J"})


async def _refused(page: Page, message: Any, *_: Any) -> None:
    await page.send({"id": message["id"], "error": "WebGPU\x1b[31m was\nlost", "kind": "missing"})


async def _died(page: Page, message: Any, *_: Any) -> None:
    await page.send({"id": message["id"], "error": "out of memory", "kind": "crash"})


FAULTS: dict[str, tuple[Spoil, type[LamaEdgeError], str]] = {
    "closed": (_closed, CrashError, "^the page was closed$"),
    "cut off": (_cut, CrashError, "^the page was closed$"),
    "a forged number": (_forged, CrashError, "not of this release: it answered"),
    "a number again": (_replayed, CrashError, "not of this release: it answered"),
    "answered twice": (_twice, CrashError, "not of this release: it answered"),
    "a short output": (_short, CrashError, "^the page was closed$"),
    "a long output": (_long, CrashError, "has 73732 bytes where 73728 were expected"),
    "an output unasked": (_unasked, CrashError, "values that nobody asked for"),
    "an empty frame": (_more, CrashError, "has 100 bytes where 73728 were expected"),
    "oversized": (_huge, CrashError, "^the page was closed$"),
    "no JSON": (_no_json, CrashError, "it sent no JSON"),
    "deep JSON": (_deep, CrashError, "it sent no JSON"),
    "no object": (_list, CrashError, "it sent no object"),
    "another message": (_other, CrashError, "it said"),
    "no answer": (_chatty, CrashError, "it said"),
    "another task": (_of_another_task, CrashError, "answered 'run' to 'measure'"),
    "another model": (_of_another_model, CrashError, "described another model"),
    "another provider": (_by_another_provider, CrashError, "onnxruntime-web webgpu"),
    "times that did not pass": (_too_quick, CrashError, "clock counted|did not do"),
    "times below nothing": (_no_times, CrashError, "does not fit the schema"),
    "no number": (_not_a_number, CrashError, "its samples_ms is nan"),
    "a time without end": (_endless, CrashError, "its load_ms is 1e\\+300"),
    "thousands of samples": (_thousands, CrashError, "clock counted 100"),
    "half letters": (_half_letters, CrashError, "not of this release: it said"),
    "backwards": (_backwards, CrashError, "read backwards.*<script>$"),
    "missing": (_refused, MissingBackendError, "^WebGPU.* was lost$"),
    "out of memory": (_died, CrashError, "^out of memory$"),
    "silent": (_silent, CrashError, "^it took longer than 1 s$"),
}


@pytest.mark.parametrize(("spoil", "kind", "said"), FAULTS.values(), ids=FAULTS)
def test_a_page_that_answers_otherwise_fails_its_row_alone(
    visitors: Visitors, model: Path, spoil: Spoil, kind: type[LamaEdgeError], said: str
) -> None:
    opening = replace(WASM, timeout_s=1.0) if spoil is _silent else WASM
    visitors.behaviours = [spoiling("measure", spoil)]
    with target(visitors) as page:
        handle = page.push(model)
        page.describe(handle, WASM)
        with pytest.raises(LamaEdgeError, match=said) as caught:
            page.measure(handle, opening, *picture(), SHORT)
        assert str(caught.value).isprintable()
        assert isinstance(caught.value, kind) or "clock" in said
        # Whoever comes next is measured as ever.
        if visitors.pages[0].thread.is_alive() and spoil not in (_refused, _died, _backwards):
            visitors.pages[0].thread.join(SOON_S / 10)
        if not visitors.pages[0].thread.is_alive():
            visitors.open()
        assert page.describe(handle, WASM).provider == "wasm"


def test_a_page_that_ran_out_of_time_is_asked_nothing_before_it_comes_back(
    visitors: Visitors, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closing = session.PageSession._close

    def slowly(*given: Any) -> Future[bool]:
        threading.Timer(0.5, closing, given).start()
        return Future()

    monkeypatch.setattr(session.PageSession, "_close", slowly)
    visitors.behaviours = [spoiling("measure", _silent)]
    with target(visitors) as page:
        handle = page.push(model)
        with pytest.raises(CrashError, match="it took longer than 1 s"):
            page.measure(handle, replace(WASM, timeout_s=1.0), *picture(), SHORT)
        first = visitors.pages[0]
        asked = len(first.asked)
        threading.Thread(target=lambda: first.wait() and visitors.open(), daemon=True).start()
        assert page.describe(handle, WASM).provider == "wasm"
    assert len(first.asked) == asked
    assert visitors.pages[1].asked


def test_a_page_that_never_tells_of_its_machine_is_not_awaited_for_ever(
    visitors: Visitors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PROMPT_S", 0.5)
    visitors.behaviours = [spoiling("machine", _silent)]
    with target(visitors) as page, pytest.raises(CrashError, match=r"it took longer than 0\.5 s"):
        page.environment()


def test_a_page_that_falls_silent_is_gone(
    visitors: Visitors, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_PING_S", 0.5)
    visitors.behaviours, visitors.how = [spoiling("describe", _silent)], {"pongs": False}
    with target(visitors) as page:
        begun = time.monotonic()
        with pytest.raises(CrashError, match="the page was closed"):
            page.describe(page.push(model), replace(WASM, timeout_s=None))
        assert time.monotonic() - begun < SOON_S


def test_a_closed_page_is_awaited_for_the_next_row_and_then_the_rest_fails(
    visitors: Visitors, model: Path, golden_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETURN_S", 0.5)
    visitors.behaviours = [spoiling("measure", _closed)]
    begun = time.monotonic()
    result = benched(visitors, golden_folder, model, model, model)
    assert time.monotonic() - begun < SOON_S
    errors = [run["error"] for run in result.document["runs"]]
    assert errors == ["the page was closed", *["no page came back within 0.5 s"] * 2]
    assert not any(run["statistics"] for run in result.document["runs"])
    assert result.exit_code == 2


def test_a_page_that_comes_back_has_to_be_started_again(visitors: Visitors, model: Path) -> None:
    visitors.behaviours = [spoiling("describe", _closed)]
    with target(visitors) as page:
        handle = page.push(model)
        with pytest.raises(CrashError, match="the page was closed"):
            page.describe(handle, WASM)
        idle = visitors.open(presses_start=False)
        assert idle.greeted.wait(SOON_S)
        found: list[Any] = []
        asking = threading.Thread(target=lambda: found.append(page.describe(handle, WASM)))
        asking.start()
        asking.join(1)
        assert asking.is_alive()
        assert not idle.asked
        _soon(idle, idle.send({"started": True}))
        asking.join(SOON_S)
        assert found[0].provider == "wasm"


def _soon(page: Page, work: Any) -> None:
    import asyncio

    loop = page.socket._loop
    asyncio.run_coroutine_threadsafe(work, loop).result(SOON_S)


def test_nothing_is_asked_before_start_and_ctrl_c_leaves_nothing(
    visitors: Visitors, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitors.how = {"presses_start": False}
    whole = session.PageSession.wait

    def impatient(self: Any, seconds: float | None, told: Any) -> None:
        def interrupt(line: str) -> None:
            told(line)
            raise KeyboardInterrupt

        assert seconds is None
        whole(self, seconds, interrupt)

    monkeypatch.setattr(session.PageSession, "wait", impatient)
    with pytest.raises(KeyboardInterrupt):
        benched(visitors, model, model)
    (page,) = visitors.pages
    page.wait()
    assert page.asked == []
    assert page.said == [{"ended": "the command on the computer ended"}]


@pytest.mark.parametrize("task", ["machine", "describe", "measure"])
def test_ctrl_c_while_a_page_works_tells_it_and_leaves_nothing(
    visitors: Visitors, model: Path, task: str
) -> None:
    async def interrupt(*_: Any) -> None:
        signal.raise_signal(signal.SIGINT)

    visitors.behaviours = [spoiling(task, interrupt)]
    with pytest.raises(KeyboardInterrupt):
        benched(visitors, model, model)
    (page,) = visitors.pages
    assert page.wait().said == [{"ended": "the command on the computer ended"}]
    assert page.asked[-1]["request"]["task"] == task


def test_stop_fails_what_runs_and_all_that_follows(
    visitors: Visitors, model: Path, golden_folder: Path
) -> None:
    async def stop(page: Page, *_: Any) -> None:
        await page.send({"stopped": True})

    visitors.behaviours = [spoiling("measure", stop)]
    result = benched(visitors, golden_folder, model, model)
    errors = [run["error"] for run in result.document["runs"]]
    assert errors == ["the measurement was stopped on the page"] * 2
    (page,) = visitors.pages
    assert [message["request"]["task"] for message in page.asked].count("measure") == 1
    shown = page.wait().said[0]["done"]["rows"]
    assert [one["error"] for one in shown] == errors


def test_a_second_page_is_told_that_it_is_busy_and_the_first_goes_on(
    visitors: Visitors, model: Path
) -> None:
    with target(visitors) as page:
        handle = page.push(model)
        page.describe(handle, WASM)
        second = visitors.open().wait()
        assert second.plan == {"busy": "another page is measuring for this command"}
        assert second.closed == 1008
        assert page.describe(handle, WASM).provider == "wasm"
    assert len(visitors.pages[0].asked) == 2
    assert second.asked == []


def test_a_page_that_is_loaded_anew_takes_the_place_of_itself(
    visitors: Visitors, model: Path
) -> None:
    with target(visitors) as page:
        handle = page.push(model)
        page.describe(handle, WASM)
        old, new = visitors.pages[0], visitors.open()
        time.sleep(0.2)
        _soon(old, old.socket.close())
        assert new.greeted.wait(SOON_S)
        assert "plan" in new.plan
        assert page.describe(handle, WASM).provider == "wasm"
        assert new.asked


def test_who_lacks_the_token_or_comes_from_elsewhere_hears_nothing(
    visitors: Visitors, model: Path
) -> None:
    with target(visitors) as page:
        handle = page.push(model)
        page.describe(handle, WASM)
        version = {"version": "1", "sha256": None}
        for token in ("", "wrong", 7, None):
            stranger = visitors.open(hello={"hello": 1, "token": token, "page": version}).wait()
            assert (stranger.plan, stranger.closed) == ({}, 1008)
        elsewhere = visitors.open(origin="http://other.example").wait()
        assert (elsewhere.refused, elsewhere.plan) == (403, {})
        first = visitors.pages[0]
        for given, status in (("", 401), ("wrong", 401)):
            found: list[Any] = []

            async def fetch(given: str = given, found: list[Any] = found) -> None:
                found.append(await first.fetch(handle.url, given))

            _soon(first, fetch())
            assert found == [status]


@pytest.mark.parametrize(
    "about", [None, 7, {}, {"version": 7, "sha256": None}, {"version": "1", "sha256": "A" * 64},
              {"version": "x" * 99, "sha256": None}],
)  # fmt: skip
def test_a_page_of_another_release_is_refused(visitors: Visitors, about: Any) -> None:
    visitors.behaviours = []
    with target(visitors) as page:
        address = page._server.address  # type: ignore[attr-defined]
        visitors.address = address
        token = address.partition("=")[2]
        found = visitors.open(hello={"hello": 1, "token": token, "page": about}).wait()
        assert found.plan == {"refused": "the page is not of this release: load it again"}


def test_a_model_that_was_changed_after_it_was_brought_is_no_result(
    visitors: Visitors, model: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(model.read_bytes())
    with target(visitors) as page:
        handle = page.push(copy)
        page.describe(handle, WASM)
        copy.write_bytes(model.read_bytes() + b" ")
        with pytest.raises(ModelError, match=r"not given \(410\)"):
            page.describe(handle, WASM)


def test_a_page_without_isolation_has_one_thread_and_is_asked_for_no_more(
    visitors: Visitors, model: Path
) -> None:
    alone = {**ENVIRONMENT, "cores": 8, "browser": {**ENVIRONMENT["browser"], "isolated": False}}
    visitors.how = {"environment": alone}
    with target(visitors) as page:
        assert page.default_threads() == 1
        handle = page.push(model)
        with pytest.raises(UsageError, match="threads=2: this browser gives the page one thread"):
            page.describe(handle, replace(WASM, threads=2))


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (3, 2), (8, 4), (16, 4)])
def test_threads_are_those_that_the_runtime_takes_by_itself(
    visitors: Visitors, cores: int, threads: int
) -> None:
    visitors.how = {"environment": {**ENVIRONMENT, "cores": cores}}
    with target(visitors) as page:
        assert page.default_threads() == threads


def test_what_the_page_cannot_run_is_refused_here(
    visitors: Visitors, model: Path, tmp_path: Path
) -> None:
    plain = tmp_path / "plain.onnx"
    plain.write_bytes(b"")
    with target(visitors) as page:
        for path, said in ((tmp_path / "a.pth", "runs ONNX files"), (plain, "no manifest|read")):
            with pytest.raises(LamaEdgeError, match=said):
                page.push(path)
        handle = page.push(model)
        with pytest.raises(UsageError, match="a page has no provider 'cpu': give auto, webgpu or"):
            page.describe(handle, replace(WASM, provider="cpu"))
