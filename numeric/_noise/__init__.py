"""Noise along generators on torch models, and the generators themselves."""
