"""The Kotlin library's pure part agrees with Python: on the shared vectors, and on others."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from places import DATA

from lama_edge.imaging.masks import CHANNELS, MaskRules
from lama_edge.runtimes.vectors.format import Case, Topic
from lama_edge.runtimes.vectors.jobs import POLICIES, Ask, Job
from lama_edge.runtimes.vectors.manifests import manifest_read
from lama_edge.runtimes.vectors.masks import mask_read
from lama_edge.runtimes.vectors.model import Rectangle, hole_from, some_rectangles
from lama_edge.runtimes.vectors.windows import inpainted, planned

pytestmark = pytest.mark.kotlin

VECTORS = DATA / "vectors"
# What stands in the place of another value, or beside it.
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    7,
    8,
    64,
    8.0,
    8.5,
    1e300,
    2**40,
    "",
    "8",
    "é\n",
    [],
    [8],
)
LETTERS = '"\\{}[]:,.0123456789eE+- tfnul\n\x1féß😀'


def test_the_contract_is_pythons(junit: Callable[..., None]) -> None:
    classes = ("VectorsTest", "ContractTest", "ManifestTest", "OnnxMetadataTest", "PixelsTest")
    junit("core", *classes)


def test_vectors_of_another_version_are_refused_by_name(
    junit: Callable[..., None], tmp_path: Path
) -> None:
    shutil.copytree(VECTORS, tmp_path / "vectors")
    for path in (tmp_path / "vectors").glob("*.json"):
        path.write_text(path.read_text().replace('"version": 3', '"version": 4', 1))
    with pytest.raises(AssertionError, match="Failures: 5") as raised:
        junit("core", "VectorsTest", environment={"LAMA_EDGE_DATA": str(tmp_path)})
    assert str(raised.value).count("version 4: teach it to the tests") >= 5


@pytest.mark.parametrize(
    ("seed", "count"), [(1, 1), pytest.param(2, 30, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_what_chance_asks_is_answered_as_in_python(
    junit: Callable[..., None], tmp_path: Path, seed: int, count: int
) -> None:
    shutil.copytree(VECTORS, tmp_path / "vectors")
    for topic in topics(np.random.default_rng(seed), count):
        whole = json.loads((VECTORS / f"{topic.name}.json").read_text())
        # Of lists that are not drawn a few stay, so that none is missing.
        groups = {
            name: topic.groups.get(name, cases[:4])
            for name, cases in whole.items()
            if name != "version"
        }
        path = tmp_path / "vectors" / topic.name
        path.with_suffix(".json").write_text(Topic(topic.name, groups).to_json())
        if topic.data:
            path.with_suffix(".bin").write_bytes(topic.data)
    junit("core", "VectorsTest", environment={"LAMA_EDGE_DATA": str(tmp_path)})


def topics(rng: np.random.Generator, count: int) -> Iterator[Topic]:
    """Draw cases as the shared vectors have them, so many times the least that says something."""
    read = list(manifests(rng, 200 * count))
    taken = sum("error" not in case for case in read)
    assert 0.1 < taken / len(read) < 0.9
    yield Topic("manifests", {"manifests": read})
    plans = [planned(ask) for ask in asks(rng, 40 * count)]
    yield Topic("windows", {"plans": plans})
    data = bytearray()
    pictures = [inpainted(data, seed, job) for seed, job in enumerate(jobs(rng, 15 * count))]
    yield Topic("inpainting", {"pictures": pictures}, bytes(data))
    # Those of the vectors come first: lists that are not drawn point into them.
    data = bytearray((VECTORS / "masks.bin").read_bytes())
    masks = [mask_read(data, *mask) for mask in layers(rng, 60 * count)]
    assert {"used", "error"} <= {name for case in masks for name in case}
    yield Topic("masks", {"masks": masks}, bytes(data))


def asks(rng: np.random.Generator, count: int) -> Iterator[Ask]:
    for _ in range(count):
        height, width = (int(2**side) for side in rng.uniform(0, 10.3, size=2))
        strategy = rng.choice(["auto", "full", "crop", "resize"])
        yield Ask(
            (height, width),
            tuple(some_rectangles(rng, height, width, most=20)),
            POLICIES[rng.integers(len(POLICIES))],
            strategy,
            None if strategy == "full" or rng.random() < 0.3 else int(rng.integers(64, 1500)),
            None if rng.random() < 0.3 else int(2 ** rng.uniform(0, 40)),
            int(rng.integers(1, 200)),
        )


def jobs(rng: np.random.Generator, count: int) -> Iterator[Job]:
    for _ in range(count):
        height, width = (int(2**side) for side in rng.uniform(0, 8.3, size=2))
        holes: tuple[Rectangle, ...] = tuple(some_rectangles(rng, height, width, most=4))
        strategy = rng.choice(["auto", "full", "crop", "resize"])
        yield Job(
            (height, width),
            holes,
            str(rng.choice(["grey", "rgb", "rgba"])),
            POLICIES[rng.integers(len(POLICIES))],
            strategy,
            None if strategy == "full" or rng.random() < 0.5 else int(rng.integers(64, 300)),
            "float" if rng.random() < 0.5 else "uint8",
            composite=bool(rng.random() < 0.5),
        )


def layers(rng: np.random.Generator, count: int) -> Iterator[tuple[Any, MaskRules]]:
    """Yield masks of few colours and alphas, some of them nearly alike, and how they are read."""
    for _ in range(count):
        height, width = (int(side) for side in rng.integers(1, 40, 2))
        boxes = [some_rectangles(rng, height, width, most=3) for _ in range(2)]
        shape, alpha = (hole_from(box, height, width)[..., np.newaxis] for box in boxes)
        if rng.random() < 0.7:
            alpha = shape
        over, under = rng.integers(0, 256, (2, 3)) * rng.integers(0, 2, (2, 1))
        colours = np.where(shape, over, under) + rng.integers(0, 3, (height, width, 3)) * (
            rng.random() < 0.5
        )
        opaque, clear = rng.choice([0, 1, 90, 128, 254, 255], 2)
        mask = np.dstack([colours.clip(0, 255), np.where(alpha, opaque, clear)]).astype(np.uint8)
        channels = int(rng.choice([1, 3, 4, 4, 4]))
        rules = MaskRules(
            CHANNELS[rng.integers(len(CHANNELS))] if rng.random() < 0.4 else "auto",
            int(rng.integers(0, 30)) if rng.random() < 0.4 else 0,
            bool(rng.random() < 0.3),
        )
        yield (mask[..., 0] if channels == 1 else mask[..., :channels]).copy(), rules


def manifests(rng: np.random.Generator, count: int) -> Iterator[Case]:
    """Yield damaged manifests with what Python makes of them."""
    document = json.loads((VECTORS / "manifests.json").read_text())
    whole = [case["json"] for case in document["manifests"] if "error" not in case]
    for _ in range(count):
        text = whole[rng.integers(len(whole))]
        changed = (other_text if rng.random() < 0.4 else other_values)(text, rng)
        case = manifest_read(changed)
        if "error" not in case:
            case["may_refuse"] = kinds(json.loads(changed)) != kinds(json.loads(text))
        yield case


def other_text(text: str, rng: np.random.Generator) -> str:
    for _ in range(rng.integers(1, 3)):
        start = int(rng.integers(len(text)))
        length = int(rng.choice([0, 1, 1, 5]))
        letter = LETTERS[rng.integers(len(LETTERS))]
        text = text[:start] + letter * int(rng.choice([0, 1, 1, 3])) + text[start + length :]
    return text if rng.random() < 0.95 else text[: len(text) // 2]


def other_values(text: str, rng: np.random.Generator) -> str:
    data = json.loads(text)
    places = list(inside(data))
    holder, name = places[rng.integers(len(places))]
    value = VALUES[rng.integers(len(VALUES))]
    match int(rng.integers(4)):
        case 0:
            del holder[name]
        case 1 if isinstance(holder, dict):
            holder[str(rng.choice(["max_side", "batch", "kernels", "extra"]))] = value
        case _:
            holder[name] = value
    return json.dumps(data, ensure_ascii=bool(rng.random() < 0.5))


def inside(data: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each place in plain data: what holds a value, and by which name or number."""
    for name in data if isinstance(data, dict) else range(len(data)):
        yield data, name
        if isinstance(data[name], dict | list):
            yield from inside(data[name])


def kinds(data: Any) -> Any:
    """Return plain data with the names of types in the place of its values."""
    if isinstance(data, dict):
        return {name: kinds(value) for name, value in data.items()}
    return [kinds(value) for value in data] if isinstance(data, list) else type(data).__name__
