"""Noise equilibria: arguments, solvers, certificates."""
