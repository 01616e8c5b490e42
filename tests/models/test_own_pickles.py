"""Checkpoints of people's own trainings: any protocol and any class is data, held inert."""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import fractions
import functools
import os
import pathlib
import pickle
import random
import types
import uuid
import zoneinfo
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from lama_edge.models.checkpoint import load_checkpoint
from lama_edge.models.torch_modules import build_generator

PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)


class Loud:
    """Says so if anything of it ever runs while it is read."""

    def __init__(self):
        self.rate, self.nested = 0.1, {"tensor": torch.ones(1)}

    def __setstate__(self, state):
        raise AssertionError("run")


class Slotted:
    __slots__ = ("rate",)

    def __init__(self):
        self.rate = 1e-4


class Made:
    """Is made anew with keyword arguments, which protocol 4 has an opcode for."""

    def __new__(cls, *, rate):
        return super().__new__(cls)

    def __getnewargs_ex__(self):
        return (), {"rate": 1}


class Reduced:
    def __reduce__(self):
        return Reduced.build, (torch.ones(2),), {"a": 1}, iter([1]), iter([("k", 2)])

    @staticmethod
    def build(tensor):
        raise AssertionError("run")


class Phase(enum.Enum):
    WARM = 1


class Colour(enum.Flag):
    """Pickles by `getattr` on some versions of Python."""

    RED = 1

    def __reduce_ex__(self, protocol):
        return getattr, (Colour, "RED")


class Table(dict):
    pass


class Row(list):
    pass


@dataclass(frozen=True)
class Settings:
    width: int = 8


@dataclass(frozen=True)
class Key:
    name: str


Point = collections.namedtuple("Point", "x y")
SETTINGS = {
    "date": datetime.datetime(2024, 5, 1, tzinfo=datetime.UTC),
    "span": datetime.timedelta(1),
    "zone": zoneinfo.ZoneInfo("UTC"),
    "complex": 1 + 2j,
    "tuple keys": {("a", 1): 2, (): 3, ((), ("b",)): 4},
    "odd keys": {1.5: 1, True: 2, None: 3, b"x": 4, 10**30: 5, Key("a"): 6, frozenset({1}): 7},
    "keys of time": {datetime.date(2024, 5, 1): 1, 2j: 2, Phase.WARM: 3},
    "objects": [
        Loud(),
        Slotted(),
        Made(rate=1),
        Reduced(),
        Settings(),
        Phase.WARM,
        Colour.RED,
        Point(1, 2),
    ],
    "containers": [Table(a=1), Row([1, 2]), {1, 2}, frozenset({3}), bytearray(b"ab"), b"x" * 300],
    "numbers": [2**70, -(2**2100), 3.5, decimal.Decimal("1.5"), fractions.Fraction(1, 3), range(3)],
    "others": [uuid.UUID(int=1), pathlib.PurePosixPath("a"), types.SimpleNamespace(a=1)],
    "functions": [functools.partial(Settings, 3), os.path.join, random.Random(1), slice(1, 2)],
    "text": ["é" * 400, "s"],
    "torch": [torch.Size([1]), torch.float16, torch.device("cpu"), np.float32(1), np.arange(3)],
    "mapping": collections.OrderedDict([(("k",), [collections.Counter("ab")])]),
}
# Such a tuple or list is taken apart again on the way.
SETTINGS["recursive"] = [(SETTINGS["text"],)]
SETTINGS["recursive"].append(SETTINGS["recursive"])
LOOP = ([],)
LOOP[0].append(LOOP)


@pytest.fixture
def tensors(golden_checkpoint):
    return {name: torch.from_numpy(array) for name, array in golden_checkpoint.tensors.items()}


@pytest.fixture
def saved(writer):
    def save(content, protocol):
        path = writer.folder / "own.ckpt"
        torch.save(content, path, pickle_protocol=protocol)
        return path

    return save


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", [*SETTINGS, "loop"])
def test_settings_of_any_kind_beside_the_weights_are_held_inert(
    saved, tensors, golden_checkpoint, protocol, kind
):
    value = LOOP if kind == "loop" else SETTINGS[kind]
    content = {"hyper_parameters": value, "state_dict": tensors}
    checkpoint = load_checkpoint(saved(content, protocol))
    for name, array in golden_checkpoint.tensors.items():
        assert checkpoint.tensors[name].tobytes() == array.tobytes(), name
    build_generator(checkpoint)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_drawn_mixtures_of_them_are_read_too(saved, tensors, protocol):
    draw = random.Random(protocol)
    kinds = list(SETTINGS)

    def mixture(depth):
        picked = [SETTINGS[draw.choice(kinds)] for _ in range(3)]
        below = [mixture(depth - 1)] if depth else []
        return draw.choice([list, tuple, lambda items: dict(enumerate(items))])(picked + below)

    for _ in range(3):
        content = {"hparams": mixture(4), "model": {"state_dict": tensors}, "args": Loud()}
        build_generator(load_checkpoint(saved(content, protocol)))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_parameters_with_attributes_are_tensors(saved, tensors, golden_checkpoint, protocol):
    marked = {}
    for name, tensor in tensors.items():
        marked[name] = (
            torch.nn.Parameter(tensor, requires_grad=False) if "weight" in name else tensor
        )
        marked[name].tag = "mine"
    checkpoint = load_checkpoint(saved({"params": marked}, protocol))
    assert checkpoint.tensors.keys() == golden_checkpoint.tensors.keys()


