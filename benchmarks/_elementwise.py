"""The derivation with one symbol for each entry, in four libraries."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import Any

import sympy as sp

from benchmarks._measure import Stages
from benchmarks._reference import ITO_ENTRIES, Point, Values, centred, flat, mean


try:
    from flint import Ordering, fmpq, fmpq_mpoly_ctx
except ImportError:
    HAS_FLINT = False
else:
    HAS_FLINT = True

try:
    import symengine
except ImportError:
    HAS_SYMENGINE = False
else:
    HAS_SYMENGINE = True

Numbers = dict[str, Fraction]


@dataclass(frozen=True, slots=True)
class Algebra:
    """What the derivation asks of a library.

    Attributes:
        package: the package to install.
        variables: makes variables of these names.
        diff: the derivative of an expression in a variable.
        expand: the normal form, in which an expression that is 0 is 0.
        value: an expression at a point; the variables come with it.
    """

    package: str
    variables: Callable[[list[str]], list[Any]]
    diff: Callable[[Any, Any], Any]
    expand: Callable[[Any], Any]
    value: Callable[[Any, list[Any], list[Fraction]], Fraction]


def names(d: int) -> list[str]:
    """Return the names of all entries: W, U, x, y."""
    square = [f"{i}_{j}" for i in range(d) for j in range(d)]
    row = [str(i) for i in range(d)]
    return [
        f"{letter}{k}"
        for letter, which in (("W", square), ("U", square), ("x", row), ("y", row))
        for k in which
    ]


def stages(algebra: Algebra, d: int) -> Stages:
    """Yield gradients, Noether identity, Hessian trace and Itô terms.

    Args:
        algebra: the library.
        d: every size.

    Yields:
        The stage's name and its result: W's and U's gradients; whether the identity
        UᵀG_U = G_WWᵀ holds; the trace; D²Q[g, g], upper triangle, expanded.
    """
    v = algebra.variables(names(d))
    diff, expand, R = algebra.diff, algebra.expand, range(d)
    W, U = ([v[s + i * d : s + (i + 1) * d] for i in R] for s in (0, d * d))
    x, y = v[2 * d * d : 2 * d * d + d], v[2 * d * d + d :]
    hidden = [_sum(W[j][k] * x[k] for k in R) for j in R]
    residual = [_sum(U[i][j] * hidden[j] for j in R) - y[i] for i in R]
    loss = _sum(r * r for r in residual)
    g_W, g_U = ([[diff(loss, entry) for entry in row] for row in X] for X in (W, U))
    yield "gradients", (v, g_W, g_U)
    yield (
        "identity",
        all(
            expand(
                _sum(U[i][a] * g_U[i][b] for i in R)
                - _sum(g_W[a][k] * W[b][k] for k in R)
            )
            == 0
            for a in R
            for b in R
        ),
    )
    pairs = [(X[i][j], g[i][j]) for X, g in ((W, g_W), (U, g_U)) for i in R for j in R]
    yield "Hessian trace", expand(_sum(diff(g, entry) for entry, g in pairs))
    yield (
        "Itô terms",
        {
            (a, b): expand(
                2
                * (
                    _sum(g_U[i][a] * g_U[i][b] for i in R)
                    - _sum(g_W[a][k] * g_W[b][k] for k in R)
                )
            )
            for a in R
            for b in range(a, d)
        },
    )


def values(algebra: Algebra, results: dict[str, Any], point: Point) -> Values:
    """Return what the results are at a point."""
    v, *gradients = results["gradients"]
    W, U = point.layers
    at = [[*flat([W, U]), *x, *y] for x, y in point.data]
    grids = [
        [[[algebra.value(e, v, a) for e in row] for row in g] for g in gradients]
        for a in at
    ]
    trace = results.get("Hessian trace")
    ito = results.get("Itô terms")
    return Values(
        flat(grids[0]),
        None if trace is None else mean([algebra.value(trace, v, a) for a in at]),
        None
        if ito is None
        else centred(
            [[algebra.value(ito[ab], v, a) for ab in ITO_ENTRIES] for a in at], grids
        ),
    )


def _sum(terms: Iterable[Any]) -> Any:
    return reduce(lambda a, b: a + b, terms)


def _rational(value: Any) -> Fraction:
    return Fraction(int(value.p), int(value.q))


def _sympy_value(e: Any, v: list[Any], at: list[Fraction]) -> Fraction:
    known = {
        a: sp.Rational(f.numerator, f.denominator) for a, f in zip(v, at, strict=True)
    }
    return _rational(e.xreplace(known))


def _ring_value(e: Any, _: list[Any], at: list[Fraction]) -> Fraction:
    total = Fraction(0)
    for powers, c in e.terms():
        term = Fraction(int(c.numerator), int(c.denominator))
        for f, power in zip(at, powers, strict=True):
            if power:
                term *= f**power
        total += term
    return total


def _flint_variables(names: list[str]) -> list[Any]:
    return list(fmpq_mpoly_ctx.get(names, Ordering.lex).gens())


def _flint_value(e: Any, _: list[Any], at: list[Fraction]) -> Fraction:
    return _rational(e(*(fmpq(f.numerator, f.denominator) for f in at)))


def _symengine_value(e: Any, v: list[Any], at: list[Fraction]) -> Fraction:
    known = {
        a: symengine.Rational(f.numerator, f.denominator)
        for a, f in zip(v, at, strict=True)
    }
    value = symengine.sympify(e).subs(known)
    return Fraction(str(value))


def algebras() -> dict[str, Algebra | None]:
    """Return the libraries by name; None for those that are not installed."""
    return {
        "sympy": Algebra("sympy", sp.symbols, sp.diff, sp.expand, _sympy_value),
        "sympy ring": Algebra(
            "sympy",
            lambda names: list(sp.ring(names, sp.QQ)[1:]),
            lambda e, x: e.diff(x),
            lambda e: e,
            _ring_value,
        ),
        "symengine": Algebra(
            "symengine",
            lambda names: [symengine.Symbol(name) for name in names],
            lambda e, x: symengine.diff(e, x),
            symengine.expand,
            _symengine_value,
        )
        if HAS_SYMENGINE
        else None,
        "python-flint": Algebra(
            "python-flint",
            _flint_variables,
            lambda e, x: e.derivative(str(x)),
            lambda e: e,
            _flint_value,
        )
        if HAS_FLINT
        else None,
    }
