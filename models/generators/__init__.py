"""The generator networks as torch modules, state-dict compatible with the official checkpoints."""
