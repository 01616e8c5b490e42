"""Where files lie: folders of this machine, and what fsspec knows by a URL."""
