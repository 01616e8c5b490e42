"""What runs on a target: the protocol of ``docs/reference/worker.md`` in Python."""
