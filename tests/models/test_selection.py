"""What a file holds beside the generator is refused where it may matter, and chosen by name."""

from __future__ import annotations

import collections
import random

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from lama_edge.errors import CheckpointError
from lama_edge.models.checkpoint import TRAINING_FORMAT, load_checkpoint
from lama_edge.models.torch_modules import build_generator

WEIGHT = "model.1.ffc.convl2l.weight"


@pytest.fixture(autouse=True)
def bare(writer):
    """What is chosen must not depend on a config."""
    (writer.folder / "config.yaml").unlink()


@pytest.fixture
def tensors(golden_checkpoint):
    return {name: torch.from_numpy(array) for name, array in golden_checkpoint.tensors.items()}


@pytest.fixture
def average(tensors):
    """Another generator of the same architecture."""
    return {name: tensor * 0.5 for name, tensor in tensors.items()}


EXTRAS = {
    "a structure part": ("gen_state_dict", {"str_state_dict": {"alpha5": 1}}, "str_state_dict"),
    "two levels deep": ("gen", {"more": {"deep": {"rel_pos_emb.weight": 1}}}, "more"),
    "beside a state_dict": ("state_dict", {"mpe": {"direct_emb": 1}}, "mpe"),
    "in a list": ("gen", {"terms": [1, 1]}, "terms"),
    "at the top": ("state_dict", {"alpha6": 1}, "alpha6"),
    "a scale named like a layer": ("params", {"head_scale": 1}, "head_scale"),
}


def filled(value):
    """Give drawn tensors in the place of numbers."""
    if isinstance(value, dict):
        return {name: filled(one) for name, one in value.items()}
    if isinstance(value, list):
        return [filled(one) for one in value]
    return torch.rand(3)


@pytest.mark.parametrize("name", EXTRAS)
def test_what_is_not_read_beside_a_generator_is_refused_by_name(writer, refusal, tensors, name):
    entry, extra, part = EXTRAS[name]
    path = writer.saved({entry: tensors, **filled(extra)})
    assert refusal(path).endswith(f"add ignore=['{part}']")
    checkpoint = load_checkpoint(path, ignore=[part])
    build_generator(checkpoint)
    assert checkpoint.selection.ignored == (part,)
    assert checkpoint.selection.unread == ()


@pytest.mark.parametrize("prefix", ["", "generator.", "module.generator."])
@pytest.mark.parametrize("suffix", [".ckpt", ".safetensors"])
def test_drawn_tensors_in_the_generators_own_prefix_are_refused(
    writer, refusal, tensors, prefix, suffix
):
    draw = random.Random(prefix + suffix)
    extra = f"{prefix}{draw.choice('abcdefgh')}pha{draw.randrange(9)}.weight"
    path = writer.folder / f"made{suffix}"
    named = {f"{prefix}{name}": t for name, t in tensors.items()} | {extra: torch.rand(2)}
    torch.save({"state_dict": named}, path) if suffix == ".ckpt" else save_file(named, path)
    message = refusal(path)
    assert f"'{extra}'" in message
    build_generator(load_checkpoint(path, ignore=[message.split("'")[-2]]))


def test_a_tensor_among_the_generators_layers_is_refused_until_it_is_ignored(
    writer, refusal, tensors
):
    path = writer.saved({"g": {**tensors, "model.4.alpha5": torch.rand(1)}})
    assert "unexpected tensors: 'model.4.alpha5'" in refusal(path)
    for name in ("model.4.alpha5", "g.model.4.alpha5"):
        build_generator(load_checkpoint(path, ignore=[name]))


def test_a_tensor_that_is_read_cannot_be_ignored(writer, refusal_of, tensors):
    path = writer.saved({"g": tensors})
    loaded = load_checkpoint(path, ignore=[WEIGHT])
    assert "lacks tensors" in refusal_of(lambda: build_generator(loaded))


