"""The models of a check or a measurement, opened on a target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lama_edge.benchmarks.documents.model_files import (
    base_name,
    format_of,
    model_record,
    model_state,
    titled,
)
from lama_edge.benchmarks.targets.base import Description, Opening, Target, TargetOptions
from lama_edge.benchmarks.targets.tasks.environment import anonymous
from lama_edge.errors import LamaEdgeError, ModelError, one_line
from lama_edge.files import join_part, split_part
from lama_edge.forms import to_model
from lama_edge.judging.cases import ParityCase
from lama_edge.manifest import Manifest
from lama_edge.runtimes.base import Array
from lama_edge.runtimes.model_files import located


@dataclass(frozen=True)
class Opened:
    """A model that could be opened, or one part of it.

    Attributes:
        model: as the user named it, and the part where there are several.
        target: where it runs.
        handle: what it is known by there.
        opening: how it is opened there.
        found: what it says of itself.
        record: what documents say of it.
        state: of its files, see `model_state`.
    """

    model: str
    target: Target
    handle: Any
    opening: Opening
    found: Description
    record: dict[str, Any]
    state: tuple[tuple[object, ...], ...] = ()

    @property
    def manifest(self) -> Manifest:
        """Its own description, of the part where there are several."""
        return self.found.manifest

    def run(self, cases: Sequence[ParityCase]) -> list[Array]:
        """Run it on pictures of sizes that it takes; see `Target.run`."""
        pictures = [to_model(self.manifest.io, case.image, case.hole) for case in cases]
        return self.target.run(self.handle, self.opening, pictures)

    def check_unchanged(self) -> None:
        """Make sure that what ran is what the record has the hash of.

        Raises:
            ModelError: when another file has taken the model's place since it was brought.
        """
        if model_state(located(self.model)) != self.state:
            raise ModelError(
                f"the model {self.model!r} was changed meanwhile: measure it again, and leave it "
                "alone until that is done"
            )


@dataclass(frozen=True)
class Refused:
    """A model, or a part of it, that could not be opened.

    Attributes:
        model: as the user named it.
        record: what documents say of it.
        error: why.
    """

    model: str
    record: dict[str, Any]
    error: LamaEdgeError


def options_for(options: TargetOptions | None, models: Sequence[str | Path]) -> TargetOptions:
    """Return a target's options with the formats of the models that it shall run."""
    formats = dict.fromkeys(format_of(model) for model in models)
    return replace(options or TargetOptions(), formats=tuple(formats))


def open_model(model: str | Path, target: Target, opening: Opening) -> Opened | Refused:
    """Bring a model to a target and open it there.

    Args:
        model: a path or name, see `open_runner`; the part that it names is the one opened.
        target: where it shall run.
        opening: how to open it.
    """
    try:
        state = model_state(located(model))
        handle = target.push(located(model))
    except LamaEdgeError as error:
        return Refused(str(model), model_record(model, None), error)
    opening = replace(opening, part=split_part(model)[1])
    subject = _describe(str(model), target, handle, opening)
    if isinstance(subject, Refused):
        return subject
    subject = replace(subject, state=state)
    try:
        subject.check_unchanged()
    except LamaEdgeError as error:
        return Refused(str(model), subject.record, error)
    return subject


def each_part(subject: Opened | Refused) -> list[Opened | Refused]:
    """Return the parts of a model that has several and was opened without naming one, or itself."""
    if isinstance(subject, Refused) or subject.opening.part or not subject.found.parts:
        return [subject]
    names = [join_part(subject.model, part) for part in subject.found.parts]
    openings = [replace(subject.opening, part=part) for part in subject.found.parts]
    record = {**subject.record, "name": titled(subject.record["name"], openings[0].part)}
    first = replace(subject, model=names[0], opening=openings[0], record=record)
    return [
        first,
        *(
            _describe(name, subject.target, subject.handle, opening)
            for name, opening in zip(names[1:], openings[1:], strict=True)
        ),
    ]


def _describe(model: str, target: Target, handle: Any, opening: Opening) -> Opened | Refused:
    try:
        found = target.describe(handle, opening)
    except LamaEdgeError as error:
        return Refused(model, model_record(model, None), error)
    record = model_record(model, found.manifest)
    return Opened(model, target, handle, opening, found, record)


def without_paths(error: LamaEdgeError, model: str) -> str:
    """Spell an error about a model for a document, which names no folder of anybody's."""
    path, _ = split_part(model)
    message = one_line(error)
    for place in (str(path.resolve()), str(path)):
        message = message.replace(place, base_name(model))
    return anonymous(message)
