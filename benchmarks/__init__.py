"""Benchmarks against other libraries: `python -m benchmarks` writes docs/benchmarks."""

import os


os.environ["OMP_NUM_THREADS"] = "1"  # read when numpy is first imported
