"""Reports: benchmark and parity documents as pages and tables that people read."""

from __future__ import annotations

from lama_edge.benchmarks.reports.bench_page import bench_page
from lama_edge.benchmarks.reports.markdown import device_table
from lama_edge.benchmarks.reports.parity_page import parity_page
from lama_edge.benchmarks.reports.pictures import CasePictures, Picture

__all__ = ["CasePictures", "Picture", "bench_page", "device_table", "parity_page"]
