"""A run's record: one row a picture, as Parquet beside the results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lama_edge.runtimes.batch.rows import Row

NAME = "record.parquet"


class Record:
    """The rows of a run, kept while it goes, and in one file at its end.

    Parts in the hidden folder ``.record`` hold what there is until `close`: a run that is killed
    loses the rows of the last second, in a store behind a URL of the last ten.

    Args:
        output: the store of the results.
        resume: whether rows of runs before stay; else they go when the first ones are kept.

    Raises:
        UsageError: when a ``record.parquet`` is there that is no record, or a damaged one.
        MissingBackendError: when pyarrow is not installed.
    """

    def __init__(self, output: Any, *, resume: bool = False) -> None:
        self._output = output
        self._resume = resume

    def earlier(self) -> Mapping[tuple[str, str], Row]:
        """Return the rows of runs before by picture and mask (`Row.key`); none without `resume`."""
        raise NotImplementedError

    def add(self, row: Row) -> None:
        """Take a row; now and then those that wait are written."""
        raise NotImplementedError

    def tick(self) -> None:
        """Write the rows that wait if it is time for it; to be called while none comes."""
        raise NotImplementedError

    def flush(self) -> None:
        """Write the rows that wait."""
        raise NotImplementedError

    def close(self) -> str:
        """Put all rows into one file, sorted by picture and mask, and remove the parts.

        Of runs before stays what this one has no row of, but no failure.

        Returns:
            Where it is, as the store spells it.
        """
        raise NotImplementedError
