"""The sample app: what needs no Android, what it measures, what compilers say of the rest."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from android_library import ANDROID, compiler_says

from lama_edge.benchmarks.bench.summary import summarise
from lama_edge.benchmarks.documents.model_files import manifest_facts
from lama_edge.benchmarks.documents.store import load_bench
from lama_edge.cli import main
from lama_edge.files import sha256_of
from lama_edge.manifest import Manifest
from lama_edge.runtimes.onnxruntime.parts import read_manifest_of

pytestmark = pytest.mark.kotlin


def manifest_of(model: Path) -> Manifest:
    manifest = read_manifest_of(model)
    assert manifest is not None
    return manifest


@pytest.fixture(scope="module")
def documents(
    junit: Callable[..., None],
    exported: Callable[..., Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """What the sample's tests write, beside the model whose manifest they were given."""
    folder = tmp_path_factory.mktemp("documents")
    model = folder / "lama.onnx"
    model.symlink_to(exported(None))
    manifest = manifest_of(model).to_dict()
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    junit("drawing", environment={"LAMA_EDGE_CASES": str(folder)})
    return folder


def test_the_sample_writes_what_bench_writes(documents: Path) -> None:
    document = load_bench(documents / "base.json")
    (row,) = document["runs"]
    expected = summarise(row["rounds"])
    assert row["statistics"] == {
        name: None if value is None else pytest.approx(value, rel=1e-12)
        for name, value in {**expected, "first_load_ms": None, "first_run_ms": None}.items()
    }
    facts = manifest_facts(manifest_of(documents / "lama.onnx"))
    assert {name: row["model"][name] for name in facts} == facts
    assert (row["size"], row["threads"], document["measured_on"]) == ("64x96", 4, "2025-11-29")
    assert document["environment"]["chip"] == "Chip 9"
    assert row["rounds"][0]["sensors"]["after"]["temperature_c"] == {"battery": 31.5}
    assert [line.split(":")[0] for line in row["warnings"]] == ["measured in an app"]


def test_doubtful_samples_are_said_to_be(documents: Path) -> None:
    (row,) = load_bench(documents / "warm.json")["runs"]
    gave_way, _in_an_app, few, spread, throttled = row["warnings"]
    assert gave_way == "xnnpack gave way: not in this build"
    assert (few, throttled) == ("only 3 samples", "the device reports that it is throttled")
    assert "spread over 46% of the median" in spread


def test_a_device_that_tells_nothing_is_no_error(documents: Path) -> None:
    (row,) = load_bench(documents / "untold.json")["runs"]
    assert set(row["rounds"][0]["sensors"]["before"].values()) == {None}
    assert row["provider"] == "xnnpack"


def test_compare_takes_them(documents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base, new = str(documents / "base.json"), str(documents / "new.json")
    assert main(["compare", base, base]) == 0
    assert main(["compare", base, new]) == 1
    assert "1.29" in capsys.readouterr().out


def test_the_app_erases_and_measures_itself(
    junit: Callable[..., None], selftest: Path, tmp_path: Path
) -> None:
    junit("app", environment={"LAMA_EDGE_CASES": str(tmp_path)})
    document = load_bench(tmp_path / "measured.json")
    (row,) = document["runs"]
    model = selftest / "io/github/lamaedge/selftest.onnx"
    facts = manifest_facts(manifest_of(model))
    assert {name: row["model"][name] for name in facts} == facts
    assert (row["model"]["sha256"], row["model"]["size_bytes"]) == (
        sha256_of(model),
        model.stat().st_size,
    )
    assert (row["provider"], row["size"], len(row["rounds"])) == ("cpu", "64x64", 2)
    assert row["runtime"].startswith("onnxruntime 1.")
    assert document["environment"]["os"] == "Android 16 (API 36)"
    assert row["memory_bytes"] > 50_000_000


def test_composes_own_compiler_finds_nothing_wrong_but_its_runtime(
    kotlin: Path, tmp_path: Path
) -> None:
    plugin = f"-Xplugin={kotlin / 'kotlin/lib/compose-compiler-plugin.jar'}"
    needs = ("drawing", "lama-edge", "stand-ins-compose")
    sources = sorted((ANDROID / "sample/app/src/main/kotlin").rglob("*.kt"))
    # It looks at composables first, and asks for Compose's runtime before it rewrites them.
    said = compiler_says(needs, sources, plugin)
    assert "requires the Compose Runtime to be on the class path" in said
    assert re.findall(r"^.*\.kt:\d+:\d+: (?:error|warning): .*$", said, re.MULTILINE) == []
    wrong = tmp_path / "Wrong.kt"
    wrong.write_text('fun plain() = androidx.compose.material3.Text("called from no composable")\n')
    said = compiler_says(needs, [wrong], plugin)
    assert "@Composable invocations can only happen" in said
