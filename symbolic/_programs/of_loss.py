"""The program of a declared loss and its gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symbolic._constants import Constant
from symbolic._errors import DeclarationError
from symbolic._loss import Loss
from symbolic._programs.of_sympy import read_expression
from symbolic._programs.of_text import read_program
from symbolic._programs.program import Builder, Program
from symbolic._programs.reverse import differentiated, pruned
from symbolic._space import ParameterSpace


def gradient_program(loss: Loss, *, batch: int = 1, minibatch: bool = True) -> Program:
    """Return a loss and its gradient as a program of matrix operations.

    A loss given as text keeps its matrices, and costs what it would cost by hand; a
    sympy expression becomes operations on numbers. The gradient is derived from the
    program by the chain rule.

    Args:
        loss: the per-sample loss, all sizes integers.
        batch: samples for each step, by which products are put in the cheapest order.
        minibatch: whether the gradient is that of Σ_z w_z ℓ(θ, z) over a minibatch,
            else that of one sample.

    Returns:
        The program; its inputs have the names of the loss's parameters, data and
        constants.

    Raises:
        DeclarationError: for sizes that are symbols, and for functions that programs
            do not have.

    >>> space = ParameterSpace(U=(3, 50), W=(50, 7))
    >>> loss = Loss("norm2(U*tanh(W*x) - y)", space, {"x": (7,), "y": (3,)})
    >>> program = gradient_program(loss)
    >>> [program.nodes[i].shape for _, i in program.gradient]
    [(3, 50), (50, 7)]
    >>> max(node.size for node in program.nodes if node.op == "product")
    350
    """
    build = Builder()
    if loss.source is None and not loss.is_matrix:
        parameters, symbols = component_inputs(build, loss)
        value = read_expression(loss.expression, symbols, build)
        return differentiated(build, value, parameters, minibatch=minibatch)
    parameters, names = _all_inputs(build, loss)
    text = loss.source or str(loss.expression)
    value = read_program(text, names, build, batch, "loss")
    return differentiated(build, value, parameters, minibatch=minibatch)


def component_inputs(
    build: Builder, loss: Loss
) -> tuple[dict[str, int], dict[str, int]]:
    """Return the inputs of a loss.

    Args:
        build: where the nodes go.
        loss: the loss, in components.

    Returns:
        Parameter → node, and name of a component's symbol → node.
    """
    parameters, names = _all_inputs(build, loss)
    symbols: dict[str, int] = {}
    for space in (loss.space, loss.data):
        for name in space.names:
            _add_entries(build, symbols, space[name], names[name])
    for each in loss.constants:
        _add_entries(build, symbols, each.components, names[each.name])
    return parameters, symbols


def _all_inputs(build: Builder, loss: Loss) -> tuple[dict[str, int], dict[str, int]]:
    """Return parameter → node, and name → node of everything."""
    parameters = _inputs(build, "parameter", loss.space)
    names = parameters | _inputs(build, "data", loss.data)
    for each in loss.constants:
        names[each.name] = build.input("constant", each.name, _int_shape(each))
    return parameters, names


def _inputs(build: Builder, kind: str, space: ParameterSpace) -> dict[str, int]:
    found = {}
    for name in space.names:
        rows, cols = (*space.int_shape(name), 1, 1)[:2]
        found[name] = build.input(kind, name, (rows, cols))
    return found


def _int_shape(constant: Constant) -> tuple[int, int]:
    sizes = [size for size in (*constant.shape, 1, 1)[:2] if isinstance(size, int)]
    if len(sizes) != 2:
        raise DeclarationError(
            f"expected integer sizes for the constant {constant.name}, got "
            f"{constant.shape}"
        )
    return sizes[0], sizes[1]


def _add_entries(
    build: Builder, symbols: dict[str, int], value: Any, node: int
) -> None:
    if not hasattr(value, "shape"):
        symbols[str(value)] = node
        return
    rows, cols = value.shape
    for i in range(rows):
        for j in range(cols):
            symbols.setdefault(str(value[i, j]), build.entry(node, i, j))


def value_program(
    text: str, space: ParameterSpace, constants: Sequence[Constant] = ()
) -> Program:
    """Return an expression of parameters as a program without a gradient.

    Args:
        text: a scalar of the language.
        space: the parameters, all sizes integers.
        constants: the constants that may occur.

    Returns:
        The program.

    Raises:
        DeclarationError: with the place in the text, for what is no scalar expression.

    >>> program = value_program("norm2(U) - norm2(W)", ParameterSpace(U=(2,), W=(3,)))
    >>> [node.op for node in program.nodes if node.op == "dot"]
    ['dot', 'dot']
    """
    build = Builder()
    names = _inputs(build, "parameter", space)
    for each in constants:
        names[each.name] = build.input("constant", each.name, _int_shape(each))
    value = read_program(text, names, build, 1, "expression")
    if build.shape(value) != (1, 1):
        raise DeclarationError(
            f"expected a scalar, got a matrix of shape {build.shape(value)}: {text}"
        )
    return pruned(build.nodes, value, {})
