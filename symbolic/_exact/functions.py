"""`relu` and its derivative `step`, as sympy functions that differentiate on branches.

On each branch, where no argument is zero, relu(z) = z·step(z), step is constant
and step² = step. Identities proved from these rules hold almost everywhere.
"""

from __future__ import annotations

from typing import Any

import sympy as sp


class step(sp.Function):  # noqa: N801 - named as printed
    """1 where z > 0, else 0; its derivative is 0 on every branch.

    >>> step(sp.Rational(1, 2)), step(-1), step(0)
    (1, 0, 0)
    """

    nargs = (1,)
    is_real = True
    is_nonnegative = True

    @classmethod
    def eval(cls, z: sp.Expr) -> sp.Expr | None:
        """Decide the branch where the sign of z is known."""
        if z.is_positive:
            return sp.S.One
        if z.is_nonpositive:
            return sp.S.Zero
        return None

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """Return 0: the function is constant on every branch."""
        del argindex
        return sp.S.Zero

    def _eval_power(self, exponent: sp.Expr) -> sp.Expr | None:
        return self if exponent.is_positive else None


class relu(sp.Function):  # noqa: N801 - named as printed
    """max(z, 0); its derivative is step(z).

    >>> relu(3), relu(-2), relu(sp.Symbol("z", real=True)).diff()
    (3, 0, step(z))
    """

    nargs = (1,)
    is_real = True
    is_nonnegative = True

    @classmethod
    def eval(cls, z: sp.Expr) -> sp.Expr | None:
        """Decide the branch where the sign of z is known."""
        if z.is_nonnegative:
            return z
        if z.is_nonpositive:
            return sp.S.Zero
        return None

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """Return step(z)."""
        del argindex
        return step(self.args[0])


def on_branches(expression: sp.Expr) -> sp.Expr:
    """Rewrite relu and abs by their branch rules, keeping equal branches equal.

    relu(z) → z·step(z), |z| → z·(2·step(z) − 1), and step(k·z) → step(z) for k > 0.

    Args:
        expression: any expression.

    Returns:
        An expression equal to it wherever no argument is zero.

    >>> z = sp.Symbol("z", real=True)
    >>> on_branches(relu(2 * z) - 2 * relu(z))
    0
    """

    def rewrite_relu(z: sp.Expr) -> sp.Expr:
        return z * _canonical_step(z)

    def rewrite_abs(z: sp.Expr) -> sp.Expr:
        return z * (2 * _canonical_step(z) - 1)

    result: Any = expression.replace(relu, rewrite_relu).replace(step, _canonical_step)
    return result.replace(sp.Abs, rewrite_abs).replace(
        sp.sign, lambda z: 2 * _canonical_step(z) - 1
    )


def _canonical_step(z: sp.Expr) -> sp.Expr:
    """Return step of z with its positive factors removed."""
    factored = sp.factor_terms(sp.factor(z)) if z.is_Add else z
    rest = [factor for factor in sp.Mul.make_args(factored) if not factor.is_positive]
    negative = sum(1 for factor in rest if factor.is_Number)
    core = sp.Mul(*[factor for factor in rest if not factor.is_Number])
    return step(-core if negative % 2 else core)
