"""Which execution provider each node of a model runs on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from lama_edge.runtimes.onnxruntime.library import ort
from lama_edge.runtimes.onnxruntime.providers import providers_for
from lama_edge.runtimes.onnxruntime.record import PROVIDERS
from lama_edge.runtimes.onnxruntime.session import open_session

# Since ONNX Runtime 1.24: onnxruntime_session_options_config_keys.h.
_RECORD = ("session.record_ep_graph_assignment_info", "1")
_MOST_NAMES = 20


def placement(path: Path, provider: str, threads: int | None) -> dict[str, Any] | None:
    """Open a file once more and look; see `Runner.placement`.

    The nodes are those that ONNX Runtime hands out: after its first optimisations and before those
    that fuse across what a provider took.

    Args:
        path: the ``.onnx`` file.
        provider: the short name of the provider in use.
        threads: as for `open_session`.
    """
    if not hasattr(ort.InferenceSession, "get_provider_graph_assignment_info"):
        return None
    names = providers_for(provider, path)
    try:
        session = open_session(str(path), provider_names=names, threads=threads, entries=[_RECORD])
        taken = session.get_provider_graph_assignment_info()
    except Exception:
        # The model is open and works all the same; nothing is known of its nodes.
        return None
    nodes = [(one.ep_name, node) for one in taken for node in one.get_nodes()]
    cpu = PROVIDERS["cpu"]
    left = [node for name, node in nodes if name == cpu != PROVIDERS[provider]]
    return {
        "providers": dict(Counter(name for name, _ in nodes)),
        "fell_back": [
            f"{node.name} ({node.op_type})" if node.name else node.op_type
            for node in left[:_MOST_NAMES]
        ],
    }
