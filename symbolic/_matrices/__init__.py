"""Symmetries and laws of matrix parameters at any size."""
