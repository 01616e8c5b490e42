"""Shared vectors: what native wrappers must reproduce bit for bit, written from Python."""
