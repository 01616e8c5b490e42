"""Core ML, and the interpreter of its packages."""
