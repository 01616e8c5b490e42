"""Wide float32 graphs in loops over bands, which stay in a processor's caches."""
