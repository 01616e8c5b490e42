"""torch checkpoints are read as data: legitimate ones exactly, hostile ones without effect."""

from __future__ import annotations

import builtins
import collections
import contextlib
import copyreg
import os
import pickle
import random
import struct
import subprocess
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from lama_edge.errors import CheckpointError
from lama_edge.models import torch_file
from lama_edge.models.torch_file import TorchFile

BIT_FLIPS = 100
DEPTH = 100_000
WEIGHT = "generator.model.1.ffc.convl2l.weight"
TYPES = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8"]


def read_all(path):
    with TorchFile(path) as file:
        return dict(file.read(file.state_dict()))


@pytest.mark.parametrize("name", TYPES)
def test_tensors_of_every_type_come_back_with_floats_as_float32(writer, name):
    tensor = torch.arange(-6, 6).to(getattr(torch, name)).reshape(3, 4)
    read = read_all(writer.saved({"a": tensor}))["a"]
    assert read.dtype == (np.float32 if tensor.is_floating_point() else name)
    assert np.array_equal(read, tensor.float().numpy())


def test_views_parameters_scalars_and_empty_tensors_come_back_exactly(writer):
    base = torch.arange(24.0).reshape(4, 6)
    tensors = {
        "transposed": base.T,
        "slice": base[1:3, 2:5],
        "expanded": base[0, :1].expand(1),
        "parameter": nn.Parameter(base),
        "scalar": torch.tensor(7),
        "flag": torch.tensor([True, False]),
        "empty": torch.zeros(0, 5),
    }
    read = read_all(writer.saved(tensors))
    assert {name: array.shape for name, array in read.items()} == {
        name: tuple(tensor.shape) for name, tensor in tensors.items()
    }
    for name, tensor in tensors.items():
        assert np.array_equal(read[name], tensor.detach().numpy()), name
        assert read[name].flags.c_contiguous
        assert read[name].flags.writeable


def test_a_module_state_dict_with_its_metadata_loads(writer):
    state = nn.BatchNorm2d(3).state_dict()
    assert state._metadata
    assert set(read_all(writer.saved({"state_dict": state}))) == set(state)


def test_objects_of_training_libraries_are_records_without_code(writer):
    """Training checkpoints carry numpy scalars, counters, configurations and modules."""
    foreign = {
        "callbacks": {nn.Linear: {"score": np.float64(3)}},
        "schedulers": [collections.Counter(a=1), collections.defaultdict(list, a=[1])],
        "module": nn.Linear(2, 2),
        "recursive": [],
    }
    foreign["recursive"].append(foreign)
    path = writer.saved({**foreign, "state_dict": {"a": torch.ones(2)}})
    inside = {f"module._parameters.{name}" for name in ("weight", "bias")}
    assert read_all(path).keys() == {"a", *inside}


def test_tensors_of_unknown_types_hurt_only_when_they_are_wanted(writer, refusal):
    complex_tensor = torch.zeros(2, dtype=torch.complex64)
    path = writer.saved({"other": complex_tensor, "state_dict": {"a": torch.ones(2)}})
    with TorchFile(path) as file:
        assert [name for name, _ in file.read({"a": file.state_dict()["a"]})] == ["a"]
    path = writer.saved({"state_dict": {WEIGHT: complex_tensor}})
    assert "unsupported type 'ComplexFloatStorage'" in refusal(path)


@pytest.fixture
def extension():
    """Registers os.system under the code that the EXT1 program uses."""
    copyreg.add_extension("posix", "system", 0xF0)
    yield
    copyreg.remove_extension("posix", "system", 0xF0)


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


