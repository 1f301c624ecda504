"""Functions of matrix polynomials: letters that stand for f(Z), and their rules.

f(Z) is a letter named by its text, so equal arguments give equal letters. Nothing is
assumed of it but the rules below: the derivative along a direction, the powers of one
scalar, and that relu and abs are homogeneous.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import comb

from symbolic._errors import DeclarationError
from symbolic._words.calculus import differential, gradient, substitute
from symbolic._words.letters import Key, Word
from symbolic._words.polynomial import (
    MatrixPolynomial,
    RawTerm,
    assemble,
    dot,
    identity,
    matrix,
    sample,
    zero,
)
from symbolic._words.text import text


MAX_CLEARED = 5_000  # terms, where powers of a polynomial are multiplied out
_HOMOGENEOUS = frozenset({"relu", "abs"})
_FLAT = frozenset({"step", "sign"})  # constant on every branch


@dataclass(frozen=True, slots=True)
class Applied:
    """A letter that stands for a function of a polynomial.

    Attributes:
        letter: the letter, of the argument's shape.
        function: a name of the language, applied to each entry; "power" for a scalar
            to the exponent; "inv" for the inverse; "step" and "sign" for derivatives;
            "tangent" for f'(Z)∘dZ, of which nothing is known at symbolic sizes.
        argument: Z.
        exponent: 1/q or −1/q for "power", else 1.
        direction: the name of f(Z), and dZ, for "tangent".
    """

    letter: MatrixPolynomial
    function: str
    argument: MatrixPolynomial
    exponent: Fraction = Fraction(1)
    direction: tuple[str, MatrixPolynomial] | None = None

    @property
    def name(self) -> str:
        """Return the name of the letter: its text."""
        return self.letter.letter.name


@dataclass(slots=True)
class Table:
    """The functions that occur, in the order in which they were met."""

    known: dict[str, Applied] = field(default_factory=dict)

    def apply(self, function: str, Z: MatrixPolynomial) -> MatrixPolynomial:
        """Return f(Z) as a letter."""
        return self._letter(f"{function}({text(Z)})", function, Z, Fraction(1))

    def power(self, s: MatrixPolynomial, exponent: Fraction) -> MatrixPolynomial:
        """Return a scalar to a rational power, by a letter for s^(±1/q)."""
        exact = _exact_power(s, exponent)
        if exact is not None:
            return exact
        inner = self._inner_power(s)
        if inner is not None:  # (s^(1/2))^(-1) is s^(-1/2)
            return self.power(inner.argument, inner.exponent * exponent)
        unit = Fraction(1 if exponent > 0 else -1, exponent.denominator)
        source = text(s)
        base = source if source.isidentifier() or _is_call(source) else f"({source})"
        letter = self._letter(f"{base}**({unit})", "power", s, unit)
        return _repeated(letter, abs(exponent.numerator))

    def _inner_power(self, s: MatrixPolynomial) -> Applied | None:
        """Return the power that a scalar is, if it is one and nothing else."""
        (key, c), *more = s.terms.items()
        if more or c != 1 or key[0] or len(key[1]) != 1 or len(key[1][0]) != 1:
            return None
        found = self.known.get(key[1][0][0].name)
        return found if found is not None and found.function == "power" else None

    def _letter(
        self, name: str, function: str, Z: MatrixPolynomial, exponent: Fraction
    ) -> MatrixPolynomial:
        if name not in self.known:
            make = sample if _has_data(Z) else matrix
            letter = make(name, Z.rows, Z.cols)
            if function in ("inv", "expm") and Z == Z.T and not letter.letter.data:
                letter = matrix(name, Z.rows, Z.cols, symmetric=True)
            self.known[name] = Applied(letter, function, Z, exponent)
        return self.known[name].letter

    def within(self, f: MatrixPolynomial) -> tuple[Applied, ...]:
        """Return the functions in a polynomial, innermost first."""
        found: dict[str, Applied] = {}
        for name in sorted(names_in(f) & set(self.known)):
            applied = self.known[name]
            for each in (*self.within(applied.argument), applied):
                found[each.name] = each
        return tuple(found.values())

    def tangent(
        self,
        f: MatrixPolynomial,
        direction: Mapping[MatrixPolynomial, MatrixPolynomial],
    ) -> MatrixPolynomial:
        """Return d/dε f(X + εJ) at ε = 0, through the functions in f.

        Args:
            f: the polynomial.
            direction: variable → J, of its shape.

        Returns:
            The derivative; where a rule is missing it holds a letter "tangent(…)".
        """
        along = dict(direction)
        for applied in self.within(f):
            along[applied.letter] = self._tangent(
                applied, differential(applied.argument, along)
            )
        return differential(f, along)

    def _tangent(self, applied: Applied, dZ: MatrixPolynomial) -> MatrixPolynomial:
        if applied.function == "inv":
            return -applied.letter @ dZ @ applied.letter
        if self.vanishes(dZ) or applied.function in _FLAT:
            return dZ * 0
        Z = applied.argument
        if applied.function in _HOMOGENEOUS:
            factor = _multiple(dZ, Z)
            if factor is not None:
                return applied.letter * factor  # D f(Z)[cZ] = c f(Z) for any sign of c
        if Z.is_scalar:
            return self._slope(applied) * dZ
        return self._unknown(applied, dZ)

    def _unknown(self, applied: Applied, dZ: MatrixPolynomial) -> MatrixPolynomial:
        """Return a letter for the derivative along dZ, of which nothing is known."""
        name, F = f"tangent({applied.name}, {text(dZ)})", applied.letter
        both = dZ if F.terms.keys() <= dZ.terms.keys() else F + dZ  # F never cancels
        letter = self._letter(name, "tangent", both, Fraction(1))
        self.known[name] = replace(self.known[name], direction=(applied.name, dZ))
        return letter

    def _slope(self, applied: Applied) -> MatrixPolynomial:
        """Return f'(z) of a scalar function."""
        F, z, one = applied.letter, applied.argument, identity(1)
        name = applied.function
        if name == "power":
            return F * self.power(z, Fraction(-1)) * applied.exponent
        rules = {
            "exp": lambda: F,
            "log": lambda: self.power(z, Fraction(-1)),
            "sin": lambda: self.apply("cos", z),
            "cos": lambda: -self.apply("sin", z),
            "tan": lambda: one + F * F,
            "sinh": lambda: self.apply("cosh", z),
            "cosh": lambda: self.apply("sinh", z),
            "tanh": lambda: one - F * F,
            "sigmoid": lambda: F - F * F,
            "softplus": lambda: self.apply("sigmoid", z),
            "relu": lambda: self.apply("step", z),
            "abs": lambda: self.apply("sign", z),
        }
        return rules[name]() if name in rules else self._unknown(applied, one)

    def gradient(self, f: MatrixPolynomial, X: MatrixPolynomial) -> MatrixPolynomial:
        """Return ∂f/∂X of a scalar, through scalar functions and inverses in f.

        Args:
            f: a scalar polynomial.
            X: a variable.

        Returns:
            The gradient, of the shape of X.

        Raises:
            DeclarationError: where a function of the entries of a matrix is in the way.
        """
        slopes: dict[str, MatrixPolynomial] = {}
        total = gradient(f, X)
        for applied in reversed(self.within(f)):
            F = applied.letter
            slope = gradient(f, F) + slopes.get(applied.name, zero(F.rows, F.cols))
            if not slope.terms:
                continue
            inner, weight = self._pulled_back(applied, slope)
            total += substitute(gradient(inner, X), weight)
            for other in self.within(applied.argument):
                letter = other.letter
                before = slopes.get(other.name, zero(letter.rows, letter.cols))
                slopes[other.name] = before + substitute(
                    gradient(inner, letter), weight
                )
        return total

    def _pulled_back(
        self, applied: Applied, slope: MatrixPolynomial
    ) -> tuple[MatrixPolynomial, dict[MatrixPolynomial, MatrixPolynomial]]:
        """Return ⟨P, Z⟩ with a letter P, and what P stands for."""
        Z = applied.argument
        if applied.function == "inv":
            back = -(applied.letter.T @ slope @ applied.letter.T)
        elif Z.is_scalar:
            back = slope * self._slope(applied)
        else:
            raise DeclarationError(
                f"expected a loss that is a polynomial in matrices, got "
                f"{applied.name}, a function of the entries of a matrix, whose "
                f"gradient has no closed form at symbolic sizes"
            )
        P = matrix("slope of it", Z.rows, Z.cols)
        return dot(P, Z), {P: back}

    def vanishes(self, f: MatrixPolynomial) -> bool:
        """Decide whether f is 0 by the rules of polynomials and of powers.

        Args:
            f: the polynomial.

        Returns:
            True proves it, wherever the powers are defined; False proves nothing.
        """
        if not f.terms:
            return True
        powers = [a for a in reversed(self.within(f)) if a.function == "power"]
        reduced = f
        for base in dict.fromkeys(a.argument for a in powers):
            exponents = {a.name: a.exponent for a in powers if a.argument == base}
            reduced = _cleared(reduced, base, exponents)
        return not reduced.terms


