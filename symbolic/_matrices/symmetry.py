"""A symmetry at symbolic sizes: its kind, its charge, and what it preserves."""

from __future__ import annotations

from fractions import Fraction

from symbolic._errors import DeclarationError
from symbolic._words.applied import Applied, Table, names_in
from symbolic._words.calculus import substitute
from symbolic._words.letters import Key
from symbolic._words.polynomial import MatrixPolynomial, dot, identity, matrix, zero


Words = tuple[MatrixPolynomial, ...]
_RHO = matrix("rho", 1, 1)
_AT_ZERO = {  # of a scalar 0
    "exp": Fraction(1),
    "cos": Fraction(1),
    "cosh": Fraction(1),
    "sigmoid": Fraction(1, 2),
}
_ODD = frozenset({"sin", "sinh", "tan", "tanh"})
_KINKED = frozenset({"relu", "abs"})
_SLOPES = {"step": (0, 1), "sign": (-1, 1)}  # below and above 0


def generator_of(images: Words, parameters: Words, table: Table) -> Words:
    """Return J = dQ_ρθ/dρ at ρ = 0.

    Args:
        images: Q_ρθ, one for each parameter, in the letter ρ.
        parameters: θ.
        table: the functions in the images.

    Returns:
        J, one for each parameter.

    Raises:
        DeclarationError: when Q_0 is not the identity, or has no exact value there.
    """
    found = []
    for image, X in zip(images, parameters, strict=True):
        start = at_zero(image, table)
        if not table.vanishes(start - X):
            raise DeclarationError(
                f"expected the identity at rho = 0, got something else for "
                f"{X.letter.name}"
            )
        found.append(at_zero(table.tangent(image, {_RHO: identity(1)}), table))
    return tuple(found)


def at_zero(f: MatrixPolynomial, table: Table) -> MatrixPolynomial:
    """Return f at ρ = 0, functions of ρ alone evaluated.

    Raises:
        DeclarationError: where a function of ρ has no value there.
    """
    values = {_RHO: zero(1, 1)}
    for applied in table.within(f):
        inside = substitute(applied.argument, values)
        if not names_in(applied.argument) & {"rho", *(a.letter.name for a in values)}:
            continue
        values[applied.letter] = _value_at_zero(applied, inside, table)
    return substitute(f, values)


def _value_at_zero(
    applied: Applied, inside: MatrixPolynomial, table: Table
) -> MatrixPolynomial:
    name = applied.function
    if not inside.terms:
        return _value_of_zero(applied, inside)
    number = inside.terms.get(((), (), ())) if len(inside.terms) == 1 else None
    if number is not None and inside.is_scalar:
        if name in _SLOPES:
            return identity(1) * _SLOPES[name][number > 0]
        if name in _KINKED:
            low = Fraction(0) if name == "relu" else -Fraction(number)
            return identity(1) * max(Fraction(number), low)
        if name == "log" and number == 1:
            return zero(1, 1)
    if name == "power":
        return table.power(inside, applied.exponent)
    if name in ("exp", "log", "tangent") and not inside.is_scalar:
        raise DeclarationError(
            f"expected a scalar function of rho, got {applied.name} at symbolic sizes"
        )
    return table.apply(name, inside)


def _value_of_zero(applied: Applied, inside: MatrixPolynomial) -> MatrixPolynomial:
    """Return f(0).

    Raises:
        DeclarationError: where there is none, or no derivative.
    """
    name = applied.function
    if name in _AT_ZERO and inside.is_scalar:
        return identity(1) * _AT_ZERO[name]
    rises = name == "power" and applied.exponent > 0
    if rises or name == "sqrt" or name in _ODD | _KINKED:
        return inside
    raise DeclarationError(
        f"expected a value and a derivative at rho = 0, got {applied.name} there"
    )


def is_flow(images: Words, generator: Words, parameters: Words, table: Table) -> bool:
    """Decide whether ∂_ρQ_ρθ = J(Q_ρθ), so that Q_ρ is the flow of J for every ρ.

    Args:
        images: Q_ρθ.
        generator: J.
        parameters: θ.
        table: the functions in both.

    Returns:
        True proves it.
    """
    moved = dict(zip(parameters, images, strict=True))
    names = {X.letter.name for X in parameters}
    for image, J in zip(images, generator, strict=True):
        if any(names_in(a.argument) & names for a in table.within(J)):
            return False
        along = table.tangent(image, {_RHO: identity(1)})
        try:
            gap = along - substitute(J, moved)
        except DeclarationError:  # of too high a degree to multiply out
            return False
        if not table.vanishes(gap):
            return False
    return True