HOSTILE_PROGRAMS = {
    "REDUCE": lambda code: b"\x80\x02cposix\nsystem\n" + text(code) + b"\x85R.",
    "REDUCE, text protocol": lambda code: b"cposix\nsystem\n(V" + code.encode() + b"\ntR.",
    "INST": lambda code: b"(V" + code.encode() + b"\niposix\nsystem\n.",
    "OBJ": lambda code: b"(cposix\nsystem\n" + text(code) + b"o.",
    "NEWOBJ": lambda code: b"\x80\x02csubprocess\nPopen\n" + text(f"{code}\n") + b"\x85\x81.",
    "NEWOBJ_EX": lambda code: b"\x80\x04csubprocess\nPopen\n" + text(code) + b"\x85}\x92.",
    "STACK_GLOBAL": lambda code: (
        b"\x80\x04" + text("posix") + text("system") + b"\x93" + text(code) + b"\x85R."
    ),
    "EXT1": lambda code: b"\x80\x02\x82\xf0" + text(code) + b"\x85R.",
    "BUILD": lambda code: b"\x80\x02cposix\nsystem\n}" + text("a") + text(code) + b"sb.",
    "BUILD of slots": lambda code: (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nN}" + text("__doc__") + text(code) + b"s\x86b."
    ),
    "called result": lambda code: (
        b"\x80\x02ctorch\nload\n)R" + text(code) + b"\x85R."  # a held object is no function
    ),
    "key": lambda code: b"\x80\x02}cposix\nsystem\n" + text(code) + b"\x85RNs.",
}


@pytest.mark.parametrize("name", HOSTILE_PROGRAMS)
def test_hostile_programs_are_refused_and_run_nothing(writer, refusal, tmp_path, name, extension):
    mark = tmp_path / "ran"
    program = HOSTILE_PROGRAMS[name](f"touch {mark}")
    assert "nothing was run" in refusal(writer.pickled(program))
    assert not mark.exists()


SCRIPTED = b"\x80\x02c__torch__.a\nModule\n)\x81"


@pytest.mark.parametrize("name", HOSTILE_PROGRAMS)
def test_hostile_programs_inside_a_scripted_module_run_nothing(
    writer, refusal, tmp_path, name, extension
):
    mark = tmp_path / "ran"
    program = HOSTILE_PROGRAMS[name](f"touch {mark}").removeprefix(b"\x80\x02")
    assert "nothing was run" in refusal(writer.pickled(SCRIPTED + b"}" + text("model") + program))
    assert not mark.exists()


@pytest.mark.parametrize(
    "program",
    [
        SCRIPTED + b"q\x00}" + text("self") + b"h\x00sb.",
        b"\x80\x02c__torch__.a\nModule\n" + text("x") + b"\x85\x81.",
        SCRIPTED + b"Nb.",
        SCRIPTED + b"]b.",
    ],
    ids=["recursive", "with arguments", "without state", "with a list as state"],
)
def test_odd_scripted_modules_are_refused(writer, refusal, program):
    refusal(writer.pickled(program))


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (os.system, ("touch {mark}",)),
        (subprocess.Popen, (["touch", "{mark}"],)),
        (builtins.eval, ("open('{mark}', 'w')",)),
        (builtins.getattr, (os, "system")),
        (builtins.__import__, ("antigravity",)),
    ],
    ids=["system", "Popen", "eval", "getattr", "import"],
)
def test_a_call_hidden_among_tensors_is_refused_by_name(
    writer, call, refusal, tmp_path, function, arguments
):
    mark = tmp_path / "ran"
    filled = tuple(a.format(mark=mark) if isinstance(a, str) else str(a) for a in arguments)
    hidden = {"state_dict": {WEIGHT: [1, (2, [call(function, filled)])]}}
    message = refusal(writer.holding(hidden))
    assert f".{function.__name__}', which is no part of a checkpoint" in message
    assert not mark.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        {"shape": ("4",)},
        {"shape": "4"},
        {"shape": 4},
        {"shape": None},
        {"shape": (True,)},
        {"shape": (4.0,)},
        {"shape": (-4,)},
        {"shape": (10**300,)},
        {"shape": (5,)},
        {"shape": (10**6, 10**6), "stride": (0, 0)},
        {"shape": (0, 2**40, 2**40), "stride": (1, 1, 1)},
        {"shape": (1,) * 9, "stride": (1,) * 9},
        {"shape": (2, 2)},
        {"stride": (2,)},
        {"stride": (-1,)},
        {"shape": (1,), "stride": (2**63,)},
        {"offset": 1},
        {"offset": -1},
        {"offset": True},
        {"offset": "0"},
        {"offset": [[[]]]},
    ],
    ids=repr,
)
def test_absurd_arguments_of_a_tensor_are_refused(writer, refusal, arguments):
    assert "nothing was run" in refusal(writer.with_tensor(**arguments))


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        ({"numel": 3}, "beyond its data"),
        ({"numel": 5}, "has 16 bytes, its tensors need 20"),
        ({"numel": 2**39}, "bytes for its tensors, over"),
        ({"numel": -1}, "as a size"),
        ({"numel": True}, "as a size"),
        ({"numel": 10**300}, "as a size"),
        ({"kind": torch.DoubleStorage}, "its tensors need 32"),
        ({"kind": os.system}, "unsupported type"),
        ({"kind": "FloatStorage"}, "no tensor storage"),
        ({"key": "1"}, "'made/data/1' is missing"),
        ({"key": "../../../etc/passwd"}, "is missing"),
        ({"key": "a\nb\x1b[2J"}, "is missing"),
        ({"key": "k" * 100_000}, "is missing"),
        ({"key": 0}, "no tensor storage"),
        ({"key": ("0",)}, "no tensor storage"),
    ],
    ids=str,
)
def test_lies_about_a_storage_are_refused(writer, storage, refusal, overrides, reason):
    assert reason in refusal(writer.with_tensor(storage=storage(**overrides)))


