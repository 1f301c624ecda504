"""LaTeX for the names a derivation at symbolic sizes makes: h_X, functions, e^M."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from symbolic._words.applied import Applied
from symbolic._words.notation import latex, name_latex


_NAMED = frozenset({"exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh"})


def latex_names(
    parameters: Sequence[str], applied: Iterable[Applied]
) -> dict[str, str]:
    r"""Return name → LaTeX for the names that are not to be read as they are.

    Args:
        parameters: the names of the parameters.
        applied: the functions that occur, innermost first.

    Returns:
        The LaTeX of every such name.

    >>> latex_names(["U"], [])["gbar_U"]
    '\\bar g_{U}'
    """
    names = {"sigma2": r"\sigma^2", "lam": r"\lambda"}
    names["(1 - 2*eta*gamma)"] = r"(1-2\eta\gamma)"
    for name in parameters:
        index = name_latex(name)
        names[f"g_{name}"] = f"g_{{{index}}}"
        names[f"h_{name}"] = f"h_{{{index}}}"
        names[f"gbar_{name}"] = rf"\bar g_{{{index}}}"
    for each in applied:
        names[each.name] = _applied(each, names)
    return names


def _applied(each: Applied, names: dict[str, str]) -> str:
    inside = latex(each.argument, names)
    if each.function == "expm" or (each.function == "exp" and each.argument.is_scalar):
        return f"e^{{{inside}}}"
    if each.function == "inv":
        return rf"\left({inside}\right)^{{-1}}"
    if each.function == "power":
        return rf"\left({inside}\right)^{{{each.exponent}}}"
    known = rf"\{each.function}" if each.function in _NAMED else ""
    name = known or rf"\mathrm{{{each.function}}}"
    return rf"{name}\left({inside}\right)"
