"""Altered formulas: the verifier must refute them, or say why it cannot."""
