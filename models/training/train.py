"""Trains a LaMa generator: `python -m lama_edge.models.training.train -o DIR`.

Reconstruction first, adversarial from `--adversarial-from` on. The folder gets the averaged
weights (`weights.safetensors`), a checkpoint to resume from (`checkpoint.safetensors`), every
loss over time (`curve.csv`), the latest fills (`samples.png`) and what the run was told
(`settings.json`). docs/how-to/training.md has recipes.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import os
from collections.abc import Sequence
from pathlib import Path

from lama_edge.errors import UsageError, exit_code_of, needs_extra
from lama_edge.models.config import FfcResnetConfig
from lama_edge.models.training.checkpoints import load_generator
from lama_edge.models.training.data.pool import DataSettings
from lama_edge.models.training.losses.discriminator import DiscriminatorConfig
from lama_edge.models.training.losses.losses import (
    RECONSTRUCTION_WEIGHTS,
    LossWeights,
    with_weights,
)
from lama_edge.models.training.run import TrainJob, run
from lama_edge.models.training.settings import TrainSettings
from lama_edge.retired import add_retired, sets

with needs_extra("train"):
    import torch

_DEFAULT_MINUTES = 60.0
_NGF = 16
_BLOCKS = 5
_SMALL_STEPS = 1500


def job_of(args: argparse.Namespace) -> TrainJob:
    """Turn parsed arguments into a job.

    Raises:
        UsageError: when a value is out of range or options contradict each other.
        CheckpointError: when the initial checkpoint cannot be used.
    """
    if args.output is None:
        raise UsageError("there is no place for the results: name a folder with -o DIR")
    if args.minutes is None and args.steps is None:
        args.minutes = _DEFAULT_MINUTES
    if args.processes < 1 or args.report_every < 1:
        raise UsageError("--processes and --report-every take 1 or more")
    starts_small = args.initial is None and args.adversarial_from != 0
    small_steps = _SMALL_STEPS if starts_small else 0
    return TrainJob(
        out=args.output,
        settings=_settings(args),
        data=DataSettings(
            seed=args.seed,
            crop_pixels=args.crop,
            batch_size=args.batch,
            small_steps=small_steps if args.small_steps is None else args.small_steps,
            pool_pictures=args.pool,
            workers=args.workers,
        ),
        images=args.images,
        resume=args.resume,
        initial=args.initial,
        teacher=args.teacher,
        perceptual_weights=args.perceptual_weights,
        processes=args.processes,
        threads=args.threads or max(1, (os.cpu_count() or 1) // args.processes),
        report_every=args.report_every,
    )


def _settings(args: argparse.Namespace) -> TrainSettings:
    first, second = _weights(args)
    return TrainSettings(
        minutes=math.inf if args.minutes is None else args.minutes,
        steps=math.inf if args.steps is None else args.steps,
        generator=_generator(args),
        discriminator=DiscriminatorConfig(args.discriminator_width, args.discriminator_layers),
        discriminator_input=args.discriminator_input,
        adversarial_from=args.adversarial_from,
        reconstruction_weights=first,
        adversarial_weights=second,
        r1_every=args.r1_every,
        muon_rate=args.muon_rate,
        adamw_rate=args.adamw_rate,
        discriminator_rate=args.discriminator_rate,
        warmup_steps=args.warmup_steps,
        decay_share=args.decay_share,
        ema_decay=args.ema_decay,
        bfloat16=args.bfloat16,
        device=_device(args.device),
    )


def _weights(args: argparse.Namespace) -> tuple[LossWeights, LossWeights]:
    """Return the losses' weights in both phases: what is not there counts nothing.

    The published recipe has no L1 in the hole: the perceptual loss stands there. A teacher's
    fill takes the truth's place in the hole, because it follows from what the student sees.
    """
    first, second = RECONSTRUCTION_WEIGHTS, LossWeights()
    if args.teacher is None:
        first, second = (dataclasses.replace(w, teacher=0.0) for w in (first, second))
    else:
        first, second = (dataclasses.replace(w, hole=0.0) for w in (first, second))
    if args.perceptual_weights is None:
        second = dataclasses.replace(second, perceptual=0.0)
    else:
        second = dataclasses.replace(second, hole=0.0)
    first = with_weights(first, args.reconstruction_weights)
    second = with_weights(second, args.weights)
    for guide, given in (("teacher", args.teacher), ("perceptual", args.perceptual_weights)):
        if given is None and (getattr(first, guide) or getattr(second, guide)):
            raise UsageError(f"the loss {guide} has a weight and no network: name its file")
    if args.adversarial_from is None:
        if args.weights:
            raise UsageError("--weights are of the adversarial phase: add --adversarial-from")
        if args.perceptual_weights is not None and not first.perceptual:
            raise UsageError(
                "the perceptual loss counts from the adversarial phase on: add "
                "--adversarial-from, or --reconstruction-weights perceptual=30"
            )
    return first, second


def _generator(args: argparse.Namespace) -> FfcResnetConfig:
    asked = {"ngf": args.ngf, "n_blocks": args.blocks}
    given = {name: value for name, value in asked.items() if value is not None}
    if args.initial is None:
        return FfcResnetConfig(**{"ngf": _NGF, "n_blocks": _BLOCKS, **given})
    config = load_generator(args.initial).config
    for name, value in given.items():
        if getattr(config, name) != value:
            raise UsageError(
                f"{args.initial!r} has {name} {getattr(config, name)}, not {value}: "
                "leave --ngf and --blocks out with --init"
            )
    return config


def _device(name: str) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device is cuda, and torch sees no GPU here: use cpu")
    return str(name)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Train a LaMa generator; docs/how-to/training.md has recipes."
    )
    add = parser.add_argument
    add("-o", "--output", type=Path, metavar="DIR", help="folder of the results")
    add_retired(parser, "--out", "-o", sets("output"), takes=Path)
    add("--resume", action="store_true", help="go on from DIR's checkpoint")
    add("--init", dest="initial", metavar="CHECKPOINT", help="start from its weights")
    add("--seed", type=int, default=1, help="of the weights and of the data")

    data = parser.add_argument_group("what to learn from").add_argument
    data("--images", type=Path, metavar="DIR", help="own photographs; else procedural scenes")
    data("--teacher", metavar="CHECKPOINT", help="learn the hole from this generator's fills")
    data(
        "--perceptual-weights",
        type=Path,
        metavar="FILE",
        help="encoder_epoch_20.pth of ade20k-resnet50dilated-ppm_deepsup",
    )

    budget = parser.add_argument_group("budget").add_argument
    budget("--steps", type=int, metavar="N")
    budget("--minutes", type=float, help="wall clock; 60 where no budget is given")

    size = parser.add_argument_group("sizes").add_argument
    size("--ngf", type=int, help=f"channels of the generator's first layer; {_NGF}")
    size("--blocks", type=int, help=f"residual blocks of the generator; {_BLOCKS}")
    size("--crop", type=int, default=128, metavar="PIXELS", help="side of a crop; %(default)s")
    size("--batch", type=int, default=8, help="crops of a batch and process; %(default)s")
    size("--pool", type=int, default=256, help="pictures a batch is drawn from; %(default)s")
    size("--small-steps", type=int, metavar="N", help="first steps with crops of half the side")

    gan = parser.add_argument_group("adversarial phase").add_argument
    gan("--adversarial-from", type=int, metavar="STEP", help="its first step; 0 as published")
    gan(
        "--discriminator-input",
        choices=("predicted", "inpainted"),
        default="predicted",
        help="the raw fill, as published, or the fill within the picture, and the mask",
    )
    gan("--discriminator-width", type=int, default=64, metavar="N", help="%(default)s")
    gan("--discriminator-layers", type=int, default=4, metavar="N", help="%(default)s")
    gan("--r1-every", type=int, default=1, metavar="STEPS", help="gradient penalty; %(default)s")

    losses = parser.add_argument_group(
        "losses", "names: " + ", ".join(field.name for field in dataclasses.fields(LossWeights))
    ).add_argument
    losses("--weights", nargs="+", default=[], metavar="NAME=VALUE", help="adversarial phase")
    losses("--reconstruction-weights", nargs="+", default=[], metavar="NAME=VALUE", help="before")

    rates = parser.add_argument_group("optimizers").add_argument
    rates("--muon-rate", type=float, default=3e-3, help="of convolutions; %(default)s")
    rates("--adamw-rate", type=float, default=2e-3, help="of norms and biases; %(default)s")
    rates("--discriminator-rate", type=float, default=1e-4, help="%(default)s")
    rates("--warmup-steps", type=int, default=200, metavar="N", help="%(default)s")
    rates("--decay-share", type=float, default=0.3, help="last part of the budget; %(default)s")
    rates("--ema-decay", type=float, default=0.998, help="of the averaged weights; %(default)s")

    machine = parser.add_argument_group("machine").add_argument
    machine("--processes", type=int, default=1, metavar="N", help="data-parallel, on one CPU")
    machine("--threads", type=int, metavar="N", help="of each process; shares out the cores")
    machine("--workers", type=int, default=0, metavar="N", help="that prepare batches")
    machine("--device", choices=("auto", "cpu", "cuda"), default="auto")
    machine("--bfloat16", action="store_true", help="convolutions in bfloat16")
    machine("--report-every", type=int, default=500, metavar="STEPS", help="%(default)s")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    args = _parser().parse_args(argv)
    return exit_code_of(lambda: run(job_of(args)))


if __name__ == "__main__":
    raise SystemExit(main())