def names_in(f: MatrixPolynomial) -> set[str]:
    """Return the names of the letters of a polynomial."""
    return {
        letter.name
        for _, traced, word in f.terms
        for w in (*traced, word)
        for letter in w
    }


def partial_table(applied: Iterable[Applied]) -> Table:
    """Return a table of given functions."""
    return Table({each.name: each for each in applied})


def _cleared(
    f: MatrixPolynomial, base: MatrixPolynomial, powers: Mapping[str, Fraction]
) -> MatrixPolynomial:
    """Return f times a power of `base` that leaves no negative one.

    Whole powers become those of the base itself, what is left below 1 a letter; f stays
    as it is where multiplying out takes too many terms.
    """
    split = [(*_exponent(key, powers), c) for key, c in f.terms.items()]
    exponents = [Fraction(0), *(e for e, _, _ in split)]
    least = min(exponents)
    most = int(max(exponents) - least)
    if len(split) * comb(len(base.terms) + most - 1, most) > MAX_CLEARED:
        return f
    wholes = [identity(1)]
    total = zero(f.rows, f.cols)
    for exponent, key, c in split:
        whole, part = divmod(exponent - least, 1)
        while len(wholes) <= whole:
            wholes.append(wholes[-1] * base)
        factor = wholes[int(whole)]
        if part:
            factor = factor * matrix(f"({text(base)})**({part})", 1, 1)
        total += factor * MatrixPolynomial(f.rows, f.cols, {key: c})
    return total


