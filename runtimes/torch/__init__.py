"""torch: checkpoints as they are."""
