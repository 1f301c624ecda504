"""An instance by hand for words of matrices: rescaling, with every name they use."""

from __future__ import annotations

import sympy as sp

from verify._routes._words import Example


# ℓ = (uw − y)² at (1, 2) with y = 0, 2: g = (8, 4), (0, 0).
SHOWN = {
    "loss": "(u*w - y)**2",
    "u": "1",
    "w": "2",
    "data": "y=0; y=2",
    "A": "diag(1, -1)",
    "sigma2": "2",
}
PRODUCT = Example(
    {"theta": sp.Matrix([1, 2]), "A": sp.diag(1, -1), "a": sp.Matrix([1, 0])},
    ({"g": sp.Matrix([8, 4])}, {"g": sp.Matrix([0, 0])}),
    SHOWN,
    {"sigma2": sp.Integer(2), "gamma": sp.S.One},
)
