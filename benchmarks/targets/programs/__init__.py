"""Programs that answer the protocol of ``docs/reference/worker.md``."""
