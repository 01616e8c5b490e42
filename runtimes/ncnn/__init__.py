"""ncnn: its record, and what opens its models."""
