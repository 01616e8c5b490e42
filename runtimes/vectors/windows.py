"""Shared vectors of windows, and of the whole way from a picture and a mask to the result."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lama_edge.errors import LamaEdgeError, ModelError
from lama_edge.runtimes.inpainting.inpainter import Inpainter
from lama_edge.runtimes.inpainting.strategies import Plan, Strategy, check_options, plan
from lama_edge.runtimes.vectors.format import (
    Case,
    Topic,
    mask_case,
    picture_case,
    put,
    refusal,
)
from lama_edge.runtimes.vectors.jobs import JOBS, POLICIES, TELLING, Ask, Job
from lama_edge.runtimes.vectors.model import (
    CHANNELS,
    ArithmeticRunner,
    Rectangle,
    hole_from,
    noise,
    some_rectangles,
    stand_in_manifest,
)
from lama_edge.windows import Working
from lama_edge.windows.boxes import Box, hole_boxes

# What every wrapper has: tiles are ONNX Runtime's alone.
_STRATEGIES: tuple[Strategy, ...] = ("auto", "full", "crop", "resize")
_PLANS = 200
# Powers of two that sides lie between, most of the time and every ninth time.
_SIDES = ((4.0, 10.3), (0.0, 7.0))
# Half of their width lies between two numbers, an odd and an even one.
_HALVES = ((128, 65), (128, 67))
# Sizes that models take, and the first ones beyond either end.
_ENDS = ((48, 48), (48, 56), (200, 72), (208, 72), (72, 64), (16, 24), (16, 8))
_GIB = 1 << 30


def window_vectors() -> Topic:
    """Return masks with the windows that `plan` chooses, sizes, and options that it refuses."""
    plans = [planned(ask) for ask in (*_random_asks(), *TELLING)]
    return Topic("windows", {"sizes": list(_sizes()), "plans": plans, "refused": list(_refused())})


def inpainting_vectors() -> Topic:
    """Return pictures and masks with what `Inpainter` makes of them by `ArithmeticRunner`."""
    data = bytearray()
    jobs = [inpainted(data, seed, job) for seed, job in enumerate(JOBS)]
    return Topic("inpainting", {"pictures": jobs}, bytes(data))


def _sizes() -> Iterator[Case]:
    rng = np.random.default_rng(3)
    for policy in POLICIES:
        for max_side in (None, 64, 1000):
            drawn = ((int(height), int(width)) for height, width in rng.integers(1, 2500, (4, 2)))
            for height, width in (*drawn, *_HALVES, *_ENDS):
                working = Working(policy, max_side)
                problem = policy.problem_with(height, width)
                yield {
                    "policy": policy.to_dict(),
                    "max_side": max_side,
                    "size": [height, width],
                    "shrunk": working.shrunk(height, width),
                    "seen": working.seen(height, width),
                    "problem": None if problem is None else problem.code,
                }


def planned(ask: Ask) -> Case:
    """Return the case of what a plan is made for."""
    hole = hole_from(ask.holes, *ask.size)
    chosen = plan(
        ask.strategy,
        hole,
        stand_in_manifest(ask.policy, ngf=ask.ngf),
        max_side=ask.max_side,
        free_bytes=ask.free_bytes,
        tile=None,
        can_tile=lambda: False,
    )
    return {
        "mask": mask_case(*ask.size, ask.holes),
        "policy": ask.policy.to_dict(),
        "ngf": ask.ngf,
        "strategy": ask.strategy,
        "max_side": ask.max_side,
        "free_bytes": ask.free_bytes,
        "boxes": [_corners(box) for box in hole_boxes(hole)],
        **_chosen(chosen),
    }


def _random_asks() -> Iterator[Ask]:
    rng = np.random.default_rng(4)
    for index in range(_PLANS):
        height, width = (int(2**side) for side in rng.uniform(*_SIDES[index % 9 == 0], size=2))
        holes = some_rectangles(rng, height, width, most=1 + index % 16)
        strategy = _STRATEGIES[int(rng.integers(len(_STRATEGIES)))]
        yield Ask(
            (height, width),
            tuple(holes),
            POLICIES[index % len(POLICIES)],
            strategy,
            None if strategy == "full" else (None, 64, 100, 500)[int(rng.integers(4))],
            (None, _GIB // 100, _GIB // 10, 64 * _GIB)[int(rng.integers(4))],
            int(rng.choice((16, 64))),
        )


def _refused() -> Iterator[Case]:
    asked: tuple[tuple[Strategy, int], ...] = (("crop", 63), ("auto", -1), ("full", 512))
    for strategy, max_side in asked:
        try:
            check_options(strategy, max_side, None)
        except LamaEdgeError as error:
            yield {"strategy": strategy, "max_side": max_side, **refusal(error)}


def _chosen(chosen: Plan) -> Case:
    choice = chosen.choice
    return {
        "chosen": choice.strategy,
        "reason": choice.code,
        "chosen_max_side": choice.max_side,
        "whole": choice.whole,
        "warned": choice.warning is not None,
        "windows": [[_corners(one.view), _corners(one.hole)] for one in chosen.windows],
    }


def _corners(box: Box) -> Rectangle:
    return box.top, box.left, box.bottom, box.right


def inpainted(data: bytearray, seed: int, job: Job) -> Case:
    """Return a job's case; the hole's pixels are appended to the data.

    Raises:
        ModelError: when known pixels changed.
    """
    pixels = noise(seed, *job.size, CHANNELS[job.kind])
    hole = hole_from(job.holes, *job.size)
    runner = ArithmeticRunner(stand_in_manifest(job.policy, job.form, composite=job.composite))
    plans: list[Plan] = []
    inpainter = Inpainter(runner, strategy=job.strategy, max_side=job.max_side)
    result = inpainter(pixels, hole, report=plans.append)
    known = (result == pixels)[~hole].all()
    if not known:
        raise ModelError("known pixels changed: the vectors would teach a broken contract")
    colours = result[hole] if result.ndim == 2 else result[hole][:, :3]
    return {
        "picture": picture_case(seed, *job.size, job.kind),
        "mask": mask_case(*job.size, job.holes),
        "policy": job.policy.to_dict(),
        "form": job.form,
        "composite": job.composite,
        "strategy": job.strategy,
        "max_side": job.max_side,
        **_chosen(plans[0]),
        "runs": runner.sizes,
        "filled": put(data, colours),
    }
