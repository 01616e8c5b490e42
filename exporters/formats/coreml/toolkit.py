"""coremltools, imported in one place and without remarks on what is not here."""

from __future__ import annotations

from lama_edge.errors import needs_extra, without_remarks

# coremltools imports torchao where that is installed, for ExecuTorch, and it and torch remark on
# each other then.
with without_remarks("coremltools", "torchao", "torch.utils._pytree"), needs_extra("coreml"):
    import coremltools as ct
    import coremltools.optimize.coreml as compression
    from coremltools.converters.mil import Builder
    from coremltools.converters.mil.mil import Function, Program, Var, types
    from coremltools.proto import Model_pb2

__all__ = ["Builder", "Function", "Model_pb2", "Program", "Var", "compression", "ct", "types"]
