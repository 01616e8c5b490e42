"""Number formats of a deploy graph: rescaled fp16, int8, int8 weights; each a pass over a graph."""
