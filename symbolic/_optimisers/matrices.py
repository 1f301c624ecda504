"""Exact laws of optimisers linear in θ, m and g for matrix parameters, at any size."""

from __future__ import annotations

from functools import reduce

import sympy as sp

from symbolic._optimisers.algebra import (
    ALONG,
    CONSTANT,
    DRIVE,
    STATE,
    LinearOptimiser,
    any_size_law,
    letter_laws,
)
from symbolic._optimisers.law import DiscreteLaw
from symbolic._optimisers.linear import described, linear_optimisers
from symbolic._words.applied import names_in
from symbolic._words.calculus import substitute
from symbolic._words.polynomial import MatrixPolynomial, dot, matrix, zero


Words = tuple[MatrixPolynomial, ...]
Shown = dict[sp.Symbol, sp.Symbol]


def matrix_discrete_laws(
    charge: MatrixPolynomial, generator: Words, parameters: Words
) -> tuple[DiscreteLaw, ...]:
    """Return the laws of SGD, heavy ball and Nesterov for J = Aθ + b, at any size.

    Args:
        charge: C with ∇C = J.
        generator: J, linear or affine in the parameters.
        parameters: θ.

    Returns:
        The laws; `where` says what their letters are, as polynomials.

    >>> from symbolic._words.polynomial import norm2
    >>> U = matrix("U", "m", "d")
    >>> law = matrix_discrete_laws(norm2(U) / 2, (U,), (U,))[0]
    >>> print(law.next["C"])
    C*(2*eta*gamma - 1)**2 + eta**2*gAg/2
    >>> {str(letter): value for letter, value in law.where.items()}["gAg"]
    norm2(g_U)
    """
    taken = names_in(charge).union(*map(names_in, generator), *map(_scalars, generator))
    shown = {each: _free(each.name, taken) for each in (*STATE, *DRIVE)}
    where = _letters(charge, generator, parameters, shown)
    return tuple(_law(each, where, shown) for each in linear_optimisers())


def _free(name: str, taken: set[str]) -> sp.Symbol:
    """Return a symbol that has no name of the declaration."""
    return sp.Symbol(f"opt_{name}" if name in taken else name, real=True)


def _scalars(f: MatrixPolynomial) -> set[str]:
    return {name for powers, _, _ in f.terms for name, _ in powers}


def _law(
    optimiser: LinearOptimiser,
    where: dict[sp.Symbol, MatrixPolynomial],
    shown: Shown,
) -> DiscreteLaw:
    absent = {s: sp.S.Zero for s, value in where.items() if not value.terms}
    rules = {ALONG: sp.S.Zero, CONSTANT: sp.S.Zero}
    after = {}
    for name, law in letter_laws(optimiser).items():
        plain = law.xreplace(rules).xreplace(shown).xreplace(absent)
        collected = sp.collect(sp.expand(plain), list(shown.values()), sp.factor)
        if name in "CBM" or collected != 0:
            after[name] = collected
    used = set().union(*(law.free_symbols for law in after.values()))
    update, condition = described(optimiser)
    return DiscreteLaw(
        optimiser.name,
        update,
        after,
        {letter: value for letter, value in where.items() if letter in used},
        any_size_law(optimiser),
        condition=condition,
    )


def _letters(
    charge: MatrixPolynomial, generator: Words, parameters: Words, shown: Shown
) -> dict[sp.Symbol, MatrixPolynomial]:
    origin = {X: zero(X.rows, X.cols) for X in parameters}
    b = tuple(substitute(J, origin) for J in generator)
    A = tuple(J - part for J, part in zip(generator, b, strict=True))
    m, g = (_named(parameters, prefix) for prefix in ("m", "g"))
    C, B, M, L, P, mAg, gAg, bg = (shown[letter] for letter in (*STATE, *DRIVE))
    return {
        C: charge,
        B: _inner(generator, m),
        M: _inner(m, _at(A, parameters, m)),
        L: _inner(b, parameters),
        P: _inner(b, m),
        mAg: _inner(m, _at(A, parameters, g)),
        gAg: _inner(g, _at(A, parameters, g)),
        bg: _inner(b, g),
    }


def _named(parameters: Words, prefix: str) -> Words:
    return tuple(
        matrix(f"{prefix}_{X.letter.name}", X.rows, X.cols) for X in parameters
    )


def _at(A: Words, parameters: Words, vector: Words) -> Words:
    values = dict(zip(parameters, vector, strict=True))
    return tuple(substitute(part, values) for part in A)


def _inner(left: Words, right: Words) -> MatrixPolynomial:
    pairs = [dot(a, b) for a, b in zip(left, right, strict=True)]
    return reduce(lambda a, b: a + b, pairs)
