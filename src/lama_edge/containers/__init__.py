"""What an exporter and a runner share of a format: what lies where in its files."""
