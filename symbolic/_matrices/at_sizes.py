"""From any size to integer sizes: polynomials in words as components."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import prod
from typing import Any

import sympy as sp

from symbolic._constants import Constant
from symbolic._errors import DeclarationError
from symbolic._exact.functions import step
from symbolic._language.components import function
from symbolic._space import ParameterSpace, Shape
from symbolic._words.applied import Applied
from symbolic._words.evaluation import evaluate
from symbolic._words.polynomial import MatrixPolynomial


MAX_WRITTEN = 400  # letters
TRIED = 3  # choices of small sizes
MAX_TRIED = 24  # components of the parameters in one
MAX_DATA = 60  # components of the data in one
MAX_OTHERS = 100  # components of the data, and of the constants
Sizes = Mapping[str, int]
_MORE: Mapping[str, Callable[[sp.Expr], sp.Expr]] = {"step": step, "sign": sp.sign}


def space_at(space: ParameterSpace, sizes: Sizes) -> ParameterSpace:
    """Return the space with numbers for the sizes that are symbols."""
    return ParameterSpace({name: shape_at(shape, sizes) for name, shape in space.items})


def shape_at(shape: Shape, sizes: Sizes) -> tuple[int, ...]:
    """Return a shape with numbers for the sizes that are symbols.

    Raises:
        DeclarationError: where a number is missing.
    """
    for size in shape:
        if isinstance(size, str) and size not in sizes:
            known = ", ".join(f"{name} = {n}" for name, n in sizes.items())
            raise DeclarationError(
                f"expected a number for the size {size}, got {known or 'none'}"
            )
    return tuple(size if isinstance(size, int) else sizes[size] for size in shape)


def constants_at(constants: Sequence[Constant], sizes: Sizes) -> tuple[Constant, ...]:
    """Return the constants with numbers for the sizes that are symbols."""
    return tuple(replace(each, shape=shape_at(each.shape, sizes)) for each in constants)


def small_sizes(
    spaces: Sequence[ParameterSpace], constants: Sequence[Constant] = ()
) -> Iterator[dict[str, int]]:
    """Yield small numbers for the sizes that are symbols, where few enough.

    Args:
        spaces: the parameters first, then the data.
        constants: the constants.

    Yields:
        All sizes 2, then choices in which they differ; one empty choice without any.
        None where two components would have one name, or there would be too many.
    """
    items = {name: shape for space in spaces for name, shape in space.items}
    items |= {constant.name: constant.shape for constant in constants}
    symbolic = [s for shape in items.values() for s in shape if isinstance(s, str)]
    names = list(dict.fromkeys(symbolic))
    choices = [dict.fromkeys(names, 2)]
    for start in range(TRIED - 1):
        choices.append({n: 1 + (start + i) % 3 for i, n in enumerate(names)})
    for sizes in choices if names else [{}]:
        counts = [_count((shape for _, shape in s.items), sizes) for s in spaces]
        counts.append(_count((constant.shape for constant in constants), sizes))
        if counts[0] > MAX_TRIED or max(counts) > MAX_OTHERS:
            continue
        if _distinct(items, sizes):
            yield sizes


def is_short(polynomials: Iterable[MatrixPolynomial]) -> bool:
    """Decide whether polynomials can be written out in components quickly."""
    keys = [key for f in polynomials for key in f.terms]
    return sum(len(w) for _, ws, word in keys for w in (*ws, word)) <= MAX_WRITTEN


def _count(shapes: Iterable[Shape], sizes: Sizes) -> int:
    return sum(prod(shape_at(shape, sizes)) for shape in shapes)


def _distinct(shapes: Mapping[str, Shape], sizes: Sizes) -> bool:
    """Decide whether all components have names of their own."""
    try:
        ParameterSpace({name: shape_at(shape, sizes) for name, shape in shapes.items()})
    except DeclarationError:
        return False
    return True


def components_at(
    polynomials: Sequence[MatrixPolynomial],
    applied: Sequence[Applied],
    parameters: ParameterSpace,
    sizes: Sizes,
    *,
    data: ParameterSpace | None = None,
    constants: Sequence[Constant] = (),
    more: Mapping[str, sp.Expr] | None = None,
) -> list[sp.ImmutableDenseMatrix]:
    """Return polynomials at integer sizes, in the symbols of the components.

    Args:
        polynomials: polynomials in parameters, constants and the sample at hand.
        applied: the functions in them, innermost first.
        parameters: the parameters, at any size.
        sizes: the numbers.
        data: the data, at any size.
        constants: the constants, at any size.
        more: name → value of further scalars, such as ρ.

    Returns:
        A matrix for each polynomial; a scalar is 1 × 1.
    """
    values = _values(space_at(parameters, sizes))
    values |= {name: sp.Matrix([[value]]) for name, value in (more or {}).items()}
    at_hand = {} if data is None else _values(space_at(data, sizes))
    numbers: dict[str, Any] = {name: sp.Integer(n) for name, n in sizes.items()}
    for constant in constants_at(constants, sizes):
        if constant.shape:
            values[constant.name] = sp.Matrix(constant.components)
        else:
            numbers[constant.name] = constant.components
    for each in applied:
        where = at_hand if each.letter.letter.data else values
        inside = _value(each.argument, values, at_hand, numbers)
        where[each.name] = _image(each, inside)
    return [
        sp.ImmutableDenseMatrix(_value(f, values, at_hand, numbers))
        for f in polynomials
    ]


def value_at(
    f: MatrixPolynomial,
    applied: Iterable[Applied],
    point: Mapping[str, sp.Matrix],
    data: Sequence[str],
    constants: Sequence[Constant],
    sizes: Sizes,
) -> sp.Expr:
    """Return the value of a scalar polynomial at a point.

    Args:
        f: the polynomial.
        applied: the functions in it, innermost first; derivatives that have no name
            are known here.
        point: name → matrix of numbers, for parameters, data and constants.
        data: the names of the data.
        constants: the constants.
        sizes: a number for each size that is a symbol.

    Returns:
        The value.
    """
    scalars = {each.name for each in constants if not each.shape}
    numbers = {name: point[name][0, 0] for name in scalars}
    numbers |= {name: sp.Integer(n) for name, n in sizes.items()}
    at_hand = {name: point[name] for name in data}
    values = {n: m for n, m in point.items() if n not in scalars and n not in at_hand}
    seen: dict[str, Applied] = {}
    for each in applied:
        where = at_hand if each.letter.letter.data else values
        if each.direction is None:
            inside = _value(each.argument, values, at_hand, numbers)
            where[each.name] = _image(each, inside)
        else:
            of, dZ = each.direction
            inside = _value(seen[of].argument, values, at_hand, numbers)
            along = _value(dZ, values, at_hand, numbers)
            slopes = inside.applyfunc(partial(_slope, seen[of].function))
            where[each.name] = slopes.multiply_elementwise(along)
        seen[each.name] = each
    return _value(f, values, at_hand, numbers)[0, 0]


def _slope(name: str, z: sp.Expr) -> sp.Expr:
    t = sp.Dummy(real=True)
    return (_MORE.get(name) or function(name))(t).diff(t).xreplace({t: z})


def _values(space: ParameterSpace) -> dict[str, sp.Matrix]:
    found = {}
    for name in space.names:
        value = space[name]
        is_matrix = isinstance(value, sp.MatrixBase)
        found[name] = sp.Matrix(value) if is_matrix else sp.Matrix([[value]])
    return found


def _value(
    f: MatrixPolynomial,
    values: Mapping[str, sp.Matrix],
    at_hand: Mapping[str, sp.Matrix],
    numbers: Mapping[str, Any],
) -> sp.Matrix:
    return evaluate(f, values, at=at_hand, numbers=numbers)


def _image(applied: Applied, inside: sp.Matrix) -> sp.Matrix:
    if applied.function == "inv":
        return inside.inv()
    if applied.function == "power":
        exponent = applied.exponent
        return inside.applyfunc(
            lambda z: z ** sp.Rational(exponent.numerator, exponent.denominator)
        )
    return inside.applyfunc(_MORE.get(applied.function) or function(applied.function))
