"""What `make web` does with what npm and Vite gave."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

from places import ROOT

COMPRESS = ROOT / "runtimes/web/building/compress.py"


def test_what_is_compressed_is_the_same_file_and_the_same_bytes_each_time(tmp_path: Path) -> None:
    text = b"let a = 1;\n" * 1000
    (tmp_path / "assets").mkdir()
    for name in ("assets/a.js", "picture.png"):
        (tmp_path / name).write_bytes(text)
    (tmp_path / "small.js").write_bytes(b"1")
    made = []
    for _ in range(2):
        subprocess.run([sys.executable, COMPRESS, tmp_path], check=True)
        made.append((tmp_path / "assets/a.js.gz").read_bytes())
    assert made[0] == made[1]
    assert gzip.decompress(made[0]) == text
    assert {path.name for path in tmp_path.rglob("*.gz")} == {"a.js.gz"}
