"""One row of a run's record: what went in, what came out, and how."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

Status = Literal["written", "unchanged", "failed"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """What became of one picture with one mask. What nobody knows is "" or None.

    Attributes:
        picture: its name, relative to the run's pictures.
        mask: its name, relative to the run's masks; "" where the picture has none.
        result: its name, relative to the run's output; "" where there is none.
        status: written; unchanged, so that a result of a run before stands; or failed. A record
            has no unchanged ones: what a run before wrote keeps its row.
        error: why it failed, on one line.
        notes: what was remarked, such as a mode that was converted.
        width: of the picture, in pixels.
        height: of the picture, in pixels.
        hole_share: share of the picture's pixels that were hole, 0 to 1.
        mask_channel: what of the mask was read, see `MaskRules`; never auto.
        strategy: the one that was used, see `Inpainter`; never auto.
        reason: why that one.
        windows: height and width of each window of the picture that the model saw, in pixels.
        seconds: from reading the picture to its result's having its place.
        worker: who did it.
        attempts: how often it was begun.
        picture_sha256: of the file, lower-case hexadecimal.
        mask_sha256: of the file.
        model_sha256: of the model.
        options: as `options_text` spells them.
        picture_stamp: what the store says of the file, which is another when the file changed.
        mask_stamp: the same of the mask.
        picture_bytes: the file's size.
        mask_bytes: the file's size.
        result_bytes: the file's size.
        result_sha256: of the file.
        version: lama-edge's own.
    """

    picture: str
    mask: str = ""
    result: str = ""
    status: Status
    error: str = ""
    notes: tuple[str, ...] = ()
    width: int | None = None
    height: int | None = None
    hole_share: float | None = None
    mask_channel: str = ""
    strategy: str = ""
    reason: str = ""
    windows: tuple[tuple[int, int], ...] = ()
    seconds: float = 0.0
    worker: str = ""
    attempts: int = 0
    picture_sha256: str = ""
    mask_sha256: str = ""
    model_sha256: str = ""
    options: str = ""
    picture_stamp: str = ""
    mask_stamp: str = ""
    picture_bytes: int | None = None
    mask_bytes: int | None = None
    result_bytes: int | None = None
    result_sha256: str = ""
    version: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """The picture and its mask: a record has one row of both."""
        return key_of(self.picture, self.mask)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON, and for Parquet."""
        plain = asdict(self)
        plain["notes"] = list(self.notes)
        plain["windows"] = [{"height": height, "width": width} for height, width in self.windows]
        return plain


def row_of(plain: dict[str, Any]) -> Row:
    """Return the row that `Row.to_dict` made plain."""
    known = {one.name: plain[one.name] for one in fields(Row)}
    known["notes"] = tuple(known["notes"])
    known["windows"] = tuple((one["height"], one["width"]) for one in known["windows"])
    return Row(**known)


def key_of(picture: str, mask: str) -> tuple[str, str]:
    """Return what `Row.key` is of a row of these names.

    A name of bytes that are no UTF-8 stands in records, whose text is, with ``\\udc80`` and the
    like in their place.
    """
    return storable(picture), storable(mask)


def storable(text: str) -> str:
    """Spell text so that UTF-8 can hold it."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
