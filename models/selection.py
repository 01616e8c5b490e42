"""Chooses a generator among a checkpoint's tensors, and tells what lies beside it unread.

A tensor that is not read may be a term of the function: LaMa-MPE keeps its position encoding in a
`str_state_dict` beside the generator's `gen_state_dict`. So what is left out is left out by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lama_edge.errors import CheckpointError, parameter, shown
from lama_edge.models.architecture import STEMS, Shapes, find_generators, infer_architecture
from lama_edge.models.config import GeneratorConfig

_ROOT = "."  # the name of a generator whose tensors lie at the top
_SHOWN = 3
# Big-lama with discriminator, losses and optimizer has 5000 tensors; the choice takes some time
# for each, with each generator.
_MAX_TENSORS = 1 << 14
_MAX_GENERATORS = 64
# Parts that no forward pass of a generator reads, by the last step of their name: networks that
# judge its pictures, and what a training keeps of itself. A part called otherwise may be a term.
JUDGES = (
    r"(net_?)?(?-i:D)(_.*)?|(net_?)?dis(c|crim|criminators?)?(_.*)?",  # discriminators
    r"loss(es)?(_.*)?|.*_loss(es)?|criterion(_.*)?|perceptual(_.*)?",
    r"((val|test|train)_)?(evaluators?|metrics?)(_.*)?",
)
RECORDS = (
    r"(.*_)?opt(im(izers?)?)?(_?[gd](en|isc)?)?(_.*)?|adamw?|sgd|muon",  # optimizers' states
    r"(.*_)?(lr_)?schedulers?(_.*)?|(grad_)?scaler|amp",
    r"callbacks|loops|hparams|hyper_parameters|config|args|.*rng_states?",
    r"epochs?|(global_)?steps?|iter(ation)?s?|best_.*|num_updates|n_averaged|(ema_)?decay",
    r"num_batches_tracked",  # batch norm's steps
)
_JUDGE = re.compile("|".join(JUDGES), re.IGNORECASE)
_HARMLESS = re.compile("|".join([*JUDGES, *RECORDS]), re.IGNORECASE)
# What needs no quotes in a shell and is spelled as it is.
_PLAIN = re.compile(r"[\w.:-]{1,80}", re.ASCII)
_NAME_CHARACTERS = 100


@dataclass(frozen=True)
class Wanted:
    """What a user wants of a checkpoint.

    Attributes:
        entry: the generator's name in it; None where it has one alone.
        ignore: parts and tensors to leave out, by name.
        strict: whether to refuse what cannot be left out unasked; else the first generator is
            taken and everything beside it is told.
        usual: the generator to take of several when none is named; None refuses.
    """

    entry: str | None = None
    ignore: tuple[str, ...] = ()
    strict: bool = True
    usual: str | None = None


@dataclass(frozen=True)
class Selection:
    """What is taken of a checkpoint, and what is not.

    Attributes:
        config: the generator's architecture.
        prefix: what stands before ``model.`` in the names of its tensors.
        names: its tensors, as the file names them.
        entry: its name where the file has several and it was named.
        ignored: the parts and tensors that were left out because the user said so.
        entries: the names of all generators.
        unread: parts beside it that may change what it computes.
        left_out: parts beside it that do not, see `JUDGES` and `RECORDS`.
    """

    config: GeneratorConfig
    prefix: str
    names: tuple[str, ...]
    entry: str | None
    ignored: tuple[str, ...]
    entries: tuple[str, ...]
    unread: tuple[str, ...]
    left_out: tuple[str, ...]


def select(config: GeneratorConfig | None, shapes: Shapes, wanted: Wanted) -> Selection:
    """Choose what to read of a checkpoint.

    Args:
        config: the architecture where something beside the tensors says it.
        shapes: every tensor's shape by name.
        wanted: what the user said.

    Raises:
        CheckpointError: when there is no generator, several and none is named, or something
            beside it that may change what it computes and is not ignored.
    """
    if len(shapes) > _MAX_TENSORS:
        raise CheckpointError(f"holds {len(shapes)} tensors, over {_MAX_TENSORS}: is it LaMa's?")
    prefixes = _generators(shapes, None if config is None else config.stem_tensor)
    prefix = _chosen(prefixes, wanted)
    if config is None:
        config = infer_architecture(shapes, prefix)[0]
    own = f"{prefix}model."
    others = [other for other in prefixes if other != prefix]
    beside = [
        name
        for name in shapes
        if not name.startswith(own) and not any(_is_of(name, other, prefix) for other in others)
    ]
    names = [name for name in shapes if name.startswith(own)]
    _require_known(wanted.ignore, beside, names, prefix)

    def ignored(name: str) -> bool:
        return any(_covers(wanted.ignore, name, of) for of in ("", prefix))

    parts = {name: _part(name, own) for name in beside if not ignored(name)}
    left_out = {part for part in parts.values() if _HARMLESS.fullmatch(part.rpartition(".")[2])}
    unread = {name: part for name, part in parts.items() if part not in left_out}
    if unread and wanted.strict:
        raise CheckpointError(_unread_message(unread))
    return Selection(
        config=config,
        prefix=prefix,
        names=tuple(name for name in names if not ignored(name)),
        entry=wanted.entry if others else None,
        ignored=tuple(sorted(set(wanted.ignore))),
        entries=tuple(map(_entry_name, prefixes)),
        unread=tuple(dict.fromkeys(unread.values())),
        left_out=tuple(sorted(left_out)),
    )


def _generators(shapes: Shapes, stem: str | None) -> list[str]:
    """Return the prefixes of the generators; of several without those that only look like one.

    A plain network's first convolution, ``model.1.weight``, is not the generators' alone: theirs
    takes a picture and its mask, and lies in no discriminator or loss.
    """
    found = find_generators(shapes, stem)
    if len(found) > _MAX_GENERATORS:
        raise CheckpointError(f"holds {len(found)} generators, over {_MAX_GENERATORS}")
    likely = [
        prefix
        for prefix in found
        for shape in [shapes.get(f"{prefix}{one}", ()) for one in ([stem] if stem else STEMS)]
        if len(shape) == 4 and shape[1] == 4
        if not any(map(_JUDGE.fullmatch, prefix.split(".")[:-1]))
    ]
    return likely if len(found) > 1 and likely else found


def _chosen(prefixes: list[str], wanted: Wanted) -> str:
    by_name = {_entry_name(prefix): prefix for prefix in prefixes}
    listed = ", ".join(map(shown, list(by_name)[: 2 * _SHOWN]))
    if wanted.entry is not None:
        if wanted.entry not in by_name:
            raise CheckpointError(f"has no generator {shown(wanted.entry)}; it has: {listed}")
        return by_name[wanted.entry]
    if len(prefixes) == 1 or not wanted.strict:
        return prefixes[0]
    if wanted.usual in by_name:
        return by_name[wanted.usual]
    example = _spelled(_entry_name(prefixes[0]))
    raise CheckpointError(
        f"holds {len(prefixes)} generators, {listed}: name one, as FILE#{example}"
    )


def _entry_name(prefix: str) -> str:
    return prefix.removesuffix(".") or _ROOT


def _is_of(name: str, other: str, chosen: str) -> bool:
    """Tell whether a tensor is another generator's; one that encloses the chosen has its model."""
    return name.startswith(f"{other}model." if chosen.startswith(other) else other)