def nested(opening, closing, depth=DEPTH):
    return opening * depth + closing * depth


# Each would crash, hang or exhaust the memory of Python's own unpickler or its caller.
ABSURD_PROGRAMS = {
    "huge memo index": b"\x80\x02}r\xff\xff\xff\xff.",
    "tuple nested 100k deep as a key": b"\x80\x02})" + b"\x85" * DEPTH + b"Ns.",
    "tuple of exponential size as a key": b"\x80\x02})q\0" + b"h\0h\0\x86q\0" * 100 + b"Ns.",
    "tuple of exponential size as a size": (
        b"\x80\x02)q\0" + b"h\0h\0\x86q\0" * 100 + b"0ctorch._utils\n_rebuild_tensor_v2\n(h\0tR."
    ),
    "colliding integers as keys": b"\x80\x02}("
    + b"".join(pickle.dumps(n * (2**61 - 1), 2)[2:-1] + b"N" for n in range(1, 10_000))
    + b"u.",
    "lists nested 100k deep": b"\x80\x02" + nested(b"]", b"a")[:-1] + b".",
    "marks alone": b"\x80\x02" + b"(" * 1_000_000 + b".",
    "LONG4": b"\x80\x02\x8b" + struct.pack("<i", 1_000_000) + b"\xff" * 1_000_000 + b".",
    "a string beyond the end": b"\x80\x02X\xff\xff\xff\x7fabc.",
    "a dictionary in itself as a key": b"\x80\x02}q\0h\0Ns.",
    "an item for a tuple": b"\x80\x02)NNs.",
    "an odd number of items": b"\x80\x02}(Nu.",
    "no end": b"\x80\x02}",
    "nothing on the stack": b"\x80\x02.",
    "nothing below the arguments": b"\x80\x02)R.",
    "no mark": b"\x80\x02t.",
    "an unknown memo entry": b"\x80\x02h\x05.",
    "an unknown opcode": b"\x80\x02\xff.",
    "nothing": b"",
}


@pytest.mark.parametrize("name", ABSURD_PROGRAMS)
def test_absurd_programs_are_refused(writer, refusal, name):
    message = refusal(writer.pickled(ABSURD_PROGRAMS[name]))
    assert ("as a key" in message) == (name == "a dictionary in itself as a key")


@pytest.mark.parametrize("content", [None, [], "text", {"state_dict": []}, {1: 2, None: {}}])
def test_a_pickle_without_generator_tensors_is_refused(writer, refusal, content):
    assert "holds no" in refusal(writer.holding(content))


def test_tensors_sharing_a_storage_cannot_multiply_it(writer, call, storage, refusal, monkeypatch):
    """One storage under many names would fill the memory with copies."""
    monkeypatch.setattr("lama_edge.models.checkpoint._MAX_ELEMENTS", 100)
    tensor = call(torch._utils._rebuild_tensor_v2, (storage(), 0, (4,), (1,), False, {}))
    names = [WEIGHT, *(f"generator.model.{n}" for n in range(25))]
    path = writer.holding({"state_dict": dict.fromkeys(names, tensor)})
    assert "holds 104 weights, over 100" in refusal(path)