def _exponent(key: Key, powers: Mapping[str, Fraction]) -> tuple[Fraction, Key]:
    """Return the exponent of a base in a term, and the term without its powers."""
    scalars, traced, word = key
    total, kept = Fraction(0), list[Word]()
    for w in traced:
        if len(w) == 1 and w[0].name in powers and not w[0].copy:
            total += powers[w[0].name]
        else:
            kept.append(w)
    return total, (scalars, tuple(kept), word)


def _multiple(dZ: MatrixPolynomial, Z: MatrixPolynomial) -> MatrixPolynomial | None:
    """Return c where dZ = c·Z with numbers and scalar symbols in c."""
    (below, traced, word), c = next(iter(Z.terms.items()))
    inverse = tuple((name, -p) for name, p in below)
    ratios: list[RawTerm] = [
        (Fraction(b) / c, (*above, *inverse), (), ())
        for (above, *rest), b in dZ.terms.items()
        if rest == [traced, word]
    ]
    factor = assemble("1", "1", ratios)
    return factor if dZ == Z * factor else None


def _exact_power(s: MatrixPolynomial, exponent: Fraction) -> MatrixPolynomial | None:
    """Return a power that needs no letter: a whole one, or of a perfect number."""
    if exponent.denominator == 1 and exponent >= 0:
        return _repeated(s, int(exponent))
    number = Fraction(s.terms.get(((), (), ()), 0))
    if len(s.terms) != 1 or number <= 0:
        return None
    q = exponent.denominator
    roots = [_root(n, q) for n in (number.numerator, number.denominator)]
    root = Fraction(*roots)
    if root**q != number:
        return None
    return identity(1) * root**exponent.numerator


def _root(n: int, q: int) -> int:
    """Return the whole part of the q-th root of n > 0."""
    low, high = 1, 1 << (n.bit_length() // q + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**q <= n else (low, middle - 1)
    return low


def _repeated(s: MatrixPolynomial, n: int) -> MatrixPolynomial:
    result = identity(1)
    for _ in range(n):
        result = result * s
    return result


def _has_data(f: MatrixPolynomial) -> bool:
    return any(
        letter.data
        for _, traced, word in f.terms
        for w in (*traced, word)
        for letter in w
    )


def _is_call(source: str) -> bool:
    """Decide whether a text is one function call, so that it needs no parentheses."""
    head, found, rest = source.partition("(")
    if not (found and head.isidentifier() and rest.endswith(")")):
        return False
    depth = 1
    for i, character in enumerate(rest):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return i == len(rest) - 1
    return False
