"""The gradient of a program, by the chain rule from the value back to the inputs."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from symbolic._programs.program import Builder, Program, ProgramNode


def differentiated(
    build: Builder, value: int, parameters: dict[str, int], *, minibatch: bool
) -> Program:
    """Return the program of a value and of its gradient.

    Each node's adjoint, the derivative of the value with respect to it, is collected
    from the nodes that use it: by the product rule for products, entry by entry for
    functions. The derivative of relu and abs at 0 is 0. The adjoint of what does not
    depend on the sample is summed over the minibatch first.

    Args:
        build: the nodes; those of the gradient are added.
        value: a scalar node.
        parameters: name → its node.
        minibatch: whether the gradient is that of Σ_z w_z ℓ(θ, z), else of ℓ(θ, z).

    Returns:
        The program, without the nodes that nothing uses.
    """
    seed = minibatch and build.nodes[value].sampled
    adjoints: dict[int, int] = {value: build.weight() if seed else build.number(1)}
    for place in range(value, -1, -1):
        if place in adjoints and build.nodes[place].args:
            node = build.nodes[place]
            for target, share in _shares(build, place, node, adjoints[place]):
                if minibatch and not build.nodes[target].sampled:
                    share = summed(build, share)
                known = adjoints.get(target)
                adjoints[target] = share if known is None else build.add(known, share)
    found = {
        name: adjoints.get(node, build.number(0, build.shape(node)))
        for name, node in parameters.items()
    }
    _gather_entries(build, found, parameters, adjoints)
    return pruned(build.nodes, value, found)


def summed(build: Builder, node: int) -> int:
    """Return the sum over the minibatch of what depends on the sample."""
    return build.total(node) if build.nodes[node].sampled else node


def _gather_entries(
    build: Builder,
    found: dict[str, int],
    parameters: dict[str, int],
    adjoints: dict[int, int],
) -> None:
    """Add what reaches a parameter through single entries of it."""
    for name, node in parameters.items():
        shares: dict[tuple[int, int], int] = {}
        for place, adjoint in adjoints.items():
            it = build.nodes[place]
            if it.op == "entry" and it.args == (node,):
                shares[it.detail] = adjoint
        if shares:
            rows, cols = build.shape(node)
            zero = build.number(0)
            entries = [
                shares.get((i, j), zero) for i in range(rows) for j in range(cols)
            ]
            whole = build.assemble(entries, (rows, cols))
            found[name] = build.add(found[name], whole)


def pruned(nodes: list[ProgramNode], value: int, gradient: dict[str, int]) -> Program:
    """Return the program of the nodes that the results need, renumbered."""
    needed: set[int] = set()
    stack = [value, *gradient.values()]
    while stack:
        place = stack.pop()
        if place not in needed:
            needed.add(place)
            stack.extend(nodes[place].args)
    order = sorted(needed)
    new = {old: i for i, old in enumerate(order)}
    kept = tuple(
        ProgramNode(n.op, tuple(new[i] for i in n.args), n.shape, n.detail, n.sampled)
        for n in (nodes[old] for old in order)
    )
    return Program(
        kept, new[value], tuple((name, new[i]) for name, i in gradient.items())
    )


_Share = tuple[int, int]  # (argument, its share of the adjoint)


def _shares(
    build: Builder, place: int, node: ProgramNode, adjoint: int
) -> list[_Share]:
    """Return what a node passes on of its adjoint, argument by argument."""
    rules: dict[str, Callable[[Builder, int, ProgramNode, int], list[_Share]]] = {
        "add": lambda _, __, n, a: [(i, a) for i in n.args],
        "times": _of_times,
        "product": _of_product,
        "transpose": lambda b, _, n, a: [(n.args[0], b.transpose(a))],
        "inverse": _of_inverse,
        "dot": lambda b, _, n, a: [
            (n.args[0], b.times(a, n.args[1])),
            (n.args[1], b.times(a, n.args[0])),
        ],
        "trace": lambda b, _, n, a: [
            (n.args[0], b.times(a, b.identity(b.shape(n.args[0])[0])))
        ],
        "power": _of_power,
        "function": _of_function,
        "entry": lambda *_: [],  # gathered at the end
    }
    return rules[node.op](build, place, node, adjoint)


def _of_times(build: Builder, _: int, node: ProgramNode, adjoint: int) -> list[_Share]:
    a, b = node.args
    if build.shape(a) == build.shape(b):
        first = build.times(adjoint, b)
    else:  # a scalar times a matrix
        first = build.dot(adjoint, b)
    return [(a, first), (b, build.times(a, adjoint))]


def _of_product(
    build: Builder, _: int, node: ProgramNode, adjoint: int
) -> list[_Share]:
    a, b = node.args
    return [
        (a, build.product(adjoint, build.transpose(b))),
        (b, build.product(build.transpose(a), adjoint)),
    ]


def _of_inverse(
    build: Builder, place: int, node: ProgramNode, adjoint: int
) -> list[_Share]:
    turned = build.transpose(place)
    share = build.product(build.product(turned, adjoint), turned)
    return [(node.args[0], build.scaled(-1, share))]


def _of_power(build: Builder, _: int, node: ProgramNode, adjoint: int) -> list[_Share]:
    (a,), p = node.args, node.detail
    slope = build.scaled(p, build.power(a, p - 1))
    return [(a, build.times(slope, adjoint))]


def _of_function(
    build: Builder, place: int, node: ProgramNode, adjoint: int
) -> list[_Share]:
    (a,), name = node.args, node.detail
    slope = _slope(build, name, a, place)
    return [] if slope is None else [(a, build.times(slope, adjoint))]


def _slope(build: Builder, name: str, a: int, y: int) -> int | None:
    """Return f'(a) with y = f(a), None where it is 0 on every branch."""
    one = build.number(1, build.shape(a))

    def less(x: int) -> int:
        return build.scaled(-1, x)

    def squared(x: int) -> int:
        return build.power(x, Fraction(2))

    slopes: dict[str, Callable[[], int | None]] = {
        "exp": lambda: y,
        "log": lambda: build.power(a, Fraction(-1)),
        "sin": lambda: build.function("cos", a),
        "cos": lambda: less(build.function("sin", a)),
        "tan": lambda: build.add(one, squared(y)),
        "sinh": lambda: build.function("cosh", a),
        "cosh": lambda: build.function("sinh", a),
        "tanh": lambda: build.add(one, less(squared(y))),
        "sigmoid": lambda: build.times(y, build.add(one, less(y))),
        "softplus": lambda: build.function("sigmoid", a),
        "relu": lambda: build.function("step", a),
        "abs": lambda: build.function("sign", a),
        "step": lambda: None,
        "sign": lambda: None,
    }
    return slopes[name]()
