"""Damages thousands of files and counts what becomes of them: one line a case, resumable.

``nice python tests/mutation_campaign.py results.jsonl --first 200 --count 2000`` goes on where the
file ends; the table comes at the end, and with ``--count 0`` alone.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "helpers"))

from damaged_cases import (
    KINDS,
    MODELS,
    OTHER_MODELS,
    PACKAGES,
    command_server,
    content_of,
    lay_out,
    make_originals,
    problem_of,
    run,
)
from mutations import damaged

LIMIT_S = 60.0
OUTCOMES = ("same result", "other result", "refused", "wrong")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--first", type=int, default=200, help="the first seed")
    parser.add_argument("--count", type=int, default=2000, help="cases, shared out over the kinds")
    parser.add_argument("--kind", action="append", choices=KINDS, help="only these; may repeat")
    options = parser.parse_args()
    kinds = options.kind or KINDS
    known = options.results.read_text().splitlines() if options.results.exists() else []
    rows = [json.loads(line) for line in known]
    done = {(row["kind"], row["seed"]) for row in rows}
    with tempfile.TemporaryDirectory() as folder, command_server() as server:
        originals = make_originals(Path(folder)) if options.count else {}
        whole: dict[str, str] = {}
        for index in range(options.count):
            kind, seed = kinds[index % len(kinds)], options.first + index // len(kinds)
            if (kind, seed) in done:
                continue
            if kind not in whole:
                row = _case(server, kind, originals[kind].read_bytes(), originals, {})
                whole[kind] = row["content"]
            rng = np.random.default_rng([zlib.crc32(kind.encode()), seed])
            data = damaged(kind, originals[kind].read_bytes(), rng)
            row = {"kind": kind, "seed": seed, **_case(server, kind, data, originals, whole)}
            rows.append(row)
            with options.results.open("a") as file:
                print(json.dumps(row), file=file)
    counts = Counter((row["kind"], row["outcome"].partition(":")[0]) for row in rows)
    print("| kind | " + " | ".join(OUTCOMES) + " |\n|---|" + "---:|" * len(OUTCOMES))
    for kind in (*KINDS, None):
        cells = [
            sum(n for key, n in counts.items() if key[1] == o and kind in (None, key[0]))
            for o in OUTCOMES
        ]
        print(f"| {kind or 'all'} | " + " | ".join(map(str, cells)) + " |")


def _case(
    server: Any, kind: str, data: bytes, originals: dict[str, Path], whole: dict[str, str]
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words, output = lay_out(kind, data, originals, folder)
        ran = run(server, words, folder / "log", limit_s=LIMIT_S)
        problem, content = problem_of(ran, limit_s=LIMIT_S), ""
        if output is not None:
            written = [output] if ran.exit_code == 0 else []
            if problem is None and list(output.parent.iterdir()) != written:
                problem = "files"
            if problem is None and written:
                try:
                    content = content_of(output)
                except Exception as error:
                    problem = f"output: {error}"
        lines = ran.errors
        if problem is None and (
            words[0] == "export" or kind in (*MODELS, *PACKAGES, *OTHER_MODELS)
        ):
            words = ["inspect", words[2] if words[0] == "export" else words[1]]
            seen = run(server, words, folder / "inspect_log", limit_s=LIMIT_S)
            if (problem := problem_of(seen, limit_s=LIMIT_S)) is not None:
                problem, lines = f"inspect: {problem}", seen.errors
    same = "same result" if content == whole.get(kind) else "other result"
    outcome = f"wrong: {problem}" if problem else "refused" if ran.exit_code else same
    return {
        "outcome": outcome,
        "content": content,
        "exit_code": ran.exit_code,
        "wall_s": round(ran.wall_s, 2),
        "errors": lines[-3:] if problem is None else lines[-30:],
    }


if __name__ == "__main__":
    main()
