"""What is printed can be read: polynomials as text of the language, and back."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings

from symbolic import (
    Declaration,
    MatrixDerivation,
    MatrixPolynomial,
    derive,
    matrix,
    sample,
    scalar,
)
from symbolic._language.words import interpret_words
from symbolic._words.applied import Table
from symbolic._words.polynomial import norm2
from symbolic._words.text import text
from tests.matrix_declarations import (
    CONSTANTS,
    SHAPES,
    gradients,
    in_words,
)
from tests.polynomials import LETTERS, NUMBERS, Tree, build, scalars, trees


few = settings(max_examples=60, deadline=None, database=None, derandomize=True)
fewer = settings(few, max_examples=5)
READ = LETTERS | {name: scalar(name) for name in NUMBERS}


def _read(source: str, names: dict[str, MatrixPolynomial]) -> MatrixPolynomial:
    return interpret_words(source, names, Table(), means=True)


def _printable(f: MatrixPolynomial) -> bool:
    """Decide whether the language has words for it: no identity, no torn samples."""
    source = text(f)
    sizes = {n for powers, _, _ in f.terms for n, _ in powers} - set(NUMBERS)
    return (
        not ("identity" in source or "__" in source or sizes or not f.terms)
        and len(source) < 4000
    )


@few
@given(scalars() | trees())
def test_random_polynomials(tree: Tree) -> None:
    f = build(tree)
    assume(_printable(f))
    assert _read(text(f), READ) == f


@fewer
@given(gradients())
def test_what_derivations_print(J: dict[str, str]) -> None:
    names = _names()
    for f in _derived(in_words(J, None)):
        assert _read(text(f), names) == f


def _derived(declaration: Declaration) -> list[MatrixPolynomial]:
    law = derive(declaration)
    assert isinstance(law, MatrixDerivation)
    flow = law.flow
    found = [*declaration.symmetry.generator, law.charge]
    found += [flow.noise, flow.weight_decay, flow.expression]
    found += [each.charge for each in law.families]
    found += [each.flow.expression for each in law.families]
    kappa = interpret_words("1 - 2*eta*gamma", _names(), Table())
    found += [_with(law.exact_law.next_charge, kappa)]
    if declaration.symmetry.kind == "exponential":
        found.append(law.equilibrium.balance)
    return [f for f in found if f.terms]


def _with(f: MatrixPolynomial, kappa: MatrixPolynomial) -> MatrixPolynomial:
    """Return f with the scalar (1 − 2ηγ) multiplied out."""
    total = f * 0
    for (powers, traced, word), c in f.terms.items():
        kept = tuple((n, p) for n, p in powers if not n.startswith("("))
        times = sum(p for n, p in powers if n.startswith("("))
        part = MatrixPolynomial(f.rows, f.cols, {(kept, traced, word): c})
        for _ in range(times):
            part = part * kappa
        total += part
    return total


def _names() -> dict[str, MatrixPolynomial]:
    found = {c.name: c.words for c in CONSTANTS}
    for name, shape in SHAPES.items():
        sizes: list[str | int] = [*shape, 1, 1]
        rows, cols = sizes[:2]
        found[name] = matrix(name, rows, cols)
        found[f"h_{name}"] = sample(f"h_{name}", rows, cols)
        for prefix in ("g", "gbar"):
            found[f"{prefix}_{name}"] = matrix(f"{prefix}_{name}", rows, cols)
    return found | {n: scalar(n) for n in ("eta", "gamma", "sigma2", "S", "lam")}


PRINTED = [
    "exp(c)**3*c/2",
    "(norm2(A))**(1/2)*c",
    "(c + norm2(A))**(-2)*tanh(c)",
    "tanh(A*y)*y.T/3",
    "relu(A.T*x).T*A.T*x",
    "-tr(S*B*inv(B*S))**2",
    "mean(tr(x*x.T*B))*mean(norm2(x))**2",
    "c**(3/2)*gamma/eta**2",
    "-(x.T*B*x)**2*a",
    "norm2(a)**2*norm2(A)",
]


@pytest.mark.parametrize("source", PRINTED)
def test_functions_and_powers(source: str) -> None:
    f = _read(source, READ)
    printed = text(f)
    assert _read(printed, READ) == f
    assert text(_read(printed, READ)) == printed


def test_zero_is_zero() -> None:
    assert text(norm2(LETTERS["A"]) * 0) == "0"
