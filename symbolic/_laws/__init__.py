"""Charges, flows and exact laws in components."""