def _part(name: str, own: str) -> str:
    """Return the largest part that a tensor belongs to and the generator does not."""
    steps = name.split(".")
    for count in range(1, len(steps)):
        part = ".".join(steps[:count])
        if not own.startswith(f"{part}."):
            return part
    return name


def _covers(parts: Iterable[str], name: str, within: str = "") -> bool:
    """Tell whether a tensor is one of the parts or in one; their names may start `within`."""
    name = name.removeprefix(within)
    return any(name == part or name.startswith(f"{part}.") for part in parts)


def _require_known(ignore: Iterable[str], beside: list[str], names: list[str], prefix: str) -> None:
    for word in ignore:
        if not any(_covers([word], name, of) for name in beside + names for of in ("", prefix)):
            parts = dict.fromkeys(_part(name, f"{prefix}model.") for name in beside)
            told = ", ".join(map(shown, list(parts)[:_SHOWN])) or "nothing"
            raise CheckpointError(
                f"has no {shown(word)} to leave out; beside the generator it has: {told}"
            )


def _spelled(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else shown(name)


def _unread_message(unread: Mapping[str, str]) -> str:
    names, parts = list(unread), list(dict.fromkeys(unread.values()))
    first = ", ".join(map(shown, names[:_SHOWN]))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    without = parameter("ignore", [part[:_NAME_CHARACTERS] for part in parts[:_SHOWN]])
    rest = " and so on" if len(parts) > _SHOWN else ""
    return (
        f"holds tensors that may change what its generator computes and that are not read here: "
        f"{first}{more}; to export it without them, as another model, add {without}{rest}"
    )
