"""Reports: documents of measurements as pages and tables that people read."""

from __future__ import annotations

from lama_edge.benchmarks.reports.bench_page import bench_page
from lama_edge.benchmarks.reports.markdown import device_table
from lama_edge.benchmarks.reports.parity_page import parity_page
from lama_edge.benchmarks.reports.pictures import CasePictures, Picture
from lama_edge.benchmarks.reports.ranges_page import ranges_page
from lama_edge.benchmarks.reports.tradeoff_page import tradeoff_page
from lama_edge.benchmarks.reports.tradeoff_pictures import ShownPicture

__all__ = [
    "CasePictures",
    "Picture",
    "ShownPicture",
    "bench_page",
    "device_table",
    "parity_page",
    "ranges_page",
    "tradeoff_page",
]
