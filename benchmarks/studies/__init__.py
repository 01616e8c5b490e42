"""Measurements that the project's own pages come from; not in the wheel."""
