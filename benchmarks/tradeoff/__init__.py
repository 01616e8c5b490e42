"""Size, speed and closeness of every precision."""
