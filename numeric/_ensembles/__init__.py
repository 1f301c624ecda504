"""Ensembles of training runs: programs, kernels, streams and what drives them."""
