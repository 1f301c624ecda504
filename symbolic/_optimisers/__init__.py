"""Exact laws of a charge under optimisers other than plain SGD."""
