"""A test file to start from, about the symmetry that a file declares."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from symbolic import Declaration, DeclarationError, NoCharge, derive, load


_TEMPLATE = '''\
"""Tests of a declaration with noetherflow; run them with pytest."""

from pathlib import Path

import noetherflow as nf


FILE = Path({path})


# A claim in the language of declaration files: change it into your own. It is about
# every point, data set, learning rate, weight decay and batch size; `given` limits it.
# It may name the parameters and their entries, gamma, sigma2, eta and S, and
# {names}.
CLAIM = nf.UserClaim(
    "mine.{name}",
    {left},
    {relation},
    {right},
)


# A claim as a function of an instance, with exact fractions for all quantities.
@nf.claim("mine.function")
def function(at):
    """{doc}"""
    return {returned}


# These two, the claims in the file, and every general theorem that applies.
@nf.parametrize_with_claims(FILE, CLAIM, function, profile="quick")
def test_claims(check):
    check()
'''


def scaffold(path: str | Path, *, absolute: bool = True) -> str:
    """Return a test file about a declaration, that runs and passes as it is.

    Args:
        path: the declaration file.
        absolute: whether the test finds the file from any folder.

    Returns:
        The text of a Python file.

    Raises:
        DeclarationError: for what declares nothing.
        OSError: where the file cannot be read.
    """
    declaration = load(path)
    place = Path(path).resolve() if absolute else Path(path)
    return _filled(declaration, str(place))


def scaffold_file(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the test file, as a task of the child that limits its time.

    Args:
        arguments: `path` of the declaration file.

    Returns:
        `source`; or `refused` alone, with what is wrong.

    >>> scaffold_file({"path": "missing.toml"})["refused"]
    "expected a declaration file, got 'missing.toml' (No such file or directory)"
    """
    path = arguments["path"]
    try:
        return {"source": scaffold(path), "warnings": []}
    except DeclarationError as error:
        return {"refused": str(error)}
    except OSError as error:
        why = error.strerror or type(error).__name__
        return {"refused": f"expected a declaration file, got {path!r} ({why})"}


def _filled(declaration: Declaration, path: str) -> str:
    """Return the template with a claim that is true of the declaration."""
    taken = {table.id for table in declaration.claims}
    name, left, relation, right, doc, returned = _example(declaration)
    while f"mine.{name}" in taken:
        name += "_"
    return _TEMPLATE.format(
        path=_quoted(path),
        names=_NAMES,
        name=name,
        left=_quoted(left),
        relation=_quoted(relation),
        right=_quoted(right),
        doc=doc,
        returned=returned,
    )


def _quoted(text: str) -> str:
    """Return a text as a literal of Python, in double quotes."""
    return json.dumps(text)  # a path need not be ASCII, and may hold quotes


_NAMES = (
    "charge, flow, noise, decay, exact_step, loss, grad_norm2, trace_sigma,\n"
    "# trace_sigma_A, norm2_theta and others"
)


def _example(declaration: Declaration) -> tuple[str, str, str, str, str, str]:
    """Return a claim's name, sides, relation, and a function's text and result."""
    kind = declaration.symmetry.kind
    try:
        _ = derive(declaration).charge
    except NoCharge:
        return (
            *("norm", "norm2_J", ">=", "0"),
            "J has a length that is not negative.",
            "at.norm2_J >= 0",
        )
    if declaration.loss is None or kind != "exponential":
        return (
            *("decay", "decay", "==", "-2*gamma*theta_J"),
            "Decay pulls along J.",
            "at.decay, -2 * at.gamma * at.theta_J",
        )
    return (
        *("flow", "flow", "==", "sigma2*trace_sigma_A - 4*gamma*charge"),
        "Without decay only the noise moves the charge.",
        "at.flow + 4 * at.gamma * at.charge, at.noise",
    )
