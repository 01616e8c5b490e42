"""What the commands share of a shell: how their parsers look and fail, and how words complete."""
