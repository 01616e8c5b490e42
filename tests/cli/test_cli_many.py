"""`lama-edge inpaint` over several workers: when it is one, and what a person and a program see."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lama_edge import cli
from lama_edge.cli.inpainting.many import duration
from lama_edge.errors import UsageError
from lama_edge.models.checkpoint import EMBEDDED_NAME
from lama_edge.runtimes.batch import run as batch
from lama_edge.runtimes.batch.job import InpaintMany
from lama_edge.runtimes.batch.progress import Progress, Slowest, Summary

GO_ON = "lama-edge: the same command with --resume goes on: what is done is not done again"
SUMMARY = Summary(
    written=270, unchanged=20, seconds=61.0, pictures_per_second=4.43, workers=2, record="o/r"
)
Run = Callable[[InpaintMany, Callable[[Progress], None]], Summary]


def told(seconds: float, **changed: Any) -> Progress:
    known: dict[str, Any] = {
        "total": 300, "written": 100, "unchanged": 20, "failed": 3, "workers": 2,
        "pictures_per_second": 1.5, "seconds_left": 118.0, "slowest": None, "waiting": "",
    }  # fmt: skip
    return Progress(seconds=seconds, **{**known, **changed})


class Runs(list[InpaintMany]):
    """Stands for `inpaint_many`: notes what is asked for, tells what it shall, gives a summary."""

    def __init__(self) -> None:
        self.tells: list[Progress] = []
        self.ends: BaseException | Summary = SUMMARY

    def __call__(self, job: InpaintMany, progress: Callable[[Progress], None]) -> Summary:
        self.append(job)
        for one in self.tells:
            progress(one)
        if isinstance(self.ends, BaseException):
            raise self.ends
        return self.ends


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    runs = Runs()
    monkeypatch.setattr(batch, "inpaint_many", runs)
    return runs


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    for name in ("in", "masks"):
        (tmp_path / name).mkdir()
        Image.new("L", (64, 64), 255).save(tmp_path / name / "a.png")
    places = [str(tmp_path / name) for name in ("in", "masks")]
    return ["inpaint", EMBEDDED_NAME, *places, "-o", str(tmp_path / "out")]


def test_flags_and_options_become_a_job(runs: Runs, words: list[str], tmp_path: Path) -> None:
    more = "--workers 3 --resume --threads 1 --tile 256 --strategy tiles --grow 2 --format png"
    assert cli.main([*words, *more.split(), "--recursive", "--max-pixels", "9"]) == 0
    (job,) = runs
    assert job.model == EMBEDDED_NAME
    places = tuple(str(tmp_path / name) for name in ("in", "masks", "out"))
    assert (job.pictures, job.masks, job.output) == places
    assert (job.workers, job.cluster, job.resume, job.threads, job.tile) == (3, None, True, 1, 256)
    assert (job.strategy, job.mask_rules.grow, job.picture_format) == ("tiles", 2, "png")
    assert (job.recursive, job.max_pixels) == (True, 9)


@pytest.mark.parametrize(
    "line",
    [
        "m in masks -o out --workers 1",
        "m in masks -o out --cluster tcp://h:1",
        "m in masks -o out --resume",
        "s3://b/m.onnx in masks -o out",
        "m s3://b/in masks -o out",
        "m in gs://b/masks -o out",
        "m in masks -o hf://datasets/a/b",
    ],
)
def test_each_flag_and_each_url_makes_a_run_over_workers(runs: Runs, line: str) -> None:
    assert cli.main(["inpaint", *line.split()]) == 0
    (job,) = runs
    given = line.split()
    assert [job.model, job.pictures, job.masks, job.output] == [*given[:3], given[4]]


def test_without_them_nothing_of_it_is_imported(words: list[str], tmp_path: Path) -> None:
    one = [*words[:2], *(f"{folder}/a.png" for folder in words[2:4]), "-o", f"{tmp_path}/o.png"]
    code = (
        "import sys\nfrom lama_edge import cli\n"
        f"assert cli.main({words!r}) == cli.main({one!r}) == 0\n"
        "heavy = ('distributed', 'dask', 'pyarrow', 'fsspec', 'lama_edge.runtimes.batch')\n"
        "print([name for name in sys.modules if name.startswith(heavy)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_picture_that_is_a_file_is_refused(
    runs: Runs, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    words[2] += "/a.png"
    assert cli.main([*words, "--workers", "2"]) == 2
    assert runs == []
    (line,) = capsys.readouterr().err.splitlines()
    assert "a.png' is a file: --workers, --cluster, --resume and URLs are for folders" in line


def test_flags_that_do_not_go_together_are_one_line(
    runs: Runs, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*words, "--workers", "2", "--cluster", "tcp://h:1"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("lama-edge: error: --workers 2 does not go with --cluster tcp://h:1:")


@pytest.mark.parametrize("missing", ["distributed", "pyarrow", "fsspec"])
@pytest.mark.parametrize("flags", [("--cluster", "tcp://127.0.0.1:1"), ("--workers", "2")])
def test_without_the_extra_the_line_to_type_is_told_with_exit_code_3(
    missing: str,
    flags: tuple[str, ...],
    words: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    assert cli.main([*words, *flags]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith('install it with: pip install "lama-edge[cluster]"')
    assert not (tmp_path / "out").exists()


def test_a_run_is_summed_up_on_one_line(
    runs: Runs, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    runs.tells = [told(0.5)]
    assert cli.main([*words, "--workers", "2"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out == (
        "wrote 270 of 290 pictures in 1 min 1 s (20 were there unchanged, 4.4 pictures/s, "
        "2 workers); the record is o/r\n"
    )


def test_a_run_that_had_nothing_to_do_has_no_speed(
    runs: Runs, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    runs.ends = Summary(written=0, unchanged=2, seconds=0.31, record="r")
    assert cli.main([*words, "--resume"]) == 0
    assert capsys.readouterr().out == (
        "wrote 0 of 2 pictures in 0.3 s (2 were there unchanged); the record is r\n"
    )


def test_failures_are_told_with_the_count_and_how_to_go_on(
    runs: Runs, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    runs.ends = Summary(written=1, unchanged=0, failed={"c": "no", "a/b.png": "it is\ndamaged"})
    assert cli.main([*words, "--workers", "2"]) == 2
    captured = capsys.readouterr()
    assert captured.err.splitlines() == [
        "lama-edge: a/b.png: it is damaged",
        "lama-edge: c: no",
        GO_ON,
        "lama-edge: error: 2 of 3 pictures could not be inpainted",
    ]
    assert captured.out.startswith("wrote 1 of 3 pictures ")


@pytest.mark.parametrize(
    ("end", "code"), [(KeyboardInterrupt(), 130), (UsageError("the connection is cut"), 2)]
)
def test_a_run_that_ends_early_says_how_to_go_on(
    runs: Runs,
    words: list[str],
    capsys: pytest.CaptureFixture[str],
    end: BaseException,
    code: int,
) -> None:
    runs.ends = end
    assert cli.main([*words, "--workers", "2"]) == code
    runs.tells = [told(0.0, written=0, unchanged=0)]
    assert cli.main([*words, "--workers", "2"]) == code
    assert GO_ON not in capsys.readouterr().err, "nothing is done"
    runs.tells = [told(1.0)]
    assert cli.main([*words, "--workers", "2"]) == code
    first, last = capsys.readouterr().err.splitlines()
    assert first == GO_ON
    assert last in ("lama-edge: interrupted", "lama-edge: error: the connection is cut")


def test_without_a_terminal_there_is_a_line_every_ten_seconds(
    runs: Runs, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    slowest = Slowest("tcp://10.0.0.2:4711", 3.456, 20)
    runs.tells = [
        told(0.1),
        told(9.9),
        told(10.0, slowest=slowest),
        told(11.0),
        told(19.9),
        told(20.5, pictures_per_second=0.0, seconds_left=None, waiting="no workers: waiting"),
    ]
    assert cli.main([*words, "--workers", "2"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "lama-edge: 123 of 300 pictures, 3 failed, 1.5 pictures/s, 1 min 58 s left, "
        "slowest 3.5 s by tcp://10.0.0.2:4711",
        "lama-edge: 123 of 300 pictures, no workers: waiting, 3 failed",
    ]


def test_json_is_an_object_a_second_on_stderr_and_the_summary_on_stdout(
    runs: Runs, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    shown = [told(1.1, slowest=Slowest("w", 1.0, 3)), told(2.2)]
    runs.tells = [told(0.1), shown[0], told(1.4), told(2.0), shown[1]]
    runs.ends = Summary(written=1, unchanged=0, failed={"b.png": "damaged"}, record="r")
    assert cli.main([*words, "--workers", "2", "--json"]) == 2
    captured = capsys.readouterr()
    *lines, last = captured.err.splitlines()
    assert [json.loads(line) for line in lines] == [one.to_dict() for one in shown]
    assert last == "lama-edge: error: 1 of 2 pictures could not be inpainted"
    assert json.loads(captured.out) == runs.ends.to_dict()


def test_a_terminal_sees_a_bar(
    runs: Runs,
    words: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs.tells = [told(0.1), told(0.2, slowest=Slowest("w-1", 2.0, 3))]
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    assert cli.main([*words, "--workers", "2"]) == 0
    said = capsys.readouterr().err
    assert "123/300" in said
    assert "3 failed, 1.5 pictures/s, 1 min 58 s left, slowest 2 s by w-1" in said


@pytest.mark.parametrize(
    ("seconds", "spelled"),
    [
        (0.04, "0.0 s"),
        (0.3, "0.3 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3599.7, "1 h"),
        (7500, "2 h 5 min"),
        (86400 * 2 + 3600, "2 d 1 h"),
    ],
)
def test_a_time_has_its_two_largest_units(seconds: float, spelled: str) -> None:
    assert duration(seconds) == spelled
