"""Measuring exported models. The harness arrives with the benchmark command."""
