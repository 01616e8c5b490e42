"""Writes checkpoints of any content, hostile ones included, and tells how they are refused."""

from __future__ import annotations

import io
import pickle
import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from lama_edge.errors import CheckpointError
from lama_edge.models.checkpoint import load_checkpoint
from lama_edge.models.torch_modules import build_generator

MAX_MESSAGE_CHARACTERS = 600  # of which a temporary path takes up to 150, twice


@dataclass(frozen=True)
class Storage:
    """Pickles as a reference to a storage member."""

    key: Any = "0"
    numel: Any = 4
    kind: Any = torch.FloatStorage


@dataclass(frozen=True)
class Call:
    """Pickles as a call of a function."""

    function: Any
    arguments: tuple[Any, ...]

    def __reduce__(self) -> tuple[Any, ...]:
        return self.function, self.arguments


class StoragePickler(pickle.Pickler):
    def persistent_id(self, value: object) -> object:
        if isinstance(value, Storage):
            return "storage", value.kind, value.key, "cpu", value.numel
        return None


@dataclass(frozen=True)
class CheckpointWriter:
    """Writes into a folder that has the golden checkpoint's config.yaml."""

    folder: Path

    def raw(self, content: bytes) -> Path:
        path = self.folder / "made.ckpt"
        path.write_bytes(content)
        return path

    def zip(self, members: Mapping[str, bytes], **options: Any) -> Path:
        path = self.folder / "made.ckpt"
        with zipfile.ZipFile(path, "w", **options) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return path

    def pickled(self, program: bytes, **storages: bytes) -> Path:
        """Write a checkpoint with this `data.pkl`; storage ``_0`` is named ``0``."""
        data = {f"made/data/{name[1:]}": content for name, content in storages.items()}
        return self.zip({"made/data.pkl": program, **data})

    def holding(self, value: object, *, protocol: int = 2) -> Path:
        """Write a checkpoint that pickles a value, with one storage of four float32."""
        buffer = io.BytesIO()
        StoragePickler(buffer, protocol).dump(value)
        return self.pickled(buffer.getvalue(), _0=bytes(16))

    def saved(self, value: object) -> Path:
        path = self.folder / "made.ckpt"
        torch.save(value, path)
        return path

    def with_tensor(self, *, storage: object = None, **overrides: object) -> Path:
        """Write a checkpoint whose only tensor is rebuilt from these arguments."""
        arguments = {"offset": 0, "shape": (4,), "stride": (1,), **overrides}
        call = Call(
            torch._utils._rebuild_tensor_v2, (storage or Storage(), *arguments.values(), False, {})
        )
        return self.holding({"state_dict": {"generator.model.1.ffc.convl2l.weight": call}})


@pytest.fixture
def writer(tmp_path: Path, golden_folder: Path) -> CheckpointWriter:
    shutil.copy(golden_folder / "config.yaml", tmp_path)
    return CheckpointWriter(tmp_path)


@pytest.fixture
def call() -> type[Call]:
    return Call


@pytest.fixture
def storage() -> type[Storage]:
    return Storage


@pytest.fixture
def refusal_of() -> Callable[[Callable[[], object]], str]:
    """Calls something that must refuse a checkpoint on one line; returns the message."""

    def refused(action: Callable[[], object]) -> str:
        with pytest.raises(CheckpointError) as caught:
            action()
        message = str(caught.value)
        assert message.isprintable()
        assert len(message) < MAX_MESSAGE_CHARACTERS
        return message

    return refused


@pytest.fixture
def refusal(refusal_of: Callable[[Callable[[], object]], str]) -> Callable[[Path], str]:
    """Loads and builds a checkpoint that must be refused; returns the message."""
    return lambda path: refusal_of(lambda: build_generator(load_checkpoint(path)))