def test_a_tensor_may_be_ignored_without_the_generators_prefix(writer, tensors):
    within = {f"generator.{name}": value for name, value in tensors.items()}
    path = writer.saved({**within, "generator.alpha": torch.ones(3)})
    assert load_checkpoint(path, ignore=["alpha"]).selection.ignored == ("alpha",)


def test_single_tensors_of_a_part_can_be_ignored(writer, refusal_of, tensors):
    path = writer.saved({"g": tensors, "mpe": {"a": torch.rand(1), "b": torch.rand(1)}})
    message = refusal_of(lambda: load_checkpoint(path, ignore=["mpe.a"]))
    assert "'mpe.b'" in message
    assert "'mpe.a'" not in message
    load_checkpoint(path, ignore=["mpe.a", "mpe.b"])


@pytest.mark.parametrize(("count", "what"), [(20_000, "tensors"), (70, "generators")])
def test_absurd_numbers_of_tensors_and_generators_are_refused(
    writer, call, storage, refusal, count, what
):
    tensor = call(torch._utils._rebuild_tensor_v2, (storage(), 0, (4,), (1,), False, {}))
    name = "" if what == "tensors" else f".{WEIGHT}"
    message = refusal(writer.holding({f"n{index}{name}": tensor for index in range(count)}))
    assert f"holds {count} {what}, over" in message


def test_ignoring_what_is_not_there_is_an_error(writer, refusal_of, tensors):
    path = writer.saved({"g": tensors, "mpe": {"a": torch.rand(1)}})
    message = refusal_of(lambda: load_checkpoint(path, ignore=["mp"]))
    assert "has no 'mp' to leave out; beside the generator it has: 'mpe'" in message


@pytest.mark.parametrize("kind", ["own", "module", "defaultdict"])
def test_a_companion_inside_an_object_is_seen(writer, refusal, tensors, kind):
    term = torch.rand(2)
    companion = {
        "own": lambda: Holder(term=term),
        "module": lambda: torch.nn.Linear(2, 2),
        "defaultdict": lambda: collections.defaultdict(list, term=term),
    }[kind]()
    assert "ignore=['mpe']" in refusal(writer.saved({"g": tensors, "mpe": companion}))


def test_a_companion_as_numpy_array_is_seen(writer, refusal, tensors):
    path = writer.saved({"g": tensors, "alpha": np.ones(3)})
    assert "'alpha'" in refusal(path)


class Holder:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


@pytest.mark.parametrize(
    "part",
    [
        "discriminator", "dis_state_dict", "netD", "D", "loss_resnet_pl", "loss_pl", "epoch",
        "test_evaluators", "optimizer_states", "optG", "gen_optimizer", "optimizer", "callbacks",
        "lr_schedulers", "hyper_parameters", "ema_decay", "val_evaluator", "torch_rng_state",
    ],
)  # fmt: skip
def test_what_only_training_needs_is_left_out(writer, golden_checkpoint, tensors, part):
    path = writer.saved({"state_dict": tensors, part: {"weight": torch.rand(4)}})
    checkpoint = load_checkpoint(path)
    assert checkpoint.selection.left_out == (part,)
    assert checkpoint.tensors.keys() == golden_checkpoint.tensors.keys()


PAIRS = [("params", "params_ema"), ("g", "g_ema"), ("generator", "generator_average")]


@pytest.mark.parametrize("names", PAIRS, ids="-".join)
@pytest.mark.parametrize("place", ["top", "nested", "named"])
def test_of_several_generators_none_is_taken_unasked(
    writer, refusal, refusal_of, tensors, average, names, place
):
    both = dict(zip(names, (tensors, average), strict=True))
    prefix = "checkpoint." if place == "nested" else ""
    if place == "named":
        flat = {f"{n}.{key}": t for n, one in both.items() for key, t in one.items()}
        path = writer.saved({"state_dict": flat})
    else:
        path = writer.saved({"checkpoint": both} if place == "nested" else both)
    listed = ", ".join(repr(f"{prefix}{name}") for name in names)
    assert f"holds 2 generators, {listed}: name one" in refusal(path)
    for name, own in both.items():
        checkpoint = load_checkpoint(f"{path}#{prefix}{name}")
        assert checkpoint.selection.entry == f"{prefix}{name}"
        assert np.array_equal(checkpoint.tensors[WEIGHT], own[WEIGHT].numpy())
    message = refusal_of(lambda: load_checkpoint(f"{path}#other"))
    assert f"has no generator 'other'; it has: {listed}" in message


