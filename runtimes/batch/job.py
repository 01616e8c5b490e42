"""What a run over many pictures shall do, and which of that its results' bytes depend on."""

from __future__ import annotations

import json
from dataclasses import dataclass

from lama_edge.errors import UsageError, parameter
from lama_edge.runtimes.inpainting.files import InpaintOptions


@dataclass(frozen=True)
class InpaintMany(InpaintOptions):
    """What `inpaint_many` shall do; its options, by name, are those of `InpaintOptions`.

    `threads` is of each worker; `picture_format` and `recursive` are as for folders.

    Attributes:
        model: an exported model, or a checkpoint's path, name or URL; see `open_runner`.
        pictures: a folder, or a URL that fsspec knows, such as ``s3://bucket/photos``.
        masks: a folder of masks, or one mask for all pictures; or the URL of one.
        output: the folder of the results, or its URL; it holds the record too.
        workers: how many processes of this machine work at once; None is one.
        cluster: address of a Dask scheduler, such as ``tcp://10.0.0.1:8786``, whose workers work.
        resume: go by the record of the run before: do what is missing or has changed.

    Raises:
        UsageError: when there are fewer workers or threads than one, or workers are given beside
            a cluster.
    """

    model: str
    pictures: str
    masks: str
    output: str
    workers: int | None = None
    cluster: str | None = None
    resume: bool = False

    def __post_init__(self) -> None:
        for name in ("workers", "threads"):
            count = getattr(self, name)
            if count is not None and count < 1:
                raise UsageError(f"{parameter(name)} is {count}; give 1 or more")
        if self.workers is not None and self.cluster is not None:
            raise UsageError(
                f"{parameter('workers', self.workers)} does not go with "
                f"{parameter('cluster', self.cluster)}: the cluster has its own workers; leave "
                "one of them out"
            )


def options_text(options: InpaintOptions) -> str:
    """Spell the options that a result's bytes depend on, equal for equal ones.

    `threads` changes how fast a result is there, `max_pixels` and `recursive` which pictures have
    one: neither is in it.

    Returns:
        JSON on one line, its keys sorted.
    """
    rules = options.mask_rules
    return json.dumps(
        {
            "strategy": options.strategy,
            "max_side": options.max_side,
            "tile": options.tile,
            "provider": options.provider,
            "strip_metadata": options.strip_metadata,
            "mask_channel": rules.channel,
            "grow": rules.grow,
            "invert_mask": rules.invert,
            "picture_format": options.picture_format,
        },
        sort_keys=True,
    )
