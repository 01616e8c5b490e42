"""The reference is the checkpoint that the models were exported from, if it is here."""

from __future__ import annotations

from pathlib import Path

import pytest

from lama_edge.benchmarks.parity.reference import choose_reference
from lama_edge.errors import UsageError
from lama_edge.files import sha256_of
from lama_edge.models.zoo import CACHE_VARIABLE, installed_path, zoo_entries, zoo_entry


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    return tmp_path


def test_models_of_the_embedded_checkpoint_find_it() -> None:
    path = installed_path(zoo_entry("lama-tiny"))
    assert path is not None
    assert choose_reference({sha256_of(path)}) == "lama-tiny"


@pytest.mark.parametrize("archived", [True, False])
def test_models_of_a_fetched_checkpoint_find_it(cache: Path, archived: bool) -> None:
    entry = next(e for e in zoo_entries() if e.address and bool(e.members) == archived)
    files = [member.path for member in entry.members] or [entry.address.rpartition("/")[2]]
    for name in files:
        path = cache / entry.name / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"weights in {name}".encode())
    weights = "models/best.ckpt" if archived else files[0]
    assert choose_reference({sha256_of(cache / entry.name / weights)}) == entry.name


def test_an_unknown_checkpoint_has_to_be_named() -> None:
    with pytest.raises(UsageError, match=r"checkpoint abababababab… .* reference"):
        choose_reference({"ab" * 32})


def test_models_of_several_checkpoints_need_a_reference_named() -> None:
    with pytest.raises(UsageError, match=r"from 2 different checkpoints: .* as reference"):
        choose_reference({"ab" * 32, "cd" * 32})
