"""What a worker does for a picture: read it, inpaint it, put the result in its place."""

from __future__ import annotations

import logging
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from lama_edge import __version__
from lama_edge.errors import LamaEdgeError, one_line
from lama_edge.files import sha256_of
from lama_edge.pictures.pairs import Pair
from lama_edge.runtimes.batch.job import InpaintMany
from lama_edge.runtimes.batch.model import local_model
from lama_edge.runtimes.batch.rows import Row
from lama_edge.runtimes.inpainting.files import Role, Stores, inpaint_stored
from lama_edge.stores.addresses import is_url, open_store
from lama_edge.stores.base import Entry, StoreError, StoreFileError


@dataclass(frozen=True)
class Setup:
    """What all workers of a run have to know.

    Attributes:
        run: the run's name, another one each time.
        job: what is asked for; its paths are good where the workers are.
        model_sha256: hash of the model that is meant, so that no worker takes another.
        options: those that a result's bytes depend on, as `options_text` spells them.
        says_flags: whether messages name flags, see `lama_edge.errors.parameter`.
        version: of lama-edge.
    """

    run: str
    job: InpaintMany
    model_sha256: str
    options: str
    says_flags: bool
    version: str = __version__


@dataclass(frozen=True)
class Task:
    """A picture to inpaint.

    Attributes:
        number: in the run.
        picture: its name in its store.
        mask: its mask's name; "" for a store that is one file.
        result: the result's name.
        picture_entry: the picture's size in bytes and its stamp, as listed; None where it was not.
        mask_entry: the mask's.
        known: the row of an earlier run whose result is there, to be compared by hashes.
    """

    number: int
    picture: str
    mask: str
    result: str
    picture_entry: tuple[int, str] | None = None
    mask_entry: tuple[int, str] | None = None
    known: Row | None = None

    def row(self) -> Row:
        """Return the row of what is known so far."""
        picture_bytes, picture_stamp = self.picture_entry or (None, "")
        mask_bytes, mask_stamp = self.mask_entry or (None, "")
        return Row(
            picture=self.picture,
            mask=self.mask,
            result=self.result,
            status="failed",
            picture_bytes=picture_bytes,
            picture_stamp=picture_stamp,
            mask_bytes=mask_bytes,
            mask_stamp=mask_stamp,
            version=__version__,
        )

    def failed(self, message: object) -> Row:
        """Return the row of a picture that could not be inpainted."""
        return replace(self.row(), error=one_line(message))

    def is_of(self, row: Row, result: Entry) -> bool:
        """Tell whether picture, mask and the result that is there are by all signs a row's."""
        stamps = (row.picture_stamp, row.mask_stamp, row.result_stamp)
        return (
            "" not in stamps
            and (row.picture_bytes, row.picture_stamp) == self.picture_entry
            and (row.mask_bytes, row.mask_stamp) == self.mask_entry
            and (row.result_bytes, row.result_stamp) == (result.size, result.stamp)
        )


class Work:
    """An open model, and the stores of a run. A context manager.

    Args:
        setup: what the run is.

    Raises:
        ModelError: when the model cannot be opened, or is not the one that is meant.
        MissingBackendError: when its runtime is not installed here.
        StoreError: when a store is not there.
    """

    def __init__(self, setup: Setup) -> None:
        job = setup.job
        self._setup = setup
        self._stores = Stores(*map(open_store, (job.pictures, job.masks, job.output)))
        for store in (self._stores.pictures, self._stores.masks, self._stores.output):
            # Behind a URL all see the same.
            if not is_url(store.address) and store.kind() == "missing":
                raise StoreError(
                    f"{store.spell()!r} is not there on {platform.node()}: all workers have to "
                    "see the same folders; share them, or give URLs"
                )
        self._inpainter = job.open(local_model(job.model, setup.model_sha256))

    def __enter__(self) -> Work:
        return self

    def __exit__(self, *_: object) -> None:
        self._inpainter.close()

    def perform(self, task: Task) -> Row:
        """Inpaint a picture.

        Returns:
            Its row; failed where the picture, or what the model makes of it, cannot be used.

        Raises:
            StoreError: when a store cannot be reached.
        """
        begun = time.monotonic()
        with _remarks() as notes:
            try:
                row = self._inpaint(task)
            except StoreError:
                raise
            except LamaEdgeError as error:
                row = task.failed(error)
            except Exception as error:  # whatever it is, the other pictures can do without it
                row = task.failed(f"{type(error).__name__}: {error}")
        return replace(
            row,
            seconds=time.monotonic() - begun,
            notes=tuple(notes),
            model_sha256=self._setup.model_sha256,
            options=self._setup.options,
        )

    def _inpaint(self, task: Task) -> Row:
        job, row = self._setup.job, task.row()
        hashes = _Hashes(None if task.known is None else self._checked(task.known))
        try:
            made = inpaint_stored(
                self._inpainter,
                self._stores,
                Pair(task.picture, task.mask, ""),
                task.result,
                strip_metadata=job.strip_metadata,
                max_pixels=job.max_pixels,
                mask_rules=job.mask_rules,
                seen=hashes.take,
            )
        except _SameAsBeforeError as same:
            return replace(
                same.row,
                status="unchanged",
                picture_stamp=row.picture_stamp,
                mask_stamp=row.mask_stamp,
                result_stamp=self._stamp(task.result),
            )
        return replace(
            row,
            status="written",
            width=made.width,
            height=made.height,
            hole_share=made.hole_share,
            mask_channel=made.mask_channel,
            strategy=made.plan.choice.strategy,
            reason=made.plan.choice.reason,
            windows=tuple((one.view.height, one.view.width) for one in made.plan.windows),
            picture_sha256=hashes.of["picture"],
            mask_sha256=hashes.of["mask"],
            result_sha256=hashes.of["result"],
            result_bytes=hashes.result_bytes,
            result_stamp=self._stamp(task.result),
        )

    def _checked(self, known: Row) -> Row | None:
        """Return an earlier run's row if the result that is there is still its own."""
        try:
            with self._stores.output.fetched(known.result) as path:
                return known if sha256_of(path) == known.result_sha256 else None
        except (StoreFileError, OSError):
            return None

    def _stamp(self, result: str) -> str:
        found = self._stores.output.find(result)
        return "" if found is None else found.stamp


class _SameAsBeforeError(Exception):
    """Picture and mask are those of a row that an earlier run made."""

    def __init__(self, row: Row) -> None:
        super().__init__()
        self.row = row


class _Hashes:
    """Hashes files while they are at hand.

    Args:
        known: a row whose picture and mask need no second result.
    """

    def __init__(self, known: Row | None) -> None:
        self._known = known
        self.of: dict[Role, str] = {}
        self.result_bytes = 0

    def take(self, role: Role, path: Path) -> None:
        """Hash a file.

        Raises:
            _SameAsBeforeError: when picture and mask are those of `known`.
        """
        self.of[role] = sha256_of(path)
        if role == "result":
            self.result_bytes = path.stat().st_size
            return
        known = self._known
        both = (self.of.get("picture"), self.of.get("mask"))
        if known is not None and both == (known.picture_sha256, known.mask_sha256):
            raise _SameAsBeforeError(known)


@contextmanager
def _remarks() -> Iterator[list[str]]:
    """Collect what the log warns of inside the block."""
    said: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(one_line(record.getMessage()))

    log, handler = logging.getLogger("lama_edge"), Collector(logging.WARNING)
    log.addHandler(handler)
    try:
        yield said
    finally:
        log.removeHandler(handler)
