"""coremltools, imported in one place and without its remarks that there is no Core ML here."""

from __future__ import annotations

import logging

from lama_edge.errors import needs_extra

_log = logging.getLogger("coremltools")
_level = _log.level
_log.setLevel(logging.ERROR)
try:
    with needs_extra("coreml"):
        import coremltools as ct
        import coremltools.optimize.coreml as compression
        from coremltools.converters.mil import Builder
        from coremltools.converters.mil.mil import Function, Program, Var, types
        from coremltools.proto import Model_pb2
finally:
    _log.setLevel(_level)

__all__ = ["Builder", "Function", "Model_pb2", "Program", "Var", "compression", "ct", "types"]
