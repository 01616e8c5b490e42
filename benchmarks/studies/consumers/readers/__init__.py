"""How each consumer reads a file; run in the consumer's own environment, which has no lama-edge."""
