"""Pages for browsers: the server behind `bench --target browser` and `lama-edge demo`."""
