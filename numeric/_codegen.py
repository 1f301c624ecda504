"""Python source for scalar sympy expressions, the same text for numpy and for torch.

A generated function takes the array module as `xp` and one array per symbol, called
`a0, a1, …` by position, and returns a tuple with one entry per expression. No name of
a user's symbol reaches the source. Exact numbers become floats at the last moment,
rounded once; Python floats are weak in both libraries, so the dtype of the arrays
stays. The text depends on the order of symbols and expressions only.
"""

from __future__ import annotations

import hashlib
import linecache
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import sympy as sp

from numeric._errors import CompilationError
from symbolic import relu, step


_SUM, _PRODUCT, _ATOM = 1, 2, 3  # binding strength of a printed text

# NaN compares false, so the innermost branch keeps it. At 0: relu and step are 0, and
# torch differentiates to 0 there, as the symbolic rules do.
_FUNCTIONS = MappingProxyType(
    {
        sp.exp: "xp.exp({0})",
        sp.log: "xp.log({0})",
        sp.sin: "xp.sin({0})",
        sp.cos: "xp.cos({0})",
        sp.tan: "xp.tan({0})",
        sp.sinh: "xp.sinh({0})",
        sp.cosh: "xp.cosh({0})",
        sp.tanh: "xp.tanh({0})",
        sp.Abs: "xp.abs({0})",
        relu: "xp.where({0} <= 0, 0.0, {0})",
        step: "xp.where({0} <= 0, 0.0, xp.where({0} > 0, 1.0, {0}))",
        sp.sign: "xp.where({0} > 0, 1.0, xp.where({0} < 0, -1.0,"
        " xp.where({0} == 0, 0.0, {0})))",
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class Generated:
    """A generated function and its source.

    Attributes:
        source: the text of one function definition.
        call: the function, `call(xp, *arrays) -> tuple`.
    """

    source: str
    call: Callable[..., tuple[Any, ...]]


def generate(
    symbols: Sequence[sp.Symbol], expressions: Sequence[sp.Expr], name: str
) -> Generated:
    """Compile expressions to one function with their common parts computed once.

    Args:
        symbols: the arguments, in order.
        expressions: what the function returns, in order.
        name: the function's name in the source, a Python identifier.

    Returns:
        The function and its source, which tracebacks and debuggers show. Entries
        without any symbol come back as plain floats.

    Raises:
        CompilationError: for a symbol that is no argument, an unknown function, or
            a number that is not real and finite.

    >>> x = sp.Symbol("x", real=True)
    >>> made = generate([x], [x**2 / 3, sp.sqrt(2)], "pair")
    >>> print(made.source)
    def pair(xp, a0):
        return (0.3333333333333333*a0*a0, 1.4142135623730951)
    <BLANKLINE>
    >>> made.call(sp, 3.0)
    (3.0, 1.4142135623730951)
    """
    if not name.isidentifier():
        raise CompilationError(f"expected an identifier as name, got {name!r}")
    source = _source(symbols, [sp.sympify(e) for e in expressions], name)
    digest = hashlib.sha256(source.encode()).hexdigest()[:16]
    file = f"<generated {name} {digest}>"
    lines = source.splitlines(keepends=True)
    linecache.cache[file] = (len(source), None, lines, file)
    scope: dict[str, Any] = {}
    exec(compile(source, file, "exec"), scope)
    return Generated(source, scope[name])


def number(expression: sp.Expr) -> float:
    """Return a constant expression as the nearest float.

    Args:
        expression: an expression without symbols.

    Returns:
        Its value.

    Raises:
        CompilationError: when symbols are left, or it is not real and finite.
    """
    free = sorted(map(str, expression.free_symbols))
    if free:
        raise CompilationError(
            f"expected a number, got {expression} with the free symbols "
            f"{', '.join(free)}; substitute numbers for them before compiling"
        )
    if isinstance(expression, sp.Rational):
        try:
            return int(expression.p) / int(expression.q)
        except (OverflowError, ZeroDivisionError):
            pass
    value = expression.evalf(30)
    if not (value.is_Float or value.is_Rational) or abs(value) > 1.7e308:
        raise CompilationError(
            f"expected a real number within the range of a float, got {expression}"
        )
    return float(value)


def _source(
    symbols: Sequence[sp.Symbol], expressions: Sequence[sp.Expr], name: str
) -> str:
    arguments = [sp.Symbol(f"a{i}", real=True) for i in range(len(symbols))]
    known = dict(zip(symbols, arguments, strict=True))
    for expression in expressions:
        unknown = sorted(map(str, expression.free_symbols - set(symbols)))
        if unknown:
            raise CompilationError(
                f"expected an expression in {', '.join(map(str, symbols))}, got "
                f"{expression} with {', '.join(unknown)}; substitute numbers for "
                f"constants before compiling"
            )
    shared, reduced = sp.cse(
        [expression.xreplace(known) for expression in expressions],
        symbols=sp.numbered_symbols("x", real=True),
    )
    printer = _Printer()
    for symbol, expression in shared:
        printer.assign(symbol.name, expression)
    results = [printer.text(expression)[0] for expression in reduced]
    tail = "," if len(results) == 1 else ""
    body = [*printer.lines, f"return ({', '.join(results)}{tail})"]
    head = ", ".join(["xp", *(a.name for a in arguments)])
    return "\n".join([f"def {name}({head}):", *(f"    {line}" for line in body), ""])


@dataclass(slots=True)
class _Printer:
    """Print expressions; what is used twice in a text gets a line of its own."""

    lines: list[str] = field(default_factory=list)
    names: dict[sp.Expr, str] = field(default_factory=dict)

    def assign(self, name: str, expression: sp.Expr) -> None:
        """Add the line `name = expression`."""
        text = self.text(expression)[0]
        self.lines.append(f"{name} = {text}")

    def name(self, expression: sp.Expr) -> str:
        """Return a name that holds the expression."""
        if isinstance(expression, sp.Symbol):
            return str(expression.name)
        if expression not in self.names:
            text = self.text(expression)[0]
            self.names[expression] = f"t{len(self.names)}"
            self.lines.append(f"{self.names[expression]} = {text}")
        return self.names[expression]

    def text(self, expression: sp.Expr) -> tuple[str, int]:
        """Return the text of an expression and its binding strength."""
        if isinstance(expression, sp.Symbol):
            return str(expression.name), _ATOM
        if not expression.free_symbols:
            value = number(expression)
            return repr(value), _PRODUCT if value < 0 else _ATOM
        if isinstance(expression, sp.Add):
            return self.sum(expression), _SUM
        if isinstance(expression, (sp.Mul, sp.Pow)):
            return self.product(expression)
        return self.function(expression), _ATOM

    def wrapped(self, expression: sp.Expr, strength: int) -> str:
        """Return the text, in parentheses where it binds less than `strength`."""
        text, own = self.text(expression)
        return text if own >= strength else f"({text})"

    def sum(self, expression: sp.Expr) -> str:
        """Print a sum, with minus signs where terms begin with one."""
        text = ""
        for term in sorted(expression.args, key=sp.default_sort_key):
            part = self.wrapped(term, _PRODUCT)
            if part.startswith("-"):
                text += f" - {part[1:]}" if text else part
            else:
                text += f" + {part}" if text else part
        return text

    def product(self, expression: sp.Expr) -> tuple[str, int]:
        """Print a product or a power as one fraction."""
        above: list[str] = []
        below: list[str] = []
        parts = sp.Mul.make_args(expression)
        coefficient = sp.Mul(*(part for part in parts if not part.free_symbols))
        factors = [part for part in parts if part.free_symbols]
        for factor in sorted(factors, key=sp.default_sort_key):
            base, exponent = _base_and_exponent(factor)
            if exponent.is_Rational and exponent.is_negative:
                below.append(self.power(base, -exponent))
            else:
                above.append(self.power(base, exponent))
        sign = "-" if coefficient == -1 and above else ""
        if not sign and (coefficient != 1 or not above):
            above.insert(0, repr(number(coefficient)))
        text = sign + "*".join(above)
        if below:
            under = "*".join(below)
            text += f"/({under})" if len(below) > 1 or "*" in under else f"/{under}"
        alone = len(above) == 1 and not below and not sign and "*" not in text
        return text, _ATOM if alone else _PRODUCT

    def power(self, base: sp.Expr, exponent: sp.Expr) -> str:
        """Print base**exponent so that it may stand in a product."""
        if exponent == 1:
            return self.wrapped(base, _ATOM)
        if exponent == sp.Rational(1, 2):
            return f"xp.sqrt({self.text(base)[0]})"
        if exponent.is_Integer and 2 <= exponent <= 4:
            return "*".join([self.name(base)] * int(exponent))
        if exponent.is_Integer:
            return f"{self.wrapped(base, _ATOM)}**{int(exponent)}"
        below = self.wrapped(base, _ATOM)
        return f"{below}**{self.wrapped(exponent, _ATOM)}"

    def function(self, expression: sp.Expr) -> str:
        """Print a function of the closed table.

        Returns:
            Its text in the backend's terms.

        Raises:
            CompilationError: for any other.
        """
        template = _FUNCTIONS.get(expression.func)
        if template is None:
            known = ", ".join(sorted(f.__name__ for f in _FUNCTIONS))
            raise CompilationError(
                f"expected functions among {known}, got "
                f"{expression.func.__name__} in {expression}; rewrite the expression"
            )
        (argument,) = expression.args
        once = template.count("{0}") == 1
        return template.format(self.text(argument)[0] if once else self.name(argument))


def _base_and_exponent(factor: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """Split powers only: sympy's as_base_exp also splits exp(z) into E and z."""
    if isinstance(factor, sp.Pow):
        return factor.base, factor.exp
    return factor, sp.S.One