def test_each_storage_is_read_once(writer, monkeypatch):
    base = torch.zeros(8)
    path = writer.saved({f"t{n}": view for n, view in enumerate([base[:4], base[4:], base])})
    reads = []
    read_member = TorchFile._read_member
    monkeypatch.setattr(
        TorchFile,
        "_read_member",
        lambda self, name, **options: (reads.append(name), read_member(self, name, **options))[1],
    )
    assert len(read_all(path)) == 3
    assert [name for name in reads if "/data/" in name] == ["made/data/0"]


PROGRAM = pickle.dumps({}, 2)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({}, "without a data.pkl"),
        ({"made/other.pkl": PROGRAM}, "without a data.pkl"),
        ({"made/not_data.pkl": PROGRAM}, "without a data.pkl"),
        ({"a/data.pkl": PROGRAM, "b/data.pkl": PROGRAM}, "members twice"),
        ({"made/data.pkl": PROGRAM, "made/byteorder": b"big"}, "byte order b'big'"),
        ({"made/data.pkl": PROGRAM, "made/byteorder": b"l" * 1000}, "1000 bytes"),
    ],
    ids=["empty", "no pickle", "other name", "two", "big endian", "odd order"],
)
def test_zips_that_are_no_supported_checkpoint_are_refused(writer, refusal, members, reason):
    assert reason in refusal(writer.zip(members))


def test_duplicate_members_are_refused(writer, refusal):
    path = writer.zip({"made/data.pkl": PROGRAM})
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("made/data.pkl", PROGRAM)
    assert "members twice" in refusal(path)


def test_compressed_members_are_refused(writer, refusal):
    path = writer.zip(
        {"made/data.pkl": b"\x80\x02" + b"(" * 1_000_000}, compression=zipfile.ZIP_DEFLATED
    )
    assert "compressed" in refusal(path)


def test_a_pickle_too_long_is_refused_unread(writer, refusal, monkeypatch):
    monkeypatch.setattr(torch_file, "_MAX_PICKLE_BYTES", 10)
    assert "over 10" in refusal(writer.pickled(b"\x80\x02" + b"N0" * 10 + b"N."))


def test_a_zip_directory_too_large_is_refused_unread(writer, refusal, monkeypatch):
    path = writer.zip({"made/data.pkl": PROGRAM, **{f"made/{n}": b"" for n in range(100)}})
    monkeypatch.setattr(torch_file, "_MAX_READ_BYTES", 1000)
    assert "bytes at once" in refusal(path)


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"PK\5\6" + bytes(18), bytes(1000), pickle.dumps({"state_dict": {}})]
)
def test_files_that_are_no_zip_are_refused(writer, refusal, content):
    refusal(writer.raw(content))


def test_a_file_from_before_torch_1_6_is_refused_with_the_way_out(writer, refusal):
    path = writer.folder / "made.ckpt"
    torch.save({"state_dict": {}}, path, _use_new_zipfile_serialization=False)
    assert "saved again with a newer torch" in refusal(path)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.99, 0.999])
def test_truncated_files_are_refused(writer, golden_folder, refusal, share):
    content = (golden_folder / "models" / "best.ckpt").read_bytes()
    refusal(writer.raw(content[: int(share * len(content))]))


def test_flipped_bits_are_refused_or_harmless(writer, golden_folder):
    """A flip in zip padding or a date changes nothing; any other must be caught."""
    content = (golden_folder / "models" / "best.ckpt").read_bytes()
    original = read_all(writer.raw(content))
    draw = random.Random(0)
    directory = content.index(b"PK\1\2")
    for trial in range(BIT_FLIPS):
        damaged = bytearray(content)
        start = directory if trial % 2 else 0
        damaged[draw.randrange(start, len(content))] ^= 1 << draw.randrange(8)
        with contextlib.suppress(CheckpointError):
            read = read_all(writer.raw(bytes(damaged)))
            assert read.keys() == original.keys()
            assert all(np.array_equal(read[name], original[name]) for name in original)
