"""MNN: its record, and what opens its files."""
