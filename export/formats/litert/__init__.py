"""LiteRT files, emitted from the deploy graph."""
