"""coremltools, imported in one place and without remarks on what is not here."""

from __future__ import annotations

import logging

from lama_edge.errors import needs_extra

# coremltools imports torchao where that is installed, for ExecuTorch, and it and torch remark on
# each other then.
_TALKING = [logging.getLogger(name) for name in ("coremltools", "torchao", "torch.utils._pytree")]
_levels = [log.level for log in _TALKING]
for _log in _TALKING:
    _log.setLevel(logging.ERROR)
try:
    with needs_extra("coreml"):
        import coremltools as ct
        import coremltools.optimize.coreml as compression
        from coremltools.converters.mil import Builder
        from coremltools.converters.mil.mil import Function, Program, Var, types
        from coremltools.proto import Model_pb2
finally:
    for _log, _level in zip(_TALKING, _levels, strict=True):
        _log.setLevel(_level)

__all__ = ["Builder", "Function", "Model_pb2", "Program", "Var", "compression", "ct", "types"]
