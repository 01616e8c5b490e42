"""LiteRT's interpreter."""
