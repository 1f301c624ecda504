"""Source of a module that stands alone: `module_source`."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import Any, Literal

from numeric._arrays import backend as _backend
from numeric._blocks import blocks
from numeric._matrix_problem import MatrixProblem
from numeric._module_core import Core, assigned, check_names
from numeric._module_flat import flat_core
from numeric._module_named import named_core
from numeric._module_text import PUBLIC, helpers
from symbolic import MatrixPolynomial, NoCharge


_PLAIN = re.compile(r"[A-Za-z0-9_ +\-*/().,=]*\Z")
_LONGEST = 2000  # characters of a formula in the header
_NEEDS = {"numpy": "numpy 2 or later", "torch": "torch"}
_HELPER = re.compile(r"\b_[a-z]\w*")


def module_source(derivation: Any, backend: Literal["numpy", "torch"]) -> str:
    """Return the source of a module with the formulas of a derivation.

    The module imports its array library and nothing else. It has TITLE, KIND, the
    PARAMETERS by name and shape, and the functions of `Evaluators` that the derivation
    has: only `generator` where there is no charge, `balance` for kind "exponential".
    Constants are passed by name as `constants=`. Symbolic sizes are read from θ, then
    a mapping. The same derivation gives the same bytes. Of strings of a declaration,
    names are checked and the title is a literal.

    Args:
        derivation: what `derive` returned.
        backend: "numpy" or "torch".

    Returns:
        The text of the module, in ASCII where the title is.

    >>> from symbolic import Declaration, ParameterSpace, Symmetry, derive
    >>> space = ParameterSpace(u=(), w=())
    >>> rescaling = Symmetry.exponential(space, [[1, 0], [0, -1]])
    >>> text = module_source(derive(Declaration("t", space, rescaling)), "numpy")
    >>> scope = {}
    >>> exec(text, scope)
    >>> scope["PARAMETERS"], float(scope["charge"]([3.0, 1.0]))
    ({'u': (), 'w': ()}, 4.0)
    """
    _backend(backend)
    declaration = derivation.declaration
    try:
        charge = derivation.charge
    except NoCharge:
        charge = None
    core = _core(derivation, charge, backend)
    wanted = ["generator"]
    if charge is not None:
        wanted += ["charge", "drift", "step"]
        wanted += ["balance"] if declaration.symmetry.kind == "exponential" else []
    public = [text for name, text in PUBLIC.items() if name in wanted]
    filled = [_with_constants(text, core.constants) for text in public]
    body = [*filled, *core.functions]
    known = helpers(backend, flat=core.flat)
    data = [
        f"TITLE = {str.__repr__(declaration.name)}",
        f"KIND = {declaration.symmetry.kind!r}",
        assigned("PARAMETERS", _shapes(declaration.space)),
        *core.data,
    ]
    head = [_header(core, wanted, backend), "", f"import {backend} as xp", "", *data]
    return "\n".join([*head, "", "", "\n\n".join([*body, *_needed(body, known)])])


def _core(derivation: Any, charge: Any, backend: str) -> Core:
    declaration = derivation.declaration
    generator = tuple(declaration.symmetry.generator)
    if generator and isinstance(generator[0], MatrixPolynomial):
        shapes, kind = _shapes(declaration.space), declaration.symmetry.kind
        problem = MatrixProblem(
            shapes,
            generator,
            charge,
            kind,
            functions=tuple(getattr(declaration.symmetry, "applied", ())),
            declared=tuple(getattr(declaration.symmetry, "declared", ())),
        )
        return named_core(problem, backend)
    small = blocks(declaration, has_charge=charge is not None)
    if small is not None:
        return named_core(small, backend)
    return flat_core(derivation, charge, backend)


def _shapes(space: Any) -> dict[str, tuple[int | str, ...]]:
    """Return parameter → shape, in order, of plain names and integers."""
    sizes = [size for _, shape in space.items for size in shape]
    check_names([*space.names, *(size for size in sizes if isinstance(size, str))])
    return {
        name: tuple(size if isinstance(size, str) else int(size) for size in shape)
        for name, shape in space.items
    }


def _with_constants(text: str, constants: bool) -> str:
    values = {
        "{constants}": ", *, constants=None",
        "{more}": ", constants=None",
        "{passed}": ", constants",
    }
    for mark, value in values.items():
        text = text.replace(mark, value if constants else "")
    return text


def _needed(texts: Sequence[str], known: dict[str, str]) -> list[str]:
    """Return the helpers that the texts name, and those that these name."""
    found: set[str] = set()
    waiting = list(texts)
    while waiting:
        named = set(_HELPER.findall(waiting.pop())) & set(known) - found
        found |= named
        waiting += [known[name] for name in sorted(named)]
    return [text for name, text in known.items() if name in found]


def _header(core: Core, wanted: Sequence[str], backend: str) -> str:
    """Return the docstring, of printed formulas and fixed text only."""
    lines = [
        '"""Formulas of a symmetry of a loss, compiled by noetherflow.',
        "",
        f"This module stands alone: it needs {_NEEDS[backend]} and nothing else.",
        "",
    ]
    for formula in core.formulas:
        lines += _printed(formula)
    lines += ["", *(_LAWS[name] for name in wanted if name in _LAWS)]
    if "charge" not in wanted:
        lines.append("J is no gradient field, so there is no charge and no drift.")
    if core.constants:
        lines.append("Every function takes the constants by name, as constants=.")
    return "\n".join([*lines, '"""'])


_LAWS = {
    "drift": "dC/dt = -2*gamma*theta.J + sigma2*Tr[Sigma*D2C]",
    "step": "C' = C((1 - 2*eta*gamma)*theta - eta*g)",
    "balance": "G(lam) = dC/dt at exp(lam*A)*theta, exp(-lam*A)*Sigma*exp(-lam*A)",
}


def _printed(formula: str) -> list[str]:
    """Return a formula in lines, or its left side where it is long or odd."""
    if len(formula) > _LONGEST or not _PLAIN.match(formula):
        formula = f"{formula.split(' = ')[0]} = ... (in the code below)"
    return textwrap.wrap(
        formula, 84, initial_indent="    ", subsequent_indent="        "
    )
