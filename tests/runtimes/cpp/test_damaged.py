"""Damaged models and pictures in the C++ library and worker: as in Python, or refused in one line.

What Python refuses is refused, what both take has the same bits, and sanitizers find nothing.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from damaged_cases import command_server, problem_of
from damaged_cases import run as run_command
from damaged_models import (
    by_chance,
    contradicting,
    entry_of,
    manifest_of,
    truncated,
    with_damaged_manifests,
    with_external_data,
    with_manifests_of_the_vectors,
)
from mutations import damaged
from PIL import Image
from sanitizers import sanitizing

from lama_edge.errors import LamaEdgeError
from lama_edge.runtimes.base import open_runner
from lama_edge.runtimes.inpainting.files import InpaintFile, inpaint_with

pytestmark = pytest.mark.cpp

LIMIT_S = 60.0
# What is tried in every run of the tests; all of it is slow.
FAST = {"float": 12, "uint8": 8}
ALL = {"float": 240, "uint8": 160}
HEIGHT, WIDTH = 64, 72


@dataclass(frozen=True)
class Programs:
    """The sanitized programs, and the server that runs Python's command."""

    worker: Path
    erase: dict[str, Path]
    server: subprocess.Popen[str]


@pytest.fixture(scope="module")
def programs(build: Callable[[str], Path]) -> Iterator[Programs]:
    built = build("sanitized")
    names = ("lama_edge_erase", "lama_edge_erase_c")
    erase = {name: built / "examples" / name for name in names}
    with command_server() as server:
        yield Programs(built / "worker" / "lama-edge-worker", erase, server)


def picture(folder: Path) -> tuple[Path, Path]:
    rng = np.random.default_rng(5)
    Image.fromarray(rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)).save(folder / "picture.ppm")
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[20:41, 30:60] = 255
    Image.fromarray(mask).save(folder / "mask.pgm")
    return folder / "picture.ppm", folder / "mask.pgm"


