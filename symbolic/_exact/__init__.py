"""Exact decisions on scalar expressions: equality, ranks, antiderivatives."""