def is_scaling(
    images: Words, generator: Words, parameters: Words, table: Table
) -> bool:
    """Decide whether Q_ρ is the flow of J at another speed, near ρ = 0.

    That is so where X ↦ f_X(ρ)X and J_X = c_X X for every parameter, if f'_X/f_X is in
    the ratio of the c_X.

    Args:
        images: Q_ρθ.
        generator: J.
        parameters: θ.
        table: the functions in both.

    Returns:
        True proves it.
    """
    pairs = []
    for image, J, X in zip(images, generator, parameters, strict=True):
        f, c = _factor(image, X), _factor(J, X)
        if f is None or c is None or names_in(c):
            return False
        pairs.append((f, table.tangent(f, {_RHO: identity(1)}), c))
    f, speed, c = next((pair for pair in pairs if pair[2].terms), pairs[0])
    return all(
        table.vanishes(
            other_speed * f * c - speed * other * k if c.terms else other_speed
        )
        for other, other_speed, k in pairs
    )


def _factor(f: MatrixPolynomial, X: MatrixPolynomial) -> MatrixPolynomial | None:
    """Return the scalar s with f = s·X, free of parameters."""
    word = (X.letter,)
    scalars = {}
    for (powers, traced, last), c in f.terms.items():
        if X.is_scalar:
            if traced.count(word) != 1:
                return None
            rest = list(traced)
            rest.remove(word)
            key: Key = (powers, tuple(rest), ())
        elif last != word:
            return None
        else:
            key = (powers, traced, ())
        scalars[key] = c
    found = MatrixPolynomial("1", "1", scalars)
    return found if X.letter.name not in names_in(found) else None


def degrees(f: MatrixPolynomial, parameters: Words) -> set[int]:
    """Return the degrees in the parameters of the terms of a polynomial."""
    names = {X.letter.name for X in parameters}
    return {_degree(key, names) for key in f.terms}


def _degree(key: Key, names: set[str]) -> int:
    return sum(a.name in names for w in (*key[1], key[2]) for a in w)


def kind_of(generator: Words, parameters: Words, table: Table) -> str:
    """Return "exponential", "linear", "affine" or "nonlinear"."""
    names = {X.letter.name for X in parameters}
    within = [a for J in generator for a in table.within(J)]
    if any(names_in(a.argument) & names for a in within):
        return "nonlinear"
    found = set().union(*(degrees(J, parameters) for J in generator))
    if found - {0, 1}:
        return "nonlinear"
    if 0 in found:
        return "affine"
    return "exponential" if charge_of(generator, parameters, table) else "linear"


def charge_of(
    generator: Words, parameters: Words, table: Table
) -> MatrixPolynomial | None:
    """Return C = ∫₀¹ θ·J(tθ) dt where ∇C = J is proved, else None.

    Terms of degree m in the parameters integrate to 1/m; a function in J is taken as
    homogeneous where it is a power of a homogeneous scalar.
    """
    total = zero(1, 1)
    for J, X in zip(generator, parameters, strict=True):
        total += dot(X, J)
    charge = zero(1, 1)
    for key, c in total.terms.items():
        m = _homogeneity(key, parameters, table)
        if not m:
            return None
        charge += MatrixPolynomial("1", "1", {key: Fraction(c) / m})
    try:
        holds = all(
            table.vanishes(table.gradient(charge, X) - J)
            for J, X in zip(generator, parameters, strict=True)
        )
    except DeclarationError:  # a function of the entries of a matrix
        return None
    return charge if holds else None


def _homogeneity(key: Key, parameters: Words, table: Table) -> Fraction | None:
    """Return the degree of a term in the parameters, None where it has none."""
    names = {X.letter.name for X in parameters}
    total = Fraction(_degree(key, names))
    for letter in (a for w in (*key[1], key[2]) for a in w):
        applied = table.known.get(letter.name)
        if applied is None or not _depends(applied, names, table):
            continue
        inner = {
            _homogeneity(each, parameters, table) for each in applied.argument.terms
        }
        degree = inner.pop() if len(inner) == 1 else None
        if applied.function != "power" or degree is None:
            return None
        total += degree * applied.exponent
    return total


def _depends(applied: Applied, names: set[str], table: Table) -> bool:
    inside = (applied, *table.within(applied.argument))
    return any(names_in(a.argument) & names for a in inside)


def along(
    loss: MatrixPolynomial, generator: Words, parameters: Words, table: Table
) -> MatrixPolynomial:
    """Return ∇ℓ·J for the sample at hand, through the functions in both."""
    return table.tangent(loss, dict(zip(parameters, generator, strict=True)))
