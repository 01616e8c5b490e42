"""Export formats: `record` says what one is, and each has a folder of its own."""
