"""What people import from the package itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lama_edge
from lama_edge import Inpainter, export, open_runner
from lama_edge.errors import LamaEdgeError, UsageError
from lama_edge.exporters.formats import record
from lama_edge.spec import Size

NAMES = ["Inpainter", "export", "open_runner"]

LOADED = """
import json, sys
before = set(sys.modules)
import lama_edge
assert set(lama_edge.__all__) <= set(dir(lama_edge))
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_importing_the_package_imports_nothing_but_itself() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True
    )
    loaded = set(json.loads(done.stdout))
    assert {name for name in loaded if name.partition(".")[0] not in sys.stdlib_module_names} == {
        "lama_edge"
    }


def test_the_three_names_are_there_for_people_and_for_editors() -> None:
    assert lama_edge.__all__ == NAMES
    assert set(NAMES) <= set(dir(lama_edge))
    for name in NAMES:
        assert getattr(lama_edge, name).__doc__
    with pytest.raises(AttributeError, match="has no attribute 'inpaint'"):
        _ = lama_edge.inpaint


def test_a_checkpoint_becomes_a_file_that_erases(golden_folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "m.onnx"
    steps: list[str] = []
    made = export(
        golden_folder, output, size=64, for_="cpu", opset=18, parity=False, progress=steps.append
    )
    assert (made.path, made.kept_failed) == (output, False)
    assert made.manifest.format == {"name": "onnx", "opset": 18, "for": "cpu"}
    assert steps[0] == "source"
    with open_runner(output, threads=1) as runner:
        assert runner.manifest.size.fixed == Size(64, 64)
    photo, mask = tmp_path / "photo.png", tmp_path / "mask.png"
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    hole = np.zeros((40, 50), dtype=np.uint8)
    hole[10:20, 10:30] = 255
    Image.fromarray(pixels).save(photo)
    Image.fromarray(hole).save(mask)
    with Inpainter.open(output, threads=1) as inpainter:
        result = inpainter(photo, mask)
        again = inpainter(pixels, hole)
    np.testing.assert_array_equal(np.asarray(result), again)
    np.testing.assert_array_equal(again[hole == 0], pixels[hole == 0])
    with pytest.raises(UsageError, match="add overwrite=True"):
        export(golden_folder, output, size=64)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[record.Export]:
    """The jobs that `export` hands over, in the place of doing them."""
    from lama_edge import pipeline

    jobs: list[record.Export] = []
    monkeypatch.setattr(pipeline, "export_model", lambda job, progress: jobs.append(job))
    return jobs


@pytest.mark.parametrize("form", record.formats(), ids=lambda form: form.name)
def test_the_suffix_says_the_format(form: record.Format, asked: list[record.Export]) -> None:
    export("lama-tiny", f"some/m{form.suffix}")
    assert (asked[0].format, asked[0].output) == (form.name, Path(f"some/m{form.suffix}"))


def test_a_suffix_of_two_formats_wants_the_format_and_of_none_says_what_there_is(
    monkeypatch: pytest.MonkeyPatch, asked: list[record.Export]
) -> None:
    with pytest.raises(UsageError, match=r"no format has the suffix of 'm\.h5'.*\.onnx \(onnx\)"):
        export("lama-tiny", "m.h5")
    onnx, *others = record.formats()
    monkeypatch.setattr(type(others[0]), "suffix", ".onnx")
    with pytest.raises(UsageError, match="several formats: say which with format='onnx' or 'core"):
        export("lama-tiny", "m.onnx")
    export("lama-tiny", "m.onnx", format="onnx")
    assert asked[0].format == onnx.name


def test_sizes_are_what_people_write(asked: list[record.Export]) -> None:
    export("lama-tiny", "m.mlpackage", size=[512, "512x768", Size(64, 72)])
    export("lama-tiny", "m.onnx", size="dynamic")
    export("lama-tiny", "m.onnx")
    assert [job.sizes for job in asked] == [
        (Size(512, 512), Size(512, 768), Size(64, 72)),
        (None,),
        (),
    ]


def test_options_are_what_the_command_line_makes_of_its_flags(
    asked: list[record.Export],
) -> None:
    export(
        *("lama-tiny", "m.engine"),
        **{"compute_capability": "8.6", "workspace": 64, "tf32": True},
        ignore="head",
        calibrate="pictures",
    )
    export("lama-tiny", "m.onnx", for_=None, opset=None)
    (job, unsaid) = asked
    assert job.options == {"compute_capability": ("8.6",), "workspace": 64, "tf32": True}
    assert unsaid.options == {}
    assert (job.ignore, job.calibrate) == (("head",), Path("pictures"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"precison": "fp16"},
            "has no option 'precison'; its own are: for_, batch, dft, opset",
        ),
        ({"size": (512, 768)}, r"size=\(512, 768\) is no size: give 'HEIGHTxWIDTH'"),
        ({"size": 512.0}, r"size=512.0 is not a size; give 512, '512x768'"),
        ({"size": True}, "size=True is not a size"),
        ({"opset": "17"}, "opset is '17'; give a whole number"),
        ({"opset": 3}, "opset=3 is not supported"),
        ({"for_": "fun"}, "for_='fun' is not known; choose one of: any, cpu, gpu, web"),
        ({"kernels": "fast"}, "kernels='fast' is not known; choose one of: direct, bands"),
        ({"io": "image"}, "io='image' is no form of an ONNX file: use io='float' or 'uint8'"),
        ({"precision": "bf16"}, "precision='bf16' is none of an ONNX file's"),
        ({"format": "onxx"}, "there is no export format 'onxx'"),
        ({"format": "coreml"}, r"must end in \.mlpackage"),
    ],
)
def test_what_cannot_be_exported_is_one_error_that_names_parameters(
    golden_folder: Path, tmp_path: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(LamaEdgeError, match=message):
        export(golden_folder, tmp_path / "m.onnx", **{"size": 64, **options})  # type: ignore[arg-type]
    assert not [*tmp_path.iterdir()]


def test_no_model_is_opened_with_less_than_a_thread(golden_folder: Path) -> None:
    with pytest.raises(UsageError, match="threads is 0; give 1 or more"):
        open_runner(golden_folder, threads=0)
