"""A deploy graph as a torch module, for formats whose converters begin there."""
