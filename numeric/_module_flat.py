"""The core of a module for components: arrays of numbers, or straight-line code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import sympy as sp

from numeric._codegen import generate, number
from numeric._module_core import Core, assigned, check_names, function, indices, literal


_DOT = "return (x * _field(x, k)).sum(-1)"


def flat_core(derivation: Any, charge: sp.Expr | None, backend: str) -> Core:
    """Return the core of a derivation in components.

    Args:
        derivation: of integer sizes.
        charge: C, or None where there is none.
        backend: "numpy" or "torch".

    Returns:
        The core: products with the matrix where J = Aθ + b, else straight-line code.
    """
    declaration = derivation.declaration
    symmetry, symbols = declaration.symmetry, declaration.space.symbols
    constants = tuple(getattr(symmetry, "constants", ()))
    check_names(s.name for s in (*symbols, *constants))
    declared = tuple(getattr(symmetry, "declared", ()))
    given = _Given(symbols, constants, declared, backend)
    check_names(given.shapes)
    formulas = [
        f"J_{s.name} = {entry}"
        for s, entry in zip(symbols, symmetry.generator, strict=True)
        if entry != 0
    ]
    if charge is not None:
        formulas.append(f"C = {charge}")
    if symmetry.matrix is None:
        data, texts = _general(given, list(symmetry.generator), charge)
    else:
        data, texts = _affine(given, symmetry, charge is not None)
    return Core(
        (*given.tables, *data),
        (given.start, *texts),
        tuple(formulas),
        bool(constants),
        flat=True,
    )


@dataclass(frozen=True, slots=True)
class _Given:
    """Parameters, constants and backend.

    Attributes:
        symbols: the flat vector.
        constants: the symbols of J that are constants.
        declared: the constants with a shape that they are entries of.
        backend: "numpy" or "torch".
    """

    symbols: tuple[sp.Symbol, ...]
    constants: tuple[sp.Symbol, ...]
    declared: tuple[Any, ...]
    backend: str

    @property
    def places(self) -> dict[sp.Symbol, tuple[Any, str]]:
        """Return constant → the declared one it is in, and the text of its index."""
        found: dict[sp.Symbol, tuple[Any, str]] = {}
        for constant in self.declared:
            whole = constant.components
            for place in product(*map(range, constant.shape)):
                entry = whole[place[0], (*place, 0)[1]] if place else whole
                index = f"[{', '.join(['...', *map(str, place)])}]" if place else ""
                found.setdefault(entry, (constant, index))
        return found

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the name of each constant to be given → its shape."""
        held = [self.places.get(s, (None, ""))[0] for s in self.constants]
        return dict(
            sorted(
                (s.name, ()) if c is None else (c.name, tuple(map(int, c.shape)))
                for s, c in zip(self.constants, held, strict=True)
            )
        )

    @property
    def tables(self) -> list[str]:
        """Return the lines that say which constants are to be given."""
        if not self.constants:
            return []
        same = (c.name for c in self.declared if c.symmetric and c.name in self.shapes)
        return [
            assigned("CONSTANTS", self.shapes),
            assigned("SYMMETRIC", tuple(sorted(same))),
        ]

    @property
    def start(self) -> str:
        """Return the function that reads θ and the constants."""
        lines = ['x = _read(theta, "theta", ((), {}))']
        if not self.constants:
            lines.append("return x, ((), {})")
        else:
            order = list(self.shapes)
            lines += ["given = _constants(constants, x, {})", "k = ("]
            for s in self.constants:
                constant, index = self.places.get(s, (None, ""))
                name = s.name if constant is None else constant.name
                lines.append(f"    given[{order.index(name)}]{index},")
            lines += [")", "return x, (k, {})"]
        return function("_start(theta, constants=None)", lines)


def _affine(
    given: _Given, symmetry: Any, has_charge: bool
) -> tuple[list[str], list[str]]:
    """Return J = Aθ + b: a diagonal A as a vector, constants put in at run time."""
    A, b = symmetry.matrix, symmetry.offset
    shifted = any(entry != 0 for entry in b)
    diagonal = bool(A.is_diagonal()) and not given.constants
    if given.constants:
        data, texts = _entries_of(given, A, b)
        first = ["A, b = _matrix(k)"]
    else:
        rows = [[number(A[i, j]) for j in range(A.cols)] for i in range(A.rows)]
        value: Any = [rows[i][i] for i in range(A.rows)] if diagonal else rows
        data, texts = [literal("_A", value, given.backend)], list[str]()
        first = ["A = _like(_A, x)"]
        if shifted:
            data.append(literal("_B", [number(e) for e in b], given.backend))
            first.append("b = _like(_B, x)")
    applied = "x * A" if diagonal else "(x[..., None, :] @ A.mT)[..., 0, :]"
    plus = " + b" if shifted else ""
    texts.append(function("_field(x, k)", [*first, f"return {applied}{plus}"]))
    if has_charge:
        half = f"0.5 * ({applied})" if diagonal else f"0.5 * {applied}"
        line = f"return (x * ({half}{plus})).sum(-1)"
        texts.append(function("_charge(x, k)", [*first, line]))
        texts.append(function("_pull(x, k)", [_DOT]))
        texts += _affine_noise(first[:1], diagonal=diagonal)
    if symmetry.kind == "exponential":
        extra, text = _affine_modes(given, A, diagonal=diagonal)
        data += extra
        texts.append(text)
    return data, texts