@pytest.mark.parametrize("protocol", [0, 1])
def test_text_protocols_are_read(writer, refusal, protocol):
    """torch itself cannot write tensors in protocol 0; what it can is understood, and no more."""
    values = [2**70, 1.5, "é\n", b"x", True, None, (1, 2, 3, 4), {"a": [1]}, Settings(), {1, 2}]
    assert "holds no" in refusal(
        writer.holding({"values": values, "again": values}, protocol=protocol)
    )


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "function",
    [os.system, eval, exec, getattr, __import__, open, pickle.loads, os.remove, pathlib.Path.touch],
    ids=lambda function: function.__name__,
)
def test_calls_that_no_data_makes_are_refused_in_every_protocol(
    writer, call, refusal, function, protocol
):
    hidden = {"hyper_parameters": [call(function, ("x",))]}
    message = refusal(writer.holding(hidden, protocol=protocol))
    assert f".{function.__name__}', which is no part of a checkpoint; nothing was run" in message


@pytest.mark.parametrize("named", [b"torch\x8c\tos.system", b"collections\x8c\x0c_sys.modules"])
def test_a_detour_through_what_a_library_imported_is_refused(writer, refusal, named):
    module, _, name = named.partition(b"\x8c")
    program = (
        b"\x80\x04\x8c" + bytes([len(module)]) + module + b"\x8c" + name + b"\x93\x8c\x01x\x85R."
    )
    if b"_sys" in name:
        program = program.replace(b"\x0c_sys.modules", b"\x0bsys.modules")
    assert "which is no part of a checkpoint" in refusal(writer.pickled(program))


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (b"\x80\x05\x97.", "it uses NEXT_BUFFER"),
        (b"\x80\x05N\x98.", "it uses READONLY_BUFFER"),
        (b"\x80\x04\x8d" + b"\xff" * 7 + b"\x7fab.", "damaged"),
        (b"\x80\x05\x96" + b"\xff" * 7 + b"\x7fab.", "damaged"),
        (b"\x80\x04NN\x93.", "by something that is no text"),
        (b"\x80\x04\x94.", "damaged"),
        (b"\x80\x04]N\x90.", "damaged"),
        (b"Pstorage\n.", "no tensor storage"),
        (b"\x80\x02Nr\xff\xff\xff\x7f\x94h\x01.", "holds no"),
    ],
    ids=repr,
)
def test_odd_uses_of_the_newer_opcodes_are_refused(writer, refusal, program, reason):
    assert reason in refusal(writer.pickled(program))


def test_sets_and_memos_nested_without_end_are_bounded(writer, refusal):
    deep = b"\x80\x04" + b"\x8f" * 50_000 + b"\x94" * 50_000 + b"(" * 50_000 + b"\x91" * 50_000
    refusal(writer.pickled(deep + b"."))
    records = b"\x80\x04\x8c\x01m\x8c\x01C\x93\x94" + b"h\x00)\x81" * 20_000 + b"."
    refusal(writer.pickled(records))
    chain = b"\x80\x04" + b"}\x8c\x01k" * 20_000 + b"N" + b"s" * 20_000
    assert "holds no" in refusal(writer.pickled(chain + b"."))
    names = b"\x80\x04\x8c\x08builtins\x8c\x07getattr\x93\x94\x8c\x01m\x8c\x01C\x93"
    names += b"\x94h\x00h\x01\x8c\x01a\x86R" + b"\x94h\x00h\x02\x8c\xc8" + b"a" * 200 + b"\x86R"
    names += b"\x94h\x00h\x03\x8c\xc8" + b"a" * 200 + b"\x86R"
    assert "too long" in refusal(writer.pickled(names + b"."))
