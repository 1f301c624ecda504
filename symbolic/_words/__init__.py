"""Polynomials in words of matrices of any size: their algebra, calculus and text."""
