"""The derivation with one letter for each matrix, every size free."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import sympy as sp
from sympy.tensor.array.expressions import ArrayContraction, convert_array_to_matrix

from benchmarks._measure import Stages
from benchmarks._reference import ITO_ENTRIES, Grid, Point, Values, centred, flat, mean
from symbolic import (
    MatrixPolynomial,
    compare_polynomials,
    evaluate,
    factorisation,
    gradient,
    hessian_trace,
    linear_chain,
    matrix_flow,
    norm2,
    scalar,
)


def words() -> Stages:
    """Yield the stages in words of matrices.

    Yields:
        The same stages as elementwise, and more: the trace is averaged over the data
        and has the decay's part; the Itô terms are the whole flow, averaged and
        centred, with decay, loss and diffusion.
    """
    net = factorisation()
    gradients = net.gradients
    yield "gradients", gradients
    g_U, g_W = gradients.values()
    yield "identity", net.U.T @ g_U == g_W @ net.W.T
    yield "Hessian trace", hessian_trace(net.loss, (net.U, net.W))
    yield "Itô terms", matrix_flow(net.charge, gradients)


def word_values(results: dict[str, Any], point: Point) -> Values:
    """Return what the results are at a point, with σ² = 1 and γ = 0."""
    W, U = point.layers
    known = {"U": _matrix(U), "W": _matrix(W)}
    samples = [{"x": _matrix([x]).T, "y": _matrix([y]).T} for x, y in point.data]

    def at(f: MatrixPolynomial) -> sp.Matrix:
        numbers = {"sigma2": sp.S.One, "gamma": sp.S.Zero}
        numbers["d"] = sp.Integer(len(W))
        return evaluate(f, known, samples=samples, at=samples[0], numbers=numbers)

    g_U, g_W = (at(g) for g in results["gradients"].values())
    noise = at(results["Itô terms"].noise)
    return Values(
        tuple(_fraction(e) for g in (g_W, g_U) for e in g),
        _fraction(at(results["Hessian trace"])[0]),
        tuple(_fraction(noise[ab]) for ab in ITO_ENTRIES),
    )


def matrix_symbols() -> Stages:
    """Yield the stages in sympy's MatrixSymbol, for the sample at hand.

    Yields:
        As elementwise. The trace contracts the array expression of the Hessian.
    """
    d_y, d, d_x = sp.symbols("d_y d d_x", integer=True, positive=True)
    U, W = sp.MatrixSymbol("U", d_y, d), sp.MatrixSymbol("W", d, d_x)
    x, y = sp.MatrixSymbol("x", d_x, 1), sp.MatrixSymbol("y", d_y, 1)
    r = U * W * x - y
    loss = sp.Trace(r.T * r)
    g_W, g_U = loss.diff(W), loss.diff(U)
    yield "gradients", ((W, U, x, y), g_W, g_U)
    gap = sp.expand(U.T * g_U - g_W * W.T).doit()
    yield "identity", gap == sp.ZeroMatrix(d, d)
    blocks = [
        ArrayContraction(g.diff(X), (0, 2), (1, 3)).doit()
        for X, g in ((W, g_W), (U, g_U))
    ]
    yield "Hessian trace", sum(convert_array_to_matrix(block) for block in blocks)
    yield "Itô terms", sp.expand(2 * (g_U.T * g_U - g_W * g_W.T)).doit()


def symbol_values(results: dict[str, Any], point: Point) -> Values:
    """Return what the results are at a point."""
    letters, *gradients = results["gradients"]
    W, U = point.layers
    sizes = {
        letters[0].cols: len(W[0]),
        letters[0].rows: len(W),
        letters[1].rows: len(U),
    }

    def at(f: Any, n: int) -> sp.Matrix:
        x, y = (_matrix([column]).T for column in point.data[n])
        sized = [letter.subs(sizes) for letter in letters]
        known = dict(zip(sized, (_matrix(W), _matrix(U), x, y), strict=True))
        return f.subs(sizes).subs(known).doit()

    every = range(len(point.data))
    grids = [[_grid(at(g, n)) for g in gradients] for n in every]
    noise = [at(results["Itô terms"], n) for n in every]
    return Values(
        flat(grids[0]),
        mean([_fraction(at(results["Hessian trace"], n)) for n in every]),
        centred([[_fraction(m[ab]) for ab in ITO_ENTRIES] for m in noise], grids),
    )


def chain(depth: int) -> Callable[[], Stages]:
    """Return the stages for a deep linear network, in words of matrices."""

    def stages() -> Stages:
        layers, loss = linear_chain(depth)
        G = [gradient(loss, X) for X in layers]
        yield "gradients", G
        yield (
            "identity",
            all(
                layers[i + 1].T @ G[i + 1] == G[i] @ layers[i].T
                for i in range(depth - 1)
            ),
        )
        yield "Hessian trace", hessian_trace(loss, layers)

    return stages


def chain_values(results: dict[str, Any], point: Point) -> Values:
    """Return what the results are at a point, with γ = 0."""
    known = {f"W_{i}": _matrix(layer) for i, layer in enumerate(point.layers, 1)}
    samples = [{"x": _matrix([x]).T, "y": _matrix([y]).T} for x, y in point.data]
    numbers = {"gamma": sp.S.Zero}
    numbers |= {
        f"d_{i}": sp.Integer(len(layer)) for i, layer in enumerate(point.layers, 1)
    }
    numbers["d_0"] = sp.Integer(len(point.data[0][0]))

    def at(f: MatrixPolynomial) -> sp.Matrix:
        return evaluate(f, known, samples=samples, at=samples[0], numbers=numbers)

    gradients = tuple(_fraction(e) for g in results["gradients"] for e in at(g))
    return Values(gradients, _fraction(at(results["Hessian trace"])[0]), None)


def chain_reference(point: Point) -> Values:
    """Return the exact values by differences."""
    found = [point.derivatives(n) for n in range(len(point.data))]
    return Values(flat(found[0][0]), mean([trace for _, trace in found]), None)


def theorem_2() -> Stages:
    """Yield the flow of Q, and the decision that it is the formula of Theorem 2."""
    net = factorisation()
    flow = matrix_flow(net.charge, net.gradients)
    noise = 8 * scalar("sigma2") * net.imbalance(net.noise_matrices())
    claimed = noise - 4 * scalar("gamma") * net.charge
    yield "all", compare_polynomials(flow.expression, claimed).verdict.name


def proposition_2() -> Stages:
    """Yield the decision that the Hessian trace is the formula of Proposition 2."""
    net = factorisation()
    second = (net.x @ net.x.T).mean()
    gamma, d, d_x, d_y = map(scalar, ("gamma", "d", "d_x", "d_y"))
    of_W = d_y * (net.W @ second @ net.W.T).tr()
    claimed = 2 * (of_W + norm2(net.U) * second.tr()) + 2 * gamma * d * (d_x + d_y)
    trace = hessian_trace(net.loss, (net.U, net.W))
    yield "all", compare_polynomials(trace, claimed).verdict.name


def _matrix(grid: Grid) -> sp.Matrix:
    return sp.Matrix(
        [[sp.Rational(e.numerator, e.denominator) for e in row] for row in grid]
    )


def _grid(matrix: sp.Matrix) -> Grid:
    return [[_fraction(e) for e in matrix.row(i)] for i in range(matrix.rows)]


def _fraction(value: Any) -> Fraction:
    return Fraction(int(value.p), int(value.q))
