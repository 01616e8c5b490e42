"""Makes the wheel of ONNX Runtime Web out of the npm package: ort_wheel.py FOLDER.

Run by `make web`, with the environment of `make check`, after `npm ci`. The same npm package and
tools give the same bytes, where SOURCE_DATE_EPOCH is set.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from compress import compress

from lama_edge.web.parts import ORT_FILES

_TEMPLATE = Path(__file__).resolve().parent / "ort_wheel"
_NPM = _TEMPLATE.parents[1] / "node_modules/onnxruntime-web"
# The npm package has no licence texts; Python's has those of all that ONNX Runtime is made of,
# Dawn and Emscripten among it.
_LICENCES = ("LICENSE", "ThirdPartyNotices.txt")


def main(folder: str) -> None:
    """Make the wheel in a folder, in the place of older ones."""
    version = json.loads((_NPM / "package.json").read_text(encoding="utf-8"))["version"]
    found = find_spec("onnxruntime")
    if found is None or found.origin is None:
        sys.exit("the licence texts are taken from Python's onnxruntime: install it")
    with tempfile.TemporaryDirectory() as made:
        tree = Path(made)
        for name in ("pyproject.toml", "README.md"):
            shutil.copy(_TEMPLATE / name, tree)
        for name in _LICENCES:
            shutil.copy(Path(found.origin).parent / name, tree)
        package = tree / "lama_edge_ort_web"
        (package / "files").mkdir(parents=True)
        (package / "__init__.py").write_text(
            f'"""ONNX Runtime Web\'s files, in ``files``."""\n\n__version__ = "{version}"\n',
            encoding="utf-8",
        )
        for name in ORT_FILES:
            shutil.copy(_NPM / "dist" / name, package / "files")
        compress(package / "files")
        for old in Path(folder).glob("lama_edge_ort_web-*.whl"):
            old.unlink()
        command = [sys.executable, "-P", "-m", "build", "--wheel", "--outdir", folder, made]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main(sys.argv[1])
