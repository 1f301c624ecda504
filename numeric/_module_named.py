"""The core of a module for whole matrices, at sizes known at run time.

Functions of matrices are letters of J. Their derivatives are taken in the code, by the
chain rule from the inside out, so that functions of single entries need no words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from types import MappingProxyType
from typing import Any

from numeric._errors import CompilationError
from numeric._matrix_problem import MatrixProblem, as_text, sides
from numeric._matrix_source import Writer, terms
from numeric._module_core import Core, assigned, check_names, function, literal
from symbolic import MatrixPolynomial, differential, dot, matrix


_MODES = "_modes(x, kind, noise, k)"
_DENSE = "_dense_modes(*xp.linalg.eigh(_hessian(x, k)), _joined(x), kind, {})"

# Function → its text in Z, and that of its slope in Z and F = f(Z). As in scalar code,
# relu and step are 0 at 0, and NaN stays.
_STEP = "xp.where(Z <= 0, 0.0, xp.where(Z > 0, 1.0, Z))"
_SIGN = "xp.where(Z > 0, 1.0, xp.where(Z < 0, -1.0, Z))"
_SIGMOID = "0.5 + 0.5 * xp.tanh(0.5 * Z)"
_FUNCTIONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "exp": ("xp.exp(Z)", "F"),
        "log": ("xp.log(Z)", "1.0 / Z"),
        "sqrt": ("xp.sqrt(Z)", "0.5 / F"),
        "sin": ("xp.sin(Z)", "xp.cos(Z)"),
        "cos": ("xp.cos(Z)", "-xp.sin(Z)"),
        "tan": ("xp.tan(Z)", "1.0 + F * F"),
        "sinh": ("xp.sinh(Z)", "xp.cosh(Z)"),
        "cosh": ("xp.cosh(Z)", "xp.sinh(Z)"),
        "tanh": ("xp.tanh(Z)", "1.0 - F * F"),
        "sigmoid": (_SIGMOID, "F * (1.0 - F)"),
        "softplus": ("xp.logaddexp(Z, xp.zeros_like(Z))", _SIGMOID),
        "relu": ("xp.where(Z <= 0, 0.0, Z)", _STEP),
        "abs": ("xp.abs(Z)", _SIGN),
        "step": (_STEP, "0.0 * Z"),
        "sign": (_SIGN, "0.0 * Z"),
    }
)


def named_core(problem: MatrixProblem, backend: str) -> Core:
    """Return the core of a problem in whole matrices.

    Args:
        problem: what is compiled.
        backend: "numpy" or "torch".

    Returns:
        The core.
    """
    given = {n: s for n, s in problem.constants.items() if n not in problem.values}
    check_names([*problem.shapes, *given, *problem.sizes])
    coder = _Coder(problem)
    texts = [coder.start(), coder.field()]
    if problem.charge is not None:
        texts += [coder.charge(), coder.pull(), coder.spread(), coder.tangent()]
        texts += [coder.modes()] if problem.kind == "exponential" else []
    data = [
        literal(f"_C{i}", problem.values[name], backend)
        for i, name in enumerate(problem.constants)
        if name in problem.values
    ]
    if given:
        data.append(assigned("CONSTANTS", given))
        data.append(assigned("SYMMETRIC", problem.symmetric))
    formulas = tuple(_formulas(problem))
    return Core(tuple(data), tuple(texts), formulas, bool(given), flat=False)


def _formulas(problem: MatrixProblem) -> list[str]:
    """Return the lines of the header."""
    lines = [
        f"J_{name} = {as_text(J)}"
        for name, J in zip(problem.shapes, problem.generator, strict=True)
        if J.terms
    ]
    if problem.charge is not None:
        lines.append(f"C = {as_text(problem.charge)}")
    return lines + [
        f"{name.replace(' ', '_')} = _C{i}, below"
        for i, name in enumerate(problem.constants)
        if name in problem.values
    ]


@dataclass(frozen=True, slots=True)
class _Coder:
    """The functions of a core."""

    problem: MatrixProblem

    def start(self) -> str:
        """Return what reads θ and the constants."""
        known = [
            f"_like(_C{i}, x[0])"
            for i, name in enumerate(self.problem.constants)
            if name in self.problem.values
        ]
        values = f"({', '.join(known)},)" if known else "()"
        if self.problem.constants and not known:
            values = "_constants(constants, x[0], sizes)"
        first = ["sizes = {}", 'x = _parts(theta, "theta", sizes)']
        last = f"return x, ({values}, sizes)"
        return function("_start(theta, constants=None)", [*first, last])

    def field(self) -> str:
        """Return J."""
        writer = self._writer(self.problem.generator)
        return self._list("_field(x, k)", writer, self.problem.generator, "x")

    def charge(self) -> str:
        """Return C."""
        assert self.problem.charge is not None
        return self._scalar("_charge(x, k)", self.problem.charge)

    def pull(self) -> str:
        """Return Σ⟨X, J_X⟩."""
        X = self.problem.variables.values()
        pairs = zip(X, self.problem.generator, strict=True)
        return self._scalar("_pull(x, k)", _total(dot(x, J) for x, J in pairs))

    def tangent(self) -> str:
        """Return DJ[h], with the axis of the samples."""
        writer = self._writer(self.problem.generator)
        along = self._tangents(writer)
        moved = [differential(J, along) for J in self.problem.generator]
        return self._list("_tangent(x, h, k)", writer, moved, "h")

    def spread(self) -> str:
        """Return the mean of D²C[h, h]."""
        problem, head = self.problem, "_spread(x, h, k)"
        assert problem.charge is not None
        if problem.within([problem.charge, *problem.generator]):
            return function(head, ["return _mean_inner(h, _tangent(x, h, k))"])
        writer = self._writer([])
        along = self._tangents(writer)
        twice = differential(differential(problem.charge, along), along)
        return self._function(head, writer, writer.mean(twice) or "_zero(h, 1)")

    def modes(self) -> str:
        """Return μ, t and s, by the sides of each parameter where J has them."""
        pairs = zip(
            self.problem.generator, self.problem.variables.values(), strict=True
        )
        every = [sides(J, X, self.problem.shapes) for J, X in pairs]
        if None in every:
            noise = 'noise if kind == "Sigma" else _joined(noise)'
            return function(_MODES, [f"return {_DENSE.format(noise)}"])
        writer = self._writer(f for side in every if side for f in side)
        lines = ["return _gathered("]
        for i, side in enumerate(side for side in every if side):
            scale, left, right = (writer.expression(f) or None for f in side)
            lines.append(f"    _sided(p{i}, h{i}, {scale or 0.0}, {left}, {right}),")
        lines = [*writer.lines, *lines, ")"]
        first = [
            'if kind == "Sigma":',
            f"    return {_DENSE.format('noise')}",
            "h = noise",
        ]
        return function(_MODES, [*first, *self._names(lines, scalar=_MATRIX), *lines])

    def _writer(self, polynomials: Iterable[MatrixPolynomial]) -> Writer:
        """Return a writer that has written the functions in some polynomials."""
        problem = self.problem
        names = {name: f"p{i}" for i, name in enumerate(problem.shapes)}
        names |= {name: f"c{i}" for i, name in enumerate(problem.constants)}
        names |= {name: f"n{i}" for i, name in enumerate(problem.sizes)}
        writer = Writer(names, frozenset(problem.sizes))
        for each in problem.within(polynomials):
            Z = self._array(writer, each.argument)
            writer.names[each.name] = writer.line(_applied(each, Z))
        return writer

    def _tangents(self, writer: Writer) -> dict[MatrixPolynomial, MatrixPolynomial]:
        """Return letter → letter of its derivative along h, for what depends on θ."""
        problem = self.problem
        along = {}
        for i, (name, X) in enumerate(problem.variables.items()):
            along[X] = matrix(f"d {name}", X.rows, X.cols)
            writer.names[f"d {name}"] = f"h{i}"
            writer.sampled |= {f"d {name}"}
        for each in problem.within(problem.generator):
            dZ = differential(each.argument, along)
            if not dZ.terms or each.name not in writer.names:
                continue
            Z = self._array(writer, each.argument)
            text = _slope(each, Z, writer.names[each.name], writer.expression(dZ))
            letter = f"d {each.name}"
            writer.names[letter] = writer.line(text)
            writer.sampled |= {letter}
            F = each.letter
            along[F] = matrix(letter, F.rows, F.cols)
        return along

    def _array(self, writer: Writer, f: MatrixPolynomial) -> str:
        """Write a polynomial as an array with a name."""
        text = writer.expression(f)
        if self._is_number(f):
            text = f"_like({text or 0.0}, x[0])"
        return writer.line(text)

    def _is_number(self, f: MatrixPolynomial) -> bool:
        """Decide whether a scalar is a Python number, free of arrays."""
        sizes = set(self.problem.sizes)
        return f.is_scalar and not any(
            term.traced or {name for name, _ in term.powers} - sizes
            for term in terms(f)
        )

    def _scalar(self, head: str, f: MatrixPolynomial) -> str:
        writer = self._writer([f])
        return self._function(head, writer, writer.expression(f) or "_zero(x, 0)")

    def _list(
        self,
        head: str,
        writer: Writer,
        polynomials: Sequence[MatrixPolynomial],
        like: str,
    ) -> str:
        """Return a function with one array for each parameter, of its shape."""
        texts = []
        for i, (f, shape) in enumerate(
            zip(polynomials, self.problem.shapes.values(), strict=True)
        ):
            text = writer.expression(f)
            if not text:
                text = f"xp.zeros_like({like}[{i}])"
            elif len(shape) == 1:
                text = f"({text})[..., 0]"
            elif self._is_number(f):
                text = f"_like({text}, x[0])"
            texts.append(text)
        return self._function(head, writer, f"[{', '.join(texts)}]")

    def _function(self, head: str, writer: Writer, text: str) -> str:
        lines = [*writer.lines, f"return {text}"]
        return function(head, [*self._names(lines), *lines])

    def _names(self, lines: Iterable[str], scalar: str = "") -> list[str]:
        """Return the lines that name what some lines use."""
        problem = self.problem
        used = set(re.findall(r"\b[a-z]\d+\b", "\n".join(lines)))
        shown = {1: "[..., None]", 2: ""}
        every = {
            f"{letter}{i}": f"{source}[{i}]{shown.get(len(shape), scalar)}"
            for letter, source in (("p", "x"), ("h", "h"))
            for i, shape in enumerate(problem.shapes.values())
        }
        every |= {
            f"c{i}": f"k[0][{i}]{shown.get(len(shape), '')}"
            for i, shape in enumerate(problem.constants.values())
        }
        rank = len(next(iter(problem.shapes.values())))
        every["m0"] = f"h[0].shape[{-1 - rank}]"
        every |= {f"n{i}": f'k[1]["{size}"]' for i, size in enumerate(problem.sizes)}
        return [f"{name} = {text}" for name, text in every.items() if name in used]


_MATRIX = "[..., None, None]"


def _applied(each: Any, Z: str) -> str:
    """Return the text of f(Z).

    Raises:
        CompilationError: for a function that has no text.
    """
    if each.function == "inv":
        return f"xp.linalg.inv({Z})"
    if each.function == "power":
        return f"{Z} ** {float(each.exponent)!r}"
    return _put(_known(each)[0], Z, "")


def _slope(each: Any, Z: str, F: str, dZ: str) -> str:
    """Return the text of f'(Z)·dZ, where dZ has the axis of the samples."""
    wide = "[..., None]" if each.letter.is_scalar else "[..., None, :, :]"
    if each.function == "inv":
        return f"-({F}{wide} @ ({dZ}) @ {F}{wide})"
    if each.function == "power":
        slope = f"{float(each.exponent)!r} * {F} / {Z}"
    else:
        slope = _put(_known(each)[1], Z, F)
    return f"({slope}){wide} * ({dZ})"


def _known(each: Any) -> tuple[str, str]:
    if each.function not in _FUNCTIONS:
        raise CompilationError(
            f"expected functions among {', '.join(sorted(_FUNCTIONS))}, inv and powers "
            f"at symbolic sizes, got {each.function}; give the sizes as numbers"
        )
    return _FUNCTIONS[each.function]


def _put(text: str, Z: str, F: str) -> str:
    return re.sub(r"\b[ZF]\b", lambda found: Z if found[0] == "Z" else F, text)


def _total(scalars: Iterable[MatrixPolynomial]) -> MatrixPolynomial:
    return reduce(lambda a, b: a + b, scalars)