def tensors(form: str, folder: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the picture and its mask as a model of this form takes them."""
    image, mask = (np.asarray(Image.open(path)) for path in picture(folder))
    if form == "uint8":
        return image[None], mask[None, :, :, None]
    planar = np.moveaxis(image, 2, 0)[None].astype(np.float32) / np.float32(255)
    return planar, (mask[None, None] > 0).astype(np.float32)


def start(*command: Path) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, env=sanitizing())


def ended(started: subprocess.Popen[bytes]) -> tuple[bool, bytes]:
    """Wait for a program; return whether it took what it was given, and its standard output.

    Else it has to have said why in one line, which a terminal can show.
    """
    output, errors = started.communicate(timeout=LIMIT_S)
    lines = errors.decode("utf-8").splitlines()
    assert all(line.isprintable() for line in lines), lines
    if started.returncode == 0:
        return True, output
    assert started.returncode in (1, 2), lines
    assert not [line for line in lines if re.search("Sanitizer|runtime error:", line)], lines
    assert len([line for line in lines if not re.match("opening|running", line)]) == 1, lines
    assert output == b""
    return False, output


def check_model(programs: Programs, model: Path, form: str, folder: Path) -> str:
    """Give a model to the library, the worker and Python; return what became of it."""
    image, mask = picture(folder)
    result, expected, raw = (folder / name for name in ("result.ppm", "expected.png", "raw"))
    arrays = tensors(form, folder)
    names = {name: str(folder / f"{name}.raw") for name in ("image", "mask")}
    for array, name in zip(arrays, names.values(), strict=True):
        np.ascontiguousarray(array).tofile(name)
    job = {"height": HEIGHT, "width": WIDTH, **names, "output": str(raw)}
    request = {"schema_version": 1, "task": "run", "model": str(model), "threads": 1}
    request |= {"providers": [{"name": "cpu", "options": {}}], "pictures": [job]}
    (folder / "request.json").write_text(json.dumps(request))

    erase = start(programs.erase["lama_edge_erase"], model, image, mask, result)
    worker = start(programs.worker, folder / "request.json")
    words = ["inpaint", model, image, mask, "-o", expected, "--provider", "cpu"]
    python = run_command(
        programs.server, [str(word) for word in words], folder / "log", limit_s=LIMIT_S
    )
    erased, ran = ended(erase)[0], ended(worker)[0]
    assert problem_of(python, limit_s=LIMIT_S) is None, python
    taken = python.exit_code == 0
    assert result.exists() == erased
    if taken and erased:
        np.testing.assert_array_equal(np.asarray(Image.open(result)), Image.open(expected))
    assert taken or not erased, python.errors
    if ran:
        try:
            with open_runner(model, provider="cpu", threads=1) as runner:
                output = runner.run(*arrays)
        except LamaEdgeError as error:
            pytest.fail(f"the worker took what Python refuses: {error}")
        np.testing.assert_array_equal(np.fromfile(raw, output.dtype), output.ravel())
    return "taken" if erased and ran else "stricter" if taken else "refused"


def cases(whole: bytes, form: str, counts: dict[str, int]) -> Iterator[tuple[str, bytes]]:
    """Yield each damaged file with its name, as many by chance as the counts say."""
    everything = counts is ALL
    yield from by_chance(whole, 0, counts[form])
    if form == "float":
        yield from truncated(whole, 60 if everything else 3)
        yield from contradicting(whole)
        yield from with_damaged_manifests(whole)
    for index, one in enumerate(with_manifests_of_the_vectors(whole)):
        if everything or (form == "uint8" and index % 6 == 0):
            yield one


def check_all(
    programs: Programs, exported: Callable[..., Path], folder: Path, counts: dict[str, int]
) -> dict[str, list[str]]:
    """Return the names of the damaged models by what became of them."""
    found: dict[str, list[str]] = {}
    problems: list[str] = []
    for form in counts:
        whole = exported("fourier", io=form).read_bytes()
        for name, data in cases(whole, form, counts):
            with tempfile.TemporaryDirectory(dir=folder) as place:
                model = Path(place, "model.onnx")
                model.write_bytes(data)
                try:
                    outcome = check_model(programs, model, form, model.parent)
                except Exception as error:
                    problems.append(f"{form}, {name}: {error}")
                else:
                    found.setdefault(outcome, []).append(f"{form}, {name}")
    print({outcome: len(names) for outcome, names in found.items()}, found.get("stricter"))
    assert problems == [], "\n\n".join(problems)
    return found


def test_damaged_models_are_refused_or_work_as_in_python(
    programs: Programs, exported: Callable[..., Path], tmp_path: Path
) -> None:
    # Not all of them are refused, and not all harmless: else nothing would have been compared.
    assert check_all(programs, exported, tmp_path, FAST).keys() >= {"taken", "refused"}


@pytest.mark.slow
def test_hundreds_of_damaged_models_are_refused_or_work_as_in_python(
    programs: Programs, exported: Callable[..., Path], tmp_path: Path
) -> None:
    check_all(programs, exported, tmp_path, ALL)


@pytest.mark.parametrize("place", ["weights.bin", None, "/etc/passwd", "../weights.bin", "."])
def test_weights_in_another_file_are_found_or_refused(
    programs: Programs, exported: Callable[..., Path], tmp_path: Path, place: str | None
) -> None:
    data = with_external_data(exported("fourier").read_bytes(), tmp_path, place)
    (tmp_path / "model.onnx").write_bytes(data)
    outcome = check_model(programs, tmp_path / "model.onnx", "float", tmp_path)
    assert outcome == ("taken" if place == "weights.bin" else "refused")


def test_a_manifest_is_read_to_its_first_character_0(
    programs: Programs, exported: Callable[..., Path], tmp_path: Path
) -> None:
    """ONNX Runtime's C interface gives texts that end there; what is before has to be whole."""
    onnx = pytest.importorskip("onnx")
    model = onnx.load(exported("fourier"))
    text = manifest_of(exported("fourier").read_bytes())
    image, mask = picture(tmp_path)
    for changed, taken in ((text + "\0{", True), (text[:90] + "\0" + text[90:], False)):
        entry_of(model).value = changed
        onnx.save(model, tmp_path / "model.onnx")
        result = tmp_path / "result.ppm"
        started = start(
            programs.erase["lama_edge_erase"], tmp_path / "model.onnx", image, mask, result
        )
        assert ended(started)[0] == taken


def pictures(whole: bytes, headers: bool) -> Iterator[bytes]:
    """Yield damaged PPM or PGM files: what chance makes, and headers that lie."""
    for seed in range(8):
        yield damaged("picture.ppm", whole, np.random.default_rng([29, seed]))
    yield whole + b"more"
    if headers:
        yield from with_other_headers(whole)


def with_other_headers(whole: bytes) -> Iterator[bytes]:
    head, pixels = whole[:2], whole[-(len(whole) - len(b"P6\n72 64\n255\n")) :]
    size = b"%d %d" % (WIDTH, HEIGHT)
    for header in (
        b"\n%s\n255\n" % size,
        b"%s\n255\n" % size,
        b"\n%s\n255 " % size,
        b"\n%s\n255" % size,
        b"\n%s\n256\n" % size,
        b"\n%s\n0\n" % size,
        b"\n# a comment\n%s\n255\n" % size,
        b"\n%d %d\n255\n" % (HEIGHT, WIDTH),
        b"\n%d %d\n255\n" % ((1 << 32) + WIDTH, HEIGHT),
        b"\n%d %d\n255\n" % (WIDTH, (1 << 64) + HEIGHT),
        b"\n%d -%d\n255\n" % (WIDTH, HEIGHT),
        b"\n+%d +%d\n255\n" % (WIDTH, HEIGHT),
        b"\n0x48 64\n255\n",
        b"\n72.0 64\n255\n",
        b"\n0 64\n255\n",
        b"\n32768 32768\n255\n",
        b"\n32769 1\n255\n",
        b"\n72\n64\n\t\r 255\n",
        b"\n72 64\n0255\n",
        b"\n72 64 64\n255\n",
    ):
        yield head + header + pixels
    for magic in (b"P3", b"P4", b"P5", b"P6", b"Pf", b"P7", b"\x89PNG\r\n\x1a\n", b"BM", b"\0"):
        yield magic + whole[2:]


@pytest.mark.parametrize("which", ["picture", "mask"])
def test_damaged_pictures_are_refused_or_read_as_in_python(
    programs: Programs, exported: Callable[..., Path], tmp_path: Path, which: str
) -> None:
    model = exported("fourier")
    files = dict(zip(("picture", "mask"), picture(tmp_path), strict=True))
    expected = tmp_path / "expected.png"
    job = InpaintFile(model, files["picture"], files["mask"], expected, provider="cpu")
    problems, outcomes = [], set()
    with job.open() as inpainter:
        for data in pictures(files[which].read_bytes(), which == "picture"):
            files[which].write_bytes(data)
            expected.unlink(missing_ok=True)
            with contextlib.suppress(LamaEdgeError):
                inpaint_with(inpainter, job)
            results = [tmp_path / f"{name}.ppm" for name in programs.erase]
            started = []
            for result, program in zip(results, programs.erase.values(), strict=True):
                result.unlink(missing_ok=True)
                started.append(start(program, model, *files.values(), result))
            for result, one in zip(results, started, strict=True):
                erased = ended(one)[0]
                outcomes.add(erased)
                if erased != result.exists() or (erased and not same(result, expected)):
                    problems.append(f"{result.name}: {data[:40]!r}")
    assert problems == []
    assert outcomes == {True, False}


def same(result: Path, expected: Path) -> bool:
    if not expected.exists():
        return False
    return np.array_equal(np.asarray(Image.open(result)), np.asarray(Image.open(expected)))
