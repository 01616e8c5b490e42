"""Writes the manifests of the shared vectors as first inputs: seeds.py VECTORS FOLDER."""

import json
import sys
from pathlib import Path

cases = json.loads(Path(sys.argv[1]).read_text())["manifests"]
for index, case in enumerate(cases):
    (Path(sys.argv[2]) / f"vector-{index}").write_text(case["json"])
