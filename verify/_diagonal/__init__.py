"""Experiments on diagonal networks: the full SDE, and discrete SGD on Gaussian data."""
