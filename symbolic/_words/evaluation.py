"""Matrix polynomials at concrete sizes: exact values, and refutation by example."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from itertools import product

import sympy as sp

from symbolic._errors import DeclarationError
from symbolic._verdict import Finding, Verdict, Witness
from symbolic._words.letters import Key, Letter, Word, copies
from symbolic._words.notation import latex
from symbolic._words.polynomial import MatrixPolynomial


Values = Mapping[str, sp.Matrix]
_SIZES = (2, 3, 1, 4, 2, 5)
_SAMPLES = 3


def evaluate(
    f: MatrixPolynomial,
    values: Values,
    *,
    samples: Sequence[Values] = (),
    at: Values | None = None,
    numbers: Mapping[str, sp.Expr] | None = None,
) -> sp.Matrix:
    """Return the value of a polynomial for given matrices and data.

    Args:
        f: the polynomial.
        values: name → matrix, for everything that is not data.
        samples: the training set: name → matrix for each of N samples.
        at: the sample at hand, where `f` is not averaged.
        numbers: name → value of scalar symbols; sizes are known from the matrices.

    Returns:
        The value, shape (rows, cols); entries may be symbols.

    Raises:
        DeclarationError: where something has no value, or a wrong shape.

    >>> from symbolic import matrix, norm2
    >>> evaluate(norm2(matrix("U", "m", "d")), {"U": sp.Matrix([[1, 2]])})
    Matrix([[5]])
    """
    sizes = _known_sizes(f, [values, *samples, *([at] if at else [])])
    known = dict(numbers or {})
    for name, size in sizes.items():
        if known.setdefault(name, sp.Integer(size)) != size:
            raise DeclarationError(
                f"expected {name} = {size} as the matrices have it, got {known[name]}"
            )
    shape = [_size(s, known) for s in (f.rows, f.cols)]
    total = sp.zeros(*shape)
    for key, c in f.terms.items():
        weight = sp.Rational(c.numerator, c.denominator) * _power(key, known)
        choices = _choices(key, samples, at)
        share = sp.Rational(1, max(1, len(samples)) ** len(_copies(key)))
        for choice in choices:
            traces = [_word(w, values, choice).trace() for w in key[1]]
            last = _word(key[2], values, choice) if key[2] else sp.eye(shape[0])
            total += weight * share * reduce(_times, traces, sp.S.One) * last
    return total


def _times(a: sp.Expr, b: sp.Expr) -> sp.Expr:
    return a * b


def _copies(key: Key) -> list[int]:
    return copies([*key[1], key[2]])


def _choices(
    key: Key, samples: Sequence[Values], at: Values | None
) -> Iterator[dict[int, Values]]:
    """Yield what each averaged sample, and the one at hand, may be."""
    names = _copies(key)
    if names and not samples:
        raise DeclarationError("expected samples to average over, got none")
    for some in product(samples, repeat=len(names)):
        yield dict(zip(names, some, strict=True)) | {0: at or {}}


def _word(word: Word, values: Values, choice: dict[int, Values]) -> sp.Matrix:
    result = _letter(word[0], values, choice)
    for letter in word[1:]:
        result = result * _letter(letter, values, choice)
    return result


def _letter(letter: Letter, values: Values, choice: dict[int, Values]) -> sp.Matrix:
    source = choice[letter.copy] if letter.data else values
    if letter.name not in source:
        where = "samples" if letter.copy else "the sample at hand"
        raise DeclarationError(
            f"expected a value for {letter.name} among "
            f"{where if letter.data else 'values'}, got {', '.join(source) or 'none'}"
        )
    value = source[letter.name]
    if letter.symmetric and value != value.T:
        raise DeclarationError(
            f"expected a symmetric matrix for {letter.name}, which is symmetric"
        )
    return value.T if letter.transposed else value


def _power(key: Key, numbers: Mapping[str, sp.Expr]) -> sp.Expr:
    missing = [name for name, _ in key[0] if name not in numbers]
    if missing:
        raise DeclarationError(
            f"expected a number for {missing[0]}, got {', '.join(numbers) or 'none'}"
        )
    return reduce(_times, (numbers[name] ** p for name, p in key[0]), sp.S.One)


def _size(size: str, known: Mapping[str, sp.Expr]) -> int:
    if size.isdigit():
        return int(size)
    if size not in known:
        raise DeclarationError(
            f"expected a matrix from which to know {size}, or a number for it, got "
            f"neither"
        )
    return int(known[size])


def letters(f: MatrixPolynomial) -> dict[str, Letter]:
    """Return name → letter of every variable, as declared.

    Raises:
        DeclarationError: for one name declared in two ways.
    """
    found: dict[str, Letter] = {}
    for _, traced, word in f.terms:
        for a in (letter for w in (*traced, word) for letter in w):
            b = a._replace(transposed=False, copy=0)
            if a.transposed:
                b = b._replace(rows=a.cols, cols=a.rows)
            if found.setdefault(a.name, b) != b:
                raise DeclarationError(
                    f"expected one declaration of {a.name}, got {_declared(b)} and "
                    f"{_declared(found[a.name])}; give one of them another name"
                )
    return found


def _declared(a: Letter) -> str:
    kind = "data" if a.data else "symmetric" if a.symmetric else "matrix"
    return f"{kind} {a.rows} x {a.cols}"


def _known_sizes(f: MatrixPolynomial, sources: list[Values]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for name, letter in sorted(letters(f).items()):
        for source in sources:
            if name not in source:
                continue
            for size, got in zip(
                (letter.rows, letter.cols), source[name].shape, strict=True
            ):
                expected = int(size) if size.isdigit() else sizes.setdefault(size, got)
                if got != expected:
                    raise DeclarationError(
                        f"expected {size} = {expected} in the shape of {name}, got "
                        f"{source[name].shape}"
                    )
    return sizes


def compare_polynomials(left: MatrixPolynomial, right: MatrixPolynomial) -> Finding:
    """Decide whether two matrix polynomials are equal, at every size.

    Equal normal forms prove it. Else exact rational matrices, drawn at a few sizes,
    refute it.

    Args:
        left: one side.
        right: the other, of the same shape.

    Returns:
        PROVED, REFUTED with the matrices as witness, or INCONCLUSIVE.

    >>> from symbolic import matrix
    >>> U, V = matrix("U", "m", "d"), matrix("V", "m", "d")
    >>> compare_polynomials((U.T @ V).tr(), (V @ U.T).tr()).verdict.name
    'PROVED'
    """
    if left == right:
        return Finding(
            Verdict.PROVED, "equal as polynomials in words of matrices, at every size"
        )
    gap = left - right
    for seed in range(4):
        values, samples, numbers = random_instance((left, right), seed)
        sides = [
            evaluate(f, values, samples=samples, at=samples[0], numbers=numbers)
            for f in (left, right)
        ]
        if sides[0] != sides[1]:
            shown = {name: _text(v) for name, v in values.items()}
            shown |= {name: str(v) for name, v in numbers.items()}
            shown |= {
                name: "; ".join(_text(s[name]) for s in samples) for name in samples[0]
            }
            return Finding(
                Verdict.REFUTED,
                f"the difference is {latex(gap)}",
                Witness(shown, _text(sides[0]), _text(sides[1]), exact=True),
            )
    return Finding(
        Verdict.INCONCLUSIVE, "different normal forms, equal at every point tried"
    )


def random_instance(
    polynomials: tuple[MatrixPolynomial, ...], seed: int
) -> tuple[dict[str, sp.Matrix], list[dict[str, sp.Matrix]], dict[str, sp.Expr]]:
    """Draw small rational matrices, samples and numbers for every name.

    Args:
        polynomials: whose names get a value.
        seed: the seed; all sizes are 1 for 0 and 2 for 1, then they differ.

    Returns:
        Values, samples and numbers as `evaluate` takes them.
    """
    stream = random.Random(f"matrix polynomial {seed}")
    found = {name: a for f in polynomials for name, a in letters(f).items()}
    shapes = [(f.rows, f.cols) for f in polynomials]
    shapes += [(a.rows, a.cols) for a in found.values()]
    names = sorted({size for shape in shapes for size in shape})
    sizes = {
        name: int(name) if name.isdigit() else _drawn_size(seed, i)
        for i, name in enumerate(names)
    }
    values = {
        name: _drawn(a, sizes, stream)
        for name, a in sorted(found.items())
        if not a.data
    }
    samples = [
        {name: _drawn(a, sizes, stream) for name, a in sorted(found.items()) if a.data}
        for _ in range(_SAMPLES)
    ]
    powers = {s for f in polynomials for key in f.terms for s, _ in key[0]}
    symbols = sorted(powers - set(sizes))
    numbers = {
        name: sp.Rational(stream.randint(1, 9), stream.randint(1, 4))
        for name in symbols
    }
    numbers |= {  # not every polynomial has a matrix that tells them
        name: sp.Integer(size) for name, size in sizes.items() if not name.isdigit()
    }
    return values, samples, numbers


def _drawn_size(seed: int, i: int) -> int:
    return seed + 1 if seed < 2 else _SIZES[(seed + i) % len(_SIZES)]


def _drawn(a: Letter, sizes: dict[str, int], stream: random.Random) -> sp.Matrix:
    full = sp.Matrix(
        sizes[a.rows], sizes[a.cols], lambda i, j: sp.Integer(stream.randint(-3, 3))
    )
    return (full + full.T) / 2 if a.symmetric else full


def _text(value: sp.Matrix) -> str:
    if value.shape == (1, 1):
        return str(value[0, 0])
    return str([[str(e) for e in value.row(i)] for i in range(value.rows)]).replace(
        "'", ""
    )
