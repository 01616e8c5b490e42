"""ONNX Runtime itself, as every module here imports it: silent towards its maker.

Since 1.29 its builds for Linux and macOS keep a number of the machine in the user's cache folder
and send what was run to Microsoft, from the moment that they are imported
(https://github.com/microsoft/onnxruntime/pull/27379). Only a variable turns all of that off.
"""

from __future__ import annotations

import os

from lama_edge.errors import needs_extra

# A user who sets it, to 0 for example, is asked no more.
_OFF = "ORT_DISABLE_TELEMETRY"
_is_ours = os.environ.setdefault(_OFF, "1") == "1"

with needs_extra("onnx"):
    import onnxruntime as ort

if _is_ours:
    # On Windows it leaves events to the system, whatever the variable says.
    ort.disable_telemetry_events()

__all__ = ["ort"]
