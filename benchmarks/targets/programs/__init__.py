"""Programs that answer the protocol of ``docs/worker.md``."""