def test_a_generator_at_the_top_beside_a_nested_one_is_named_by_a_dot(
    writer, refusal, tensors, average
):
    path = writer.saved({**tensors, "ema": average})
    assert "'.', 'ema'" in refusal(path)
    for name, own in ((".", tensors), ("ema", average)):
        checkpoint = load_checkpoint(f"{path}#{name}")
        assert np.array_equal(checkpoint.tensors[WEIGHT], own[WEIGHT].numpy())


def test_the_chosen_generators_companion_is_refused_and_the_others_network_is_not(
    writer, refusal_of, tensors, average
):
    path = writer.saved({"g": tensors, "g_ema": {**average, "alpha": torch.rand(1)}})
    message = refusal_of(lambda: load_checkpoint(f"{path}#g_ema"))
    assert message.endswith("ignore=['g_ema.alpha']")
    build_generator(load_checkpoint(f"{path}#g"))


def test_an_averaged_copy_that_a_callback_keeps_counts(writer, refusal, tensors, average):
    path = writer.saved({"state_dict": tensors, "callbacks": {"EMA": {"weights": average}}})
    assert "'.', 'callbacks.EMA.weights'" in refusal(path)


@pytest.mark.parametrize("family", ["regular", "dilated"])
def test_networks_with_a_layer_of_the_stems_name_are_no_generators(writer, golden_folder, family):
    tensors = load_checkpoint(golden_folder.parent / family).tensors
    network = {f"generator.{name}": torch.from_numpy(array) for name, array in tensors.items()}
    network["discriminator.model.1.weight"] = torch.rand(8, 4, 4, 4)
    network["loss_pl.model.1.weight"] = torch.rand(8, 3, 3, 3)
    build_generator(load_checkpoint(writer.saved({"state_dict": network})))


def test_one_dictionary_under_two_names_is_one_generator(writer, golden_checkpoint, tensors):
    checkpoint = load_checkpoint(writer.saved({"model": tensors, "best_model": tensors}))
    assert checkpoint.selection.entries == ("model",)


@pytest.mark.parametrize("path", [("model", "state_dict"), ("checkpoint", "model", "state_dict")])
@pytest.mark.parametrize("prefix", ["", "generator."])
def test_a_generator_some_levels_deep_is_found(writer, golden_checkpoint, tensors, path, prefix):
    content = {f"{prefix}{name}": tensor for name, tensor in tensors.items()}
    for step in reversed(path):
        content = {step: content, "epoch": 3}
    checkpoint = load_checkpoint(writer.saved(content))
    assert checkpoint.tensors.keys() == golden_checkpoint.tensors.keys()
    assert checkpoint.selection.entry is None


def test_a_trainings_own_file_gives_its_averaged_generator(writer, tensors, average):
    path = writer.folder / "run.safetensors"
    named = {f"generator.{n}": t for n, t in average.items()}
    named |= {f"trained.{n}": t for n, t in tensors.items()} | {"muon.0.momentum": torch.rand(2)}
    save_file(named, path, {"format": TRAINING_FORMAT})
    loaded = load_checkpoint(path)
    assert np.array_equal(loaded.tensors[WEIGHT], average[WEIGHT].numpy())
    save_file(named, path)
    with pytest.raises(CheckpointError, match="holds 2 generators"):
        load_checkpoint(path)
