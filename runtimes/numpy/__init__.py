"""NumPy: checkpoints as they are, by the reference that exports are judged against."""
