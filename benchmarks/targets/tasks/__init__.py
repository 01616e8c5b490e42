"""What runs on a target: the protocol of ``docs/worker.md`` in Python."""