def _affine_noise(first: list[str], *, diagonal: bool) -> list[str]:
    spread = "h * A" if diagonal else "h @ A.mT"
    trace = "(Sigma * A).sum((-2, -1))"
    if diagonal:
        trace = "(xp.diagonal(Sigma, 0, -2, -1) * A).sum(-1)"
    mean = [*first, f"return (h * ({spread})).sum(-1).mean(-1)"]
    return [
        function("_spread(x, h, k)", mean),
        function("_trace(x, Sigma, k)", [*first, f"return {trace}"]),
    ]


def _affine_modes(given: _Given, A: Any, *, diagonal: bool) -> tuple[list[str], str]:
    """Return μ, t and s of J = Aθ, and the arrays they need."""
    head = "_modes(x, kind, noise, k)"
    if not diagonal:
        eigen, data = "*xp.linalg.eigh(_matrix(k)[0])", list[str]()
        if not given.constants:
            eigen, data = "_MU, _BASIS", ["_MU, _BASIS = xp.linalg.eigh(_A)"]
        return data, function(head, [f"return _dense_modes({eigen}, x, kind, noise)"])
    moving = [i for i in range(A.rows) if A[i, i] != 0]
    at = "[..., _MOVING]" if len(moving) < A.rows else ""
    body = [
        'if kind == "Sigma":',
        "    s = xp.diagonal(noise, 0, -2, -1)",
        "else:",
        "    s = (noise * noise).mean(-2)",
        f"return _like(_A, x){at}, (x * x){at}, s{at}",
    ]
    return ([indices("_MOVING", moving)] if at else []), function(head, body)


def _entries_of(given: _Given, A: Any, b: Sequence[Any]) -> tuple[list[str], list[str]]:
    """Return the code that puts constants in A and b: the values that differ, once."""
    values = [sp.S.Zero]
    for entry in (*A, *b):
        if entry not in values:
            values.append(entry)
    n = A.rows
    places = [[values.index(A[i, j]) for j in range(n)] for i in range(n)]
    data = [indices("_PLACES", places), indices("_SHIFTS", list(map(values.index, b)))]
    body = [
        "values = _run(_values, list(k[0]))",
        "return values[..., _PLACES], values[..., _SHIFTS]",
    ]
    code = generate(given.constants, values, "_values").source
    return data, [code, function("_matrix(k)", body)]


def _general(
    given: _Given, generator: list[sp.Expr], charge: sp.Expr | None
) -> tuple[list[str], list[str]]:
    """Return straight-line code for J, C and the upper triangle of its Hessian."""
    names = (*given.symbols, *given.constants)
    texts = [
        generate(names, generator, "_components").source,
        function("_field(x, k)", ["return _run(_components, _arguments(x, k))"]),
    ]
    if charge is None:
        return [], texts
    texts += [
        generate(names, [charge], "_potential").source,
        function(
            "_charge(x, k)", ["return _run(_potential, _arguments(x, k))[..., 0]"]
        ),
        function("_pull(x, k)", [_DOT]),
    ]
    upper = {
        (i, j): sp.diff(entry, s) / (2 if i == j else 1)
        for i, entry in enumerate(generator)
        for j, s in enumerate(given.symbols)
        if i <= j
    }
    kept = {place: entry for place, entry in upper.items() if entry != 0}
    if not kept:  # flat space: no noise term, but its shape, and its NaN
        flat = "return 0.0 * ({}[..., 0, 0] + x[..., 0])"
        texts.append(function("_spread(x, h, k)", [flat.format("h")]))
        texts.append(function("_trace(x, Sigma, k)", [flat.format("Sigma")]))
        return [], texts
    rows, columns = (list(part) for part in zip(*kept, strict=True))
    curved = "return (weights * _run(_curvature, _arguments(x, k))).sum(-1)"
    pairs = "weights = 2.0 * (h[..., _ROWS] * h[..., _COLUMNS]).mean(-2)"
    both = "weights = Sigma[..., _ROWS, _COLUMNS] + Sigma[..., _COLUMNS, _ROWS]"
    texts += [
        generate(names, list(kept.values()), "_curvature").source,
        function("_spread(x, h, k)", [pairs, curved]),
        function("_trace(x, Sigma, k)", [both, curved]),
    ]
    return [indices("_ROWS", rows), indices("_COLUMNS", columns)], texts
