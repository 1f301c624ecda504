"""Benchmarks against other libraries: `python -m benchmarks` writes docs/benchmarks."""

import os


# All of this is read once, when numpy, torch and JAX are first imported.
for _library in ("OMP", "MKL", "OPENBLAS"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = (
    "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)
